import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { Answer } from '@sallyport/demo/web-client/exchange';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { answerJson, ordinaryGrants } from '../support/permission-service.js';
import { records } from '../support/redis-dump.js';
import { describeOnRedis } from '../support/redis.js';
import { sessionOf } from '../support/replicas.js';

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
const chrome =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';

interface DeviceLine {
  readonly ref: string;
  readonly current: boolean;
  readonly createdAt: number;
}

describeOnRedis(
  '6.2',
  'the devices of a user',
  (redis) => {
    let stack: GatewayStack;
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), { SESSION_LIMIT_PER_USER: '3' });
    });
    afterAll(() => stack.close());
    beforeEach(async () => {
      for (const admin of redis().admins) await admin.flushall();
      stack.permissions.recover();
    });
    const login = async (userAgent: string, forwardedFor: string): Promise<BrowserJar> => {
      const browser = new BrowserJar();
      await browser.visit(await stack.beginLogin(browser), {
        site: 'cross-site',
        headers: [
          ['User-Agent', userAgent],
          ['X-Forwarded-For', forwardedFor],
        ],
      });
      return browser;
    };
    const list = (browser: BrowserJar) => browser.visit(`${stack.origin}/auth/sessions`);
    const devicesOf = async (browser: BrowserJar): Promise<DeviceLine[]> =>
      (JSON.parse((await list(browser)).text) as { sessions: DeviceLine[] }).sessions;
    const end = (browser: BrowserJar, ref: string, csrf = '1'): Promise<Answer> =>
      browser.visit(`${stack.origin}/auth/sessions/${ref}`, {
        method: 'DELETE',
        headers: [
          ['X-CSRF', csrf],
          ['Sec-Fetch-Mode', 'cors'],
        ],
      });
    const isLoggedIn = async (browser: BrowserJar): Promise<boolean> =>
      (await browser.visit(`${stack.origin}/user`)).status === 200;

    it('are listed with what their owner may know them by, never with an id or a handle', async () => {
      await login(firefox, '203.0.113.77');
      const here = await login(chrome, 'unknown, 198.51.100.3, 2001:db8:1:2::9');
      const answer = await list(here);
      const { sessions } = JSON.parse(answer.text) as { sessions: DeviceLine[] };

      expect(answer.headers['cache-control']).toBe('no-store');
      expect(sessions).toHaveLength(2);
      const line = {
        ref: expect.stringMatching(/^[A-Za-z0-9_-]{22}$/),
        kind: 'browser',
        createdAt: expect.any(Number),
        lastAccessedAt: expect.any(Number),
      };
      expect(sessions).toEqual(
        expect.arrayContaining([
          { ...line, device: 'Firefox on Linux', ipPrefix: '203.0.113.0/24', current: false },
          { ...line, device: 'Chrome on Windows', ipPrefix: '2001:db8:1::/48', current: true },
        ]),
      );
      const host = new URL(stack.origin).hostname;
      for (const { key } of await records(redis())) {
        expect(answer.text).not.toContain(/[A-Za-z0-9_-]{43}/.exec(key)?.[0]);
      }
      expect(answer.text).not.toContain(here.cookies.get(host, '__Host-session'));
    });

    it('are nobody’s business without a session', async () => {
      expect((await list(new BrowserJar())).status).toBe(401);
      expect((await end(new BrowserJar(), 'x'.repeat(22))).status).toBe(401);
    });

    it('can be ended one by one, by one’s own page', async () => {
      const [there, here] = [await login(firefox, '203.0.113.7'), await login(chrome, '::1')];
      const other = (await devicesOf(here)).find(({ current }) => !current)?.ref ?? '';
      expect((await end(here, other, '0')).status).toBe(403);
      expect(await isLoggedIn(there)).toBe(true);
      const answer = await end(here, other);

      expect([answer.status, answer.text, setCookies(answer)]).toEqual([204, '', []]);
      expect(await isLoggedIn(there)).toBe(false);
      expect(await isLoggedIn(here)).toBe(true);
      expect((await end(here, other)).status).toBe(404);
    });

    it('include this one, which is then logged out', async () => {
      const here = await login(chrome, '::1');
      const [device] = await devicesOf(here);
      const answer = await end(here, device?.ref ?? '');

      expect(answer.status).toBe(204);
      expect(setCookies(answer)).toHaveLength(2);
      expect(await isLoggedIn(here)).toBe(false);
    });

    it('reg-A34: are not there for anybody else', async () => {
      const ada = await login(firefox, '203.0.113.7');
      stack.permissions.answer = answerJson(200, { ...ordinaryGrants, userId: 'user-8' });
      const eve = await login(chrome, '203.0.113.8');
      const [device] = await devicesOf(ada);

      expect(await devicesOf(eve)).toHaveLength(1);
      expect((await end(eve, device?.ref ?? '')).status).toBe(404);
      expect(await isLoggedIn(ada)).toBe(true);
    });

    it('are as many as the limit allows: the oldest makes room, ghosts take none', async () => {
      const browsers: BrowserJar[] = [];
      for (let count = 0; count < 3; count += 1) browsers.push(await stack.login());
      await browsers[2]?.visit(`${stack.origin}/logout`);
      browsers[2] = await stack.login();
      expect(await Promise.all(browsers.map(isLoggedIn))).toEqual([true, true, true]);

      // Seconds decide which is the oldest: the second of them, not the first in any list.
      const oldest = browsers[1] ?? new BrowserJar();
      const { handle } = sessionOf(oldest, stack.origin);
      const [admin] = redis().admins;
      const key = `gateway:session:{extauthz:session:${handle}}`;
      expect(await admin?.hincrby(key, 'created_at', -60)).toBeLessThan(Date.now() / 1000 - 30);
      browsers.push(await stack.login());
      expect(await Promise.all(browsers.map(isLoggedIn))).toEqual([true, false, true, true]);
    });
  },
  { appendOnly: true },
);
