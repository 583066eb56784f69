import { exchange } from '@sallyport/demo/web-client/exchange';
import { leftTokensPlan } from '@sallyport/shared';
import type { Answer } from '@sallyport/demo/web-client/exchange';
import { BrowserJar } from './browser-jar.js';
import type { GatewayStack } from './gateway.js';
import { dump, type Entry } from './redis-dump.js';
import type { TestRedis } from './redis.js';
import { sessionOf, type LiveSession } from './replicas.js';
import { until } from './until.js';

/** What must hold once a gateway was killed, asked of the one that is left and of Redis. */
export class Aftermath {
  readonly #redis: Pick<TestRedis, 'admins'>;
  readonly #stack: GatewayStack;
  readonly #token: string;

  /** @param token of somebody who may revoke */
  constructor(redis: Pick<TestRedis, 'admins'>, stack: GatewayStack, token: string) {
    this.#redis = redis;
    this.#stack = stack;
    this.#token = token;
  }

  logout(browser: BrowserJar, origin = this.#stack.origin): Promise<Answer> {
    return browser.visit(`${origin}/logout`, {
      method: 'POST',
      site: 'same-origin',
      headers: [['Origin', this.#stack.origin]],
    });
  }

  async isAlive({ cookie }: LiveSession): Promise<boolean> {
    const headers = [['Cookie', cookie]] as const;
    return (await exchange(`${this.#stack.origin}/user`, { headers })).status === 200;
  }

  async canLogIn(browser = new BrowserJar()): Promise<string[]> {
    await this.#stack.login(browser);
    const session = sessionOf(browser, this.#stack.origin);
    if (!(await this.isAlive(session))) return ['the new session is not alive'];
    await this.logout(browser);
    return (await this.isAlive(session)) ? ['the new session outlived its logout'] : [];
  }

  /** One record without the other, without an end, or with another end than the other's. */
  async unequal(): Promise<string[]> {
    const found = await this.#sessionRecords();
    const end = (key: string): unknown => {
      const entry = found.find((one) => one.key === key);
      return entry === undefined || entry.ttl <= 0
        ? undefined
        : (entry.value as Record<string, string>)['expires_at'];
    };
    return found
      .map(({ key }) => /extauthz:session:[A-Za-z0-9_-]{43}/.exec(key)?.[0] ?? key)
      .filter((key) => {
        const ends = [end(key), end(`gateway:session:{${key}}`)];
        return ends[0] === undefined || ends[0] !== ends[1];
      })
      .map(() => 'one record without the other');
  }

  /** What a revocation of the user does not find. */
  async outliveRevocation(): Promise<string[]> {
    const { managementOrigin } = this.#stack;
    const answer = await exchange(`${managementOrigin}/internal/v1/sessions/users/user-7`, {
      method: 'DELETE',
      headers: [['Authorization', `Bearer ${this.#token}`]],
    });
    const left = await this.#sessionRecords();
    // What it leaves for logins under way would be looked through by the next scene.
    const indexes = (await dump(this.#redis)).filter(({ type }) => type === 'zset');
    await this.#redis.admins[0]?.del('none', ...indexes.map(({ key }) => key));
    return answer.status === 204 && left.length === 0 ? [] : ['a session outlived a revocation'];
  }

  /** By the gateway that is left; whoever was killed over them has no lease any more. */
  everyLeftTokenRevoked(): Promise<void> {
    const [admin] = this.#redis.admins;
    return until(async () => {
      const left = (await admin?.zrange(leftTokensPlan.due, 0, -1)) ?? [];
      for (const handle of left) await admin?.zadd(leftTokensPlan.due, 'XX', 0, handle);
      return left.length === 0;
    });
  }

  async #sessionRecords(): Promise<Entry[]> {
    const all = await dump(this.#redis);
    return all.filter(({ key }) => /^(?:extauthz|gateway):session:/.test(key));
  }
}
