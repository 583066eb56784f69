import { userOwner, type SessionId } from '@sallyport/shared';
import { exchange } from '@sallyport/demo/web-client/exchange';
import type { Lane } from './session-oracle.js';
import { gatewayKeyOf, handleOf, rolesIn, type Scene } from './session-world-scene.js';

const idleSeconds = 1800;

/** What happens to sessions in a schedule while they live. */
export class Uses {
  readonly #scene: Scene;
  readonly #pushing = new Set<string>();

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  /** By the lane it is of, or by the other, where it is nothing. */
  async check(id: SessionId, by: 'its-own-lane' | 'the-other-lane'): Promise<void> {
    const { oracle, parts } = this.#scene;
    const own = oracle.laneOf(id);
    const other: Lane = own === 'cookie' ? 'bearer' : 'cookie';
    const [began, at] = [oracle.next(), this.#scene.now()];
    const seen = await parts.reader(id, by === 'its-own-lane' ? own : other);
    if (by === 'its-own-lane') oracle.judge(id, began, at, seen);
    else if (seen.allowed) oracle.wrong.push(`I10 a session of ${own} was let in as ${other}`);
  }

  async request(id: SessionId, replica: number, method: string, path: string): Promise<void> {
    const { oracle } = this.#scene;
    const answer = await exchange(this.#scene.gateway(replica).origin + path, {
      method,
      headers: [
        ['Cookie', `__Host-session=${id}`],
        ['X-CSRF', '1'],
      ],
    });
    if (oracle.laneOf(id) === 'bearer') {
      // Or 503, where a failure was put in.
      if (answer.status < 400) oracle.wrong.push(`I10 ${path} took a bearer as a cookie`);
      return;
    }
    if (answer.status === 401) {
      oracle.denied(id, `${path} said so: ${answer.text}`);
      return;
    }
    const { expiresAt } = JSON.parse(answer.text) as { expiresAt?: number };
    oracle.used(
      id,
      this.#scene.now(),
      answer.status === 200 ? this.#inSchedule(expiresAt) : undefined,
    );
  }

  /** As the gateway does it when extauthz reports that a session is in use. */
  async report(id: SessionId, replica: number): Promise<void> {
    const { oracle } = this.#scene;
    const { store, sessions } = this.#scene.gateway(replica);
    const handle = handleOf(id);
    try {
      const session = await store.find(handle);
      if (session === undefined) return;
      const slid = await sessions.prolong(handle, session, () => store.slide(handle, idleSeconds));
      if (slid !== undefined) oracle.used(id, this.#scene.now(), this.#inSchedule(slid));
    } catch {
      // Not confirmed: it comes again.
      oracle.used(id, this.#scene.now());
    }
  }

  expireTokens(id: SessionId): Promise<void> {
    // An exchanged token is not renewed: its session ends with it.
    if (this.#scene.oracle.laneOf(id) === 'bearer') return Promise.resolve();
    return this.#overwrite(id, 'token_expires_at', '1');
  }

  /** As a later version may write it. */
  damage(id: SessionId): Promise<void> {
    this.#scene.oracle.damaged(id);
    return this.#overwrite(id, 'perm_version', 'a number of another kind');
  }

  async work(id: SessionId, replica: number): Promise<void> {
    // What the worker does on its round; an outage makes it come again.
    const outcome = await this.#scene
      .gateway(replica)
      .upkeep.attend(handleOf(id), 'worker')
      .catch(() => undefined);
    if (outcome?.outcome === 'ended') {
      this.#scene.oracle.ending(id);
      this.#scene.oracle.over(id, `the provider ended it: ${outcome.reason}`);
    }
  }

  /** As the management port does; one at a time for a user, or nobody could say which was last. */
  async pushRoles(person: string, replica: number): Promise<void> {
    const { oracle } = this.#scene;
    if (this.#pushing.has(person)) return;
    this.#pushing.add(person);
    const { pushes, sessions } = this.#scene.gateway(replica);
    const number = oracle.newRoles(person, this.#scene.now());
    try {
      await pushes.announce(person);
      await sessions.grantAll(userOwner(person), rolesIn(person, number));
      oracle.pushed(person, number);
    } catch {
      // Not answered: whoever pushes tries again.
    } finally {
      this.#pushing.delete(person);
    }
  }

  /** Nothing that is gone may be revived by the test itself. */
  async #overwrite(id: SessionId, field: string, value: string): Promise<void> {
    const script = `
      if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end`;
    await this.#scene.parts.admin.eval(script, 1, gatewayKeyOf(id), field, value);
  }

  /** A second of Redis as one of the schedule. */
  #inSchedule(second: number | undefined): number | undefined {
    return second === undefined ? undefined : this.#scene.now() + second - Date.now() / 1000;
  }
}
