import {
  parseSessionId,
  sessionHandle,
  userOwner,
  type SessionHandle,
  type SessionId,
} from '@sallyport/shared';
import { exchange } from '@sallyport/demo/web-client/exchange';
import type { Redis } from 'ioredis';
import { BrowserJar, setCookies } from './browser-jar.js';
import type { InProcessGateway } from './in-process-gateway.js';
import { modelIssuer, modelLogoutToken, type ModelIdp, type RefreshFault } from './model-idp.js';
import { scanRecords } from './record-scan.js';
import type { SessionReader } from './session-reader.js';
import { SessionOracle } from './session-oracle.js';
import type { Schedule, Step } from './session-schedule.js';
import { letTimePass } from './time-travel.js';
import { settle, type Turns } from './turns.js';

const people = ['ada', 'eve'] as const;
/** The replicas' own work comes this often, seconds. */
const piece = 150;
const refreshFaults: readonly RefreshFault[] = ['lost', 'refused-connection', 'server-error'];

interface Browser {
  readonly jar: BrowserJar;
  /** Logins that were begun here and not finished. */
  readonly begun: { readonly state: string; readonly person: string; readonly step: number }[];
}

/** What every schedule of a suite shares. */
export interface WorldParts {
  readonly admin: Redis;
  readonly gateways: readonly InProcessGateway[];
  readonly turns: Turns;
  readonly idp: ModelIdp;
  readonly reader: SessionReader;
  readonly directory: Directory;
}

/** The permission service: what a person may do, and whether it answers. */
export interface Directory {
  rolesOf: (userId: string) => number;
  down: boolean;
}

/** One schedule on its way: people, replicas, what they did, and what is expected of it. */
export class SessionWorld {
  readonly oracle = new SessionOracle();
  readonly #parts: WorldParts;
  readonly #gateways: readonly InProcessGateway[];
  readonly #browsers: readonly Browser[];
  readonly #active = new Set<Promise<void>>();
  readonly #pushing = new Set<string>();
  readonly #sids = new Map<SessionId, string>();
  /** Seconds that were let pass, beside the real ones. */
  #passed = 0;
  readonly #begin = Date.now();
  #jti = 0;
  /** A failure was put in: what must live is not known any more. */
  #failures = 0;
  readonly #faults: boolean;

  constructor(parts: WorldParts, { replicas, faults }: Schedule) {
    this.#parts = parts;
    this.#faults = faults;
    this.#gateways = parts.gateways.slice(0, replicas);
    this.#browsers = people.concat('ada').map(() => ({ jar: new BrowserJar(), begun: [] }));
    parts.directory.rolesOf = (userId) => this.oracle.rolesOf(userId);
    parts.directory.down = false;
    parts.idp.nextFault = 'none';
    parts.turns.nextFault = undefined;
    parts.turns.afterCall = async () => {
      this.oracle.wrong.push(...(await scanRecords(parts.admin)));
    };
  }

  /** @returns what was wrong */
  async run({ steps }: Schedule): Promise<string[]> {
    const { turns } = this.#parts;
    // Somebody is there from the beginning.
    for (const [who, person] of people.entries()) {
      await this.#beginLogin(who, who, person);
      await this.#callback(who, who, 0, who);
    }
    turns.inForce = true;
    for (const step of steps) {
      if (step.kind === 'time-passes') await this.#timePasses(30 + step.which * 30);
      else this.#start(this.#act(step));
      await settle();
      for (const pick of step.turns) await turns.step(pick);
      await this.#checkOne(step.which);
      if (this.oracle.wrong.length > 0) break;
    }
    await this.#drain();
    await this.#conclude();
    turns.inForce = false;
    return [...new Set(this.oracle.wrong)];
  }

  #start(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => {
        this.oracle.wrong.push(`broke: ${String((error as Error).stack)}`);
      })
      .finally(() => this.#active.delete(tracked));
    this.#active.add(tracked);
  }

  async #drain(): Promise<void> {
    const end = Date.now() + 20_000;
    while (this.#active.size > 0) {
      if (await this.#parts.turns.step(0)) continue;
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (Date.now() > end) throw new Error('a step never ended');
    }
  }

  /** Everything that was ever given is looked at once more; then everybody is revoked. */
  async #conclude(): Promise<void> {
    const { idp, admin, turns } = this.#parts;
    for (const id of this.oracle.ids()) await this.#check(id, 'cookie');
    const retriable = this.#failures > 0;
    for (const [token, times] of idp.sent) {
      const allowed = retriable || idp.unanswered.has(token) ? 2 : 1;
      if (times > allowed) this.oracle.wrong.push(`I4 ${token} was sent ${String(times)} times`);
    }
    for (const [state, times] of idp.completed) {
      if (times > 1) this.oracle.wrong.push(`I6 ${state} was completed ${String(times)} times`);
    }
    turns.inForce = false;
    turns.nextFault = undefined;
    for (const person of people) {
      await this.#gateways[0]?.revocations.revokeAll(userOwner(person));
    }
    const left = (await admin.keys('*session:*')).length;
    if (left > 0) this.oracle.wrong.push(`I14 ${String(left)} records outlived every revocation`);
  }

  async #timePasses(seconds: number): Promise<void> {
    await this.#drain();
    // In pieces, and between them the replicas' own work, as it would be done.
    for (let left = seconds; left > 0; left -= piece) {
      await letTimePass(this.#parts.admin, Math.min(left, piece));
      this.#passed += Math.min(left, piece);
      for (const id of this.oracle.living()) this.#start(this.#work(id, 0));
      await this.#drain();
    }
  }

  #now(): number {
    return this.#passed + (Date.now() - this.#begin) / 1000;
  }

  #act(step: Step): Promise<void> {
    const { who, which, replica } = step;
    const ids = this.oracle.ids();
    const id = ids[which % Math.max(1, ids.length)];
    const person = people[which % people.length] ?? 'ada';
    switch (step.kind) {
      case 'start':
        return this.#beginLogin(who, replica, person);
      case 'callback':
        return this.#callback(who, who, which, replica);
      case 'foreign-callback':
        return this.#callback(who, who + 1, which, replica);
      case 'check':
        return id === undefined ? done() : this.#check(id, 'cookie');
      case 'check-as-bearer':
        return id === undefined ? done() : this.#check(id, 'bearer');
      case 'heartbeat':
        return id === undefined ? done() : this.#use(id, replica, 'GET', '/auth/v1/session');
      case 'refresh':
        return id === undefined ? done() : this.#use(id, replica, 'POST', '/auth/refresh');
      case 'expire-tokens':
        return id === undefined ? done() : this.#expireTokens(id);
      case 'work':
        return id === undefined ? done() : this.#work(id, replica);
      case 'logout':
        return id === undefined ? done() : this.#logout(id, replica);
      case 'revoke-user':
        return this.#revoke(person, replica);
      case 'back-channel':
        return id === undefined ? done() : this.#backChannel(id, replica);
      case 'push-roles':
        return this.#pushRoles(person, replica);
      case 'change-roles':
        this.oracle.newRoles(person, this.#now());
        return done();
      case 'permissions-down':
      case 'refresh-fault':
      case 'redis-fault':
        if (this.#faults) this.#fail(step);
        return done();
      case 'resume':
        return this.#gateway(replica)
          .revocations.resume()
          .then(
            () => undefined,
            () => undefined,
          );
      case 'damage':
        return id === undefined ? done() : this.#damage(id);
      case 'time-passes':
        return done();
    }
  }

  #fail({ kind, which }: Step): void {
    const { directory, idp, turns } = this.#parts;
    if (kind === 'permissions-down') directory.down = which % 2 === 0;
    if (kind === 'redis-fault') turns.nextFault = which % 2 === 0 ? 'lost' : 'unsent';
    if (kind === 'refresh-fault') {
      idp.nextFault = refreshFaults[which % refreshFaults.length] ?? 'lost';
    }
    this.#failures += 1;
    this.oracle.doubtAll();
  }

  #gateway(replica: number): InProcessGateway {
    const found = this.#gateways[replica % this.#gateways.length];
    if (found === undefined) throw new Error('no replica');
    return found;
  }

  #browser(who: number): Browser {
    const found = this.#browsers[who % this.#browsers.length];
    if (found === undefined) throw new Error('no browser');
    return found;
  }

  async #beginLogin(who: number, replica: number, person: string): Promise<void> {
    const { jar, begun } = this.#browser(who);
    const answer = await jar.visit(`${this.#gateway(replica).origin}/oauth2/authorization/idp`);
    if (answer.status !== 302) return;
    const state = new URL(String(answer.headers.location)).searchParams.get('state') ?? '';
    begun.push({ state, person, step: this.oracle.next() });
  }

  async #callback(who: number, whose: number, which: number, replica: number): Promise<void> {
    const { jar } = this.#browser(who);
    const { begun } = this.#browser(whose);
    const login = begun[which % Math.max(1, begun.length)];
    if (login === undefined) return;
    const { origin } = this.#gateway(replica);
    const held = heldBy(jar);
    this.oracle.ending(held);
    const query = new URLSearchParams({ code: login.person, state: login.state, iss: modelIssuer });
    const answer = await jar.visit(`${origin}/login/oauth2/code/idp?${query.toString()}`, {
      site: 'cross-site',
    });
    const line = setCookies(answer).find((one) => /^__Host-session=[^;]/.test(one));
    const id = parseSessionId(/^__Host-session=([^;]*)/.exec(line ?? '')?.[1] ?? '');
    if (id === undefined) return;
    if (who !== whose) this.oracle.wrong.push('I6 a login was finished in another browser');
    this.oracle.born(id, login.person, login.step, this.#now(), held === undefined ? [] : [held]);
    if (this.#failures > 0) this.oracle.ending(id);
    this.oracle.over(held, 'a login replaced it');
  }

  async #checkOne(which: number): Promise<void> {
    const ids = this.oracle.ids();
    const id = ids[which % Math.max(1, ids.length)];
    if (id !== undefined) await this.#check(id, 'cookie');
  }

  async #check(id: SessionId, lane: 'cookie' | 'bearer'): Promise<void> {
    const [began, at] = [this.oracle.next(), this.#now()];
    const seen = await this.#parts.reader(id, lane);
    if (lane === 'cookie') this.oracle.judge(id, began, at, seen);
    else if (seen.allowed) this.oracle.wrong.push('I10 a cookie’s session was let in as a bearer');
  }

  async #use(id: SessionId, replica: number, method: string, path: string): Promise<void> {
    const answer = await exchange(this.#gateway(replica).origin + path, {
      method,
      headers: [
        ['Cookie', `__Host-session=${id}`],
        ['X-CSRF', '1'],
      ],
    });
    if (answer.status === 401) {
      this.oracle.denied(id, `${path} said so: ${answer.text}`);
      return;
    }
    const { expiresAt } = JSON.parse(answer.text) as { expiresAt?: number };
    const deadline =
      expiresAt === undefined ? undefined : this.#now() + expiresAt - Date.now() / 1000;
    this.oracle.used(id, this.#now(), answer.status === 200 ? deadline : undefined);
  }

  #expireTokens(id: SessionId): Promise<void> {
    return this.#overwrite(id, 'token_expires_at', '1');
  }

  /** As a later version may write it. */
  #damage(id: SessionId): Promise<void> {
    this.oracle.damaged(id);
    return this.#overwrite(id, 'perm_version', 'a number of another kind');
  }

  /** Nothing that is gone may be revived by the test itself. */
  async #overwrite(id: SessionId, field: string, value: string): Promise<void> {
    const key = `gateway:session:{extauthz:session:${handleOf(id)}}`;
    const script = `
      if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end`;
    await this.#parts.admin.eval(script, 1, key, field, value);
  }

  async #work(id: SessionId, replica: number): Promise<void> {
    // What the worker does on its round; an outage makes it come again.
    const outcome = await this.#gateway(replica)
      .upkeep.attend(handleOf(id), 'worker')
      .catch(() => undefined);
    if (outcome?.outcome === 'ended') {
      this.oracle.ending(id);
      this.oracle.over(id, `the provider ended it: ${outcome.reason}`);
    }
  }

  async #logout(id: SessionId, replica: number): Promise<void> {
    this.oracle.ending(id);
    const answer = await exchange(`${this.#gateway(replica).origin}/logout`, {
      method: 'POST',
      headers: [
        ['Cookie', `__Host-session=${id}`],
        ['X-CSRF', '1'],
        ['Accept', 'application/json'],
        ['Sec-Fetch-Site', 'same-origin'],
      ],
    });
    if (answer.status === 200) this.oracle.over(id, 'its logout was answered');
  }

  async #revoke(person: string, replica: number): Promise<void> {
    const revocation = this.oracle.revoking(person);
    await this.#gateway(replica)
      .revocations.revokeAll(userOwner(person))
      .then(revocation.answered, () => undefined);
  }

  async #backChannel(id: SessionId, replica: number): Promise<void> {
    const handle = handleOf(id);
    const key = `gateway:session:{extauthz:session:${handle}}`;
    const sid = (await this.#parts.admin.hget(key, 'sid')) ?? this.#sids.get(id);
    if (sid === undefined) return;
    this.#sids.set(id, sid);
    this.oracle.ending(id);
    this.#jti += 1;
    const token = modelLogoutToken({ jti: `jti-${String(this.#jti % 3)}-${sid}`, sid });
    const answer = await exchange(`${this.#gateway(replica).origin}/auth/backchannel-logout`, {
      method: 'POST',
      headers: [['Content-Type', 'application/x-www-form-urlencoded']],
      body: new URLSearchParams({ logout_token: token }).toString(),
    });
    if (answer.status === 200) this.oracle.over(id, 'its back-channel logout was answered');
  }

  /** As the management port does; one at a time for a user, or nobody could say which was last. */
  async #pushRoles(person: string, replica: number): Promise<void> {
    if (this.#pushing.has(person)) return;
    this.#pushing.add(person);
    const { pushes, sessions } = this.#gateway(replica);
    const number = this.oracle.newRoles(person, this.#now());
    try {
      await pushes.announce(person);
      await sessions.grantAll(userOwner(person), rolesIn(person, number));
      this.oracle.pushed(person, number);
    } catch {
      // Not answered: whoever pushes tries again.
    } finally {
      this.#pushing.delete(person);
    }
  }
}

/** Both lists carry whose they are and which version, so that a mix of two shows. */
export function rolesIn(userId: string, number: number) {
  const version = String(number);
  return { roles: [`${userId}.r${version}`], permissions: [`${userId}.p${version}`] };
}

function heldBy(jar: BrowserJar): SessionId | undefined {
  return parseSessionId(jar.cookies.get('localhost', '__Host-session') ?? '');
}

function handleOf(id: SessionId): SessionHandle {
  return sessionHandle(id, 'hashed');
}

function done(): Promise<void> {
  return Promise.resolve();
}
