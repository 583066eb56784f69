import { exchange } from '@sallyport/demo/web-client/exchange';
import { activityStreamKey, type SessionId } from '@sallyport/shared';
import { asCookie, type KillScene } from './kill-scene.js';
import { gatewayKeyOf, handleOf, people, rolesIn } from './session-world-scene.js';

const renewals = [
  ['GET', '/auth/v1/session'],
  ['POST', '/auth/refresh'],
] as const;

/** What happens to sessions that live at two gateways, one of which dies meanwhile. */
export class KillUses {
  readonly #scene: KillScene;
  readonly #pushing = new Set<string>();

  constructor(scene: KillScene) {
    this.#scene = scene;
  }

  /** Some session, by its own lane and by the other, where it is nothing (I10). */
  async check(): Promise<void> {
    const id = this.#scene.some();
    if (id !== undefined) await this.checkOne(id);
  }

  async checkOne(id: SessionId): Promise<void> {
    const { oracle, grounds } = this.#scene;
    const [began, at, lane] = [oracle.next(), this.#scene.now(), oracle.laneOf(id)];
    const seen = await grounds.reader(id, lane);
    this.#scene.excuse(id);
    oracle.judge(id, began, at, seen);
    const asOther = await grounds.reader(id, lane === 'cookie' ? 'bearer' : 'cookie');
    if (asOther.allowed) oracle.wrong.push(`I10 a session of ${lane} was let in as the other`);
  }

  /** As extauthz does when it lets somebody in; a gateway slides the session then. */
  async report(): Promise<void> {
    const { oracle, choices, grounds } = this.#scene;
    const bearers = oracle.ids().filter((id) => this.#scene.isBearer(id));
    // They are few, and nothing else moves their end.
    const id = bearers.length > 0 ? choices.one(bearers) : this.#scene.some();
    if (id === undefined) return;
    await grounds.admin.call('XADD', activityStreamKey, 'NOMKSTREAM', '*', 'h', handleOf(id));
    oracle.used(id, this.#scene.now());
  }

  /** By a page's heartbeat, or because a page wants new tokens now. */
  async renew(): Promise<void> {
    const { oracle, choices } = this.#scene;
    const id = this.#scene.some();
    if (id === undefined) return;
    const [method, path] = choices.one(renewals);
    if (!this.#scene.isBearer(id) && choices.rarely(2)) await this.#expireTokens(id);
    const headers = [...asCookie(id).headers, ['X-CSRF', '1']] as const;
    const answer = await exchange(this.#scene.origin() + path, { method, headers });
    if (this.#scene.isBearer(id)) {
      if (answer.status < 400) oracle.wrong.push(`I10 ${path} took a bearer as a cookie`);
      return;
    }
    this.#scene.excuse(id);
    if (answer.status === 401) {
      oracle.refused(id, this.#scene.now(), `${path} said so: ${answer.text}`);
    } else oracle.used(id, this.#scene.now());
  }

  /** As the permission service will say them from now on, to whoever asks. */
  changeRoles(): Promise<void> {
    this.#scene.oracle.newRoles(this.#scene.choices.one(people), this.#scene.now());
    return Promise.resolve();
  }

  /** One at a time for a person, or nobody could say which was the last. */
  async pushRoles(): Promise<void> {
    const { oracle, choices, grounds } = this.#scene;
    const person = choices.one(people);
    if (this.#pushing.has(person)) return;
    this.#pushing.add(person);
    const number = oracle.newRoles(person, this.#scene.now());
    const url = `${this.#scene.managementOrigin()}/internal/v1/sessions/users/${person}/permissions`;
    try {
      const { status } = await exchange(url, {
        method: 'PUT',
        headers: [
          ['Authorization', `Bearer ${grounds.token}`],
          ['Content-Type', 'application/json'],
        ],
        body: JSON.stringify(rolesIn(person, number)),
      });
      if (status === 204) oracle.pushed(person, number);
    } finally {
      this.#pushing.delete(person);
    }
  }

  /** Nothing that is gone may be revived by the test itself. */
  async #expireTokens(id: SessionId): Promise<void> {
    const script =
      "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'token_expires_at', '1') end";
    await this.#scene.grounds.admin.eval(script, 1, gatewayKeyOf(id));
  }
}
