import { exchange, type Answer } from '@sallyport/demo/web-client/exchange';
import { activityStreamKey, newSessionId, parseSessionId, type SessionId } from '@sallyport/shared';
import type { Redis } from 'ioredis';
import { Bearers } from './bearers.js';
import { BrowserJar, setCookies } from './browser-jar.js';
import type { Victim } from './crash-victims.js';
import type { GatewayStack } from './gateway.js';
import type { InProcessGateway } from './in-process-gateway.js';
import { logoutToken } from './logout-token.js';
import type { Choices } from './proofs.js';
import { scanRecords } from './record-scan.js';
import { SessionOracle } from './session-oracle.js';
import type { SessionReader } from './session-reader.js';
import { gatewayKeyOf, handleOf, people } from './session-world-scene.js';

/** What all schedules share. */
export interface KillGrounds {
  readonly admin: Redis;
  readonly stack: GatewayStack;
  readonly reader: SessionReader;
  /** Opens sessions for tokens until the gateway has a route for it; it is not killed. */
  readonly exchanger: InProcessGateway;
  /** Of somebody who may revoke. */
  readonly token: string;
}

/** What people do at two gateways, one of which dies meanwhile, and what is expected of it. */
export class KillSchedule {
  readonly oracle = new SessionOracle();
  readonly #grounds: KillGrounds;
  readonly #victim: Victim;
  readonly #choices: Choices;
  readonly #begin = Date.now();
  readonly #browsers = [new BrowserJar(), new BrowserJar(), new BrowserJar()];
  readonly #bearers: Bearers;

  constructor(grounds: KillGrounds, victim: Victim, choices: Choices) {
    this.#grounds = grounds;
    this.#bearers = new Bearers(grounds.admin, grounds.exchanger, grounds.stack.idp.issuer);
    this.#victim = victim;
    this.#choices = choices;
  }

  /** One of the things that anybody may do; rejects where the dead one is asked. */
  act(): Promise<void> {
    if (this.#choices.rarely(12)) return this.revoke(this.#choices.one(people));
    const acts = [
      ...[1, 2, 3].flatMap(() => [() => this.login(), () => this.#beat()]),
      ...[() => this.#logout(), () => this.#backChannel(), () => this.check(), () => this.check()],
      ...[1, 2].flatMap(() => [() => this.#exchange(), () => this.#report()]),
    ];
    return this.#choices.one(acts)();
  }

  async login(): Promise<void> {
    const { stack } = this.#grounds;
    const jar = this.#choices.one(this.#browsers);
    const person = this.#choices.one(people);
    const [start, end] = [this.#origin(), this.#origin()];
    const answer = await jar.visit(`${start}/oauth2/authorization/idp`);
    const loginBegan = this.oracle.next();
    stack.idp.nextSubject = person;
    // A browser of its own at the provider: whoever comes next there is somebody else.
    const url = await new BrowserJar().redirectsUntil(
      String(answer.headers.location),
      `${stack.origin}/login/`,
    );
    const held = parseSessionId(jar.cookies.get('localhost', '__Host-session') ?? '');
    this.oracle.ending(held);
    const done = await jar.visit(url.replace(stack.origin, end), { site: 'cross-site' });
    const line = setCookies(done).find((one) => /^__Host-session=[^;]/.test(one)) ?? '';
    const id = parseSessionId(/^__Host-session=([^;]*)/.exec(line)?.[1] ?? '');
    if (id === undefined) return;
    // Two logins at once may have met the other's person there.
    const user = await exchange(`${stack.origin}/user`, cookie(id));
    const { sub: userId } = JSON.parse(user.text) as { sub?: string };
    // Ended already, or nobody can say whose it is: then nothing can be said of it later either.
    if (userId === undefined) return;
    this.oracle.born(id, userId, loginBegan, this.#now(), { presented: [held] });
    this.oracle.ending(id);
    this.oracle.over(held, 'a login replaced it');
  }

  async revoke(person: string): Promise<void> {
    const { stack, token } = this.#grounds;
    const revocation = this.oracle.revoking(person);
    const answer = await exchange(
      `${stack.managementOrigin}/internal/v1/sessions/users/${person}`,
      { method: 'DELETE', headers: [['Authorization', `Bearer ${token}`]] },
    );
    if (answer.status === 204) revocation.answered();
  }

  /** Some session, by its own lane and by the other, where it is nothing (I10). */
  async check(): Promise<void> {
    const id = this.#some();
    if (id !== undefined) await this.checkOne(id);
  }

  async checkOne(id: SessionId): Promise<void> {
    const { reader } = this.#grounds;
    const [began, at, lane] = [this.oracle.next(), this.#now(), this.oracle.laneOf(id)];
    this.oracle.judge(id, began, at, await reader(id, lane));
    const asOther = await reader(id, lane === 'cookie' ? 'bearer' : 'cookie');
    if (asOther.allowed) this.oracle.wrong.push(`I10 a session of ${lane} was let in as the other`);
  }

  /** What Redis keeps: pairs with ends, and no bearer session beyond the end of its token (I9). */
  async scan(): Promise<void> {
    const found = [await scanRecords(this.#grounds.admin), await this.#bearers.beyondTheirTokens()];
    this.oracle.wrong.push(...found.flat());
  }

  async #exchange(): Promise<void> {
    const [id, person] = [newSessionId(), this.#choices.one(people)];
    const seconds = 1 + this.#choices.below(20);
    const expires = this.#now() + seconds;
    let began = 0;
    const isOpen = await this.#bearers.open(id, person, seconds, () => {
      began = this.oracle.next();
    });
    if (isOpen) this.oracle.born(id, person, began, this.#now(), { lane: 'bearer', expires });
  }

  /** As extauthz does when it lets somebody in; a gateway slides the session then. */
  async #report(): Promise<void> {
    const { admin } = this.#grounds;
    const bearers = this.oracle.ids().filter((id) => this.#isBearer(id));
    // They are few, and nothing else moves their end.
    const id = bearers.length > 0 ? this.#choices.one(bearers) : this.#some();
    if (id === undefined) return;
    await admin.call('XADD', activityStreamKey, 'NOMKSTREAM', '*', 'h', handleOf(id));
    this.oracle.used(id, this.#now());
  }

  async #beat(): Promise<void> {
    const id = this.#some();
    if (id === undefined) return;
    if (this.#isBearer(id)) return this.#refusesAsCookie(id, 'GET', '/auth/v1/session');
    if (this.#choices.rarely(2)) await this.#expireTokens(id);
    const answer = await exchange(`${this.#origin()}/auth/v1/session`, cookie(id));
    if (answer.status === 401) this.oracle.over(id, `a heartbeat said so: ${answer.text}`);
    else this.oracle.used(id, this.#now());
  }

  async #logout(): Promise<void> {
    const id = this.#some();
    if (id === undefined) return;
    // A bearer's too: who has its id may end it, by whichever way. That lets nobody in.
    this.oracle.ending(id);
    const answer = await this.#withProof(id, 'POST', '/logout');
    if (answer.status === 200) this.oracle.over(id, 'its logout was answered');
  }

  async #backChannel(): Promise<void> {
    const { admin, stack } = this.#grounds;
    const id = this.#some();
    const sid = id === undefined ? null : await admin.hget(gatewayKeyOf(id), 'sid');
    if (sid === null) return;
    const answer = await exchange(`${this.#origin()}/auth/backchannel-logout`, {
      method: 'POST',
      headers: [['Content-Type', 'application/x-www-form-urlencoded']],
      body: new URLSearchParams({ logout_token: await logoutToken(stack, { sid }) }).toString(),
    });
    if (answer.status === 200) this.oracle.over(id, 'its back-channel logout was answered');
  }

  async #refusesAsCookie(id: SessionId, method: string, path: string): Promise<void> {
    const { status } = await this.#withProof(id, method, path);
    if (status < 400) this.oracle.wrong.push(`I10 ${path} took a bearer as a cookie`);
  }

  #withProof(id: SessionId, method: string, path: string): Promise<Answer> {
    const headers = [...cookie(id).headers, ['X-CSRF', '1']] as const;
    return exchange(this.#origin() + path, { method, headers });
  }

  /** Nothing that is gone may be revived by the test itself. */
  async #expireTokens(id: SessionId): Promise<void> {
    const script =
      "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'token_expires_at', '1') end";
    await this.#grounds.admin.eval(script, 1, gatewayKeyOf(id));
  }

  #isBearer(id: SessionId): boolean {
    return this.oracle.laneOf(id) === 'bearer';
  }

  #origin(): string {
    return this.#choices.one([this.#grounds.stack.origin, this.#victim.origin]);
  }

  #some(): SessionId | undefined {
    return this.oracle.ids().length === 0 ? undefined : this.#choices.one(this.oracle.ids());
  }

  /** Seconds of the schedule. */
  #now(): number {
    return (Date.now() - this.#begin) / 1000;
  }
}

const cookie = (id: SessionId) => ({ headers: [['Cookie', `__Host-session=${id}`]] as const });
