import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { newSessionId, sessionHandle, type SessionId } from '@sallyport/shared';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { describeOnRedis } from '../support/redis.js';
import { until } from '../support/until.js';

const host = 'localhost';

/** Past vulnerabilities and holes of the design that only the gateway can have; rows of docs/regressions.md. */
describeOnRedis(
  '6.2',
  'past vulnerabilities of session gateways',
  (redis) => {
    let stack: GatewayStack;
    const admin = () => redis().admins[0];
    beforeAll(async () => {
      // Or most strangers would meet the limit before anybody reads what they name.
      stack = await startGatewayStack(redis(), { GATEWAY_LOGIN_RATE_LIMIT: '0' });
    });
    afterAll(() => stack.close());
    const userWith = (value: string) =>
      exchange(`${stack.origin}/user`, { headers: [['Cookie', `__Host-session=${value}`]] });

    it('reg-9: a login begun is good for ten minutes, not for ever', async () => {
      const browser = new BrowserJar();
      const callback = await stack.beginLogin(browser);
      const [transaction = ''] = (await admin()?.keys('gateway:login:*')) ?? [];
      expect(await admin()?.pttl(transaction)).toBeGreaterThan(0);
      expect(await admin()?.pttl(transaction)).toBeLessThanOrEqual(600_000);
      await admin()?.pexpire(transaction, 1);
      await until(async () => (await admin()?.exists(transaction)) === 0);
      const late = await browser.visit(callback, { site: 'cross-site' });
      expect(setCookies(late)).toEqual([]);
    });

    it('reg-47: a login gives a new id also where somebody planted one that travels with it', async () => {
      const browser = new BrowserJar();
      const callback = await stack.beginLogin(browser);
      const planted = newSessionId();
      // Not of ours, which is Strict and stays at home on the way back from the provider.
      const attributes = 'Path=/; Secure; HttpOnly; SameSite=Lax';
      browser.cookies.store(new URL(stack.origin), `__Host-session=${planted}; ${attributes}`);
      await browser.visit(callback, { site: 'cross-site' });

      const given = browser.cookies.get(host, '__Host-session') ?? '';
      expect(given).not.toBe(planted);
      expect((await userWith(given)).status).toBe(200);
      expect((await userWith(planted)).status).toBe(401);
    });

    it('reg-24: after a logout the cookie that somebody kept is worth nothing', async () => {
      const browser = await stack.login();
      const kept = browser.cookies.get(host, '__Host-session') ?? '';
      expect((await userWith(kept)).status).toBe(200);
      await browser.visit(`${stack.origin}/logout`);
      expect((await userWith(kept)).status).toBe(401);
      const handle = sessionHandle(kept as SessionId, 'hashed');
      expect(await admin()?.keys(`*${handle}*`)).toEqual([]);
    });

    it.each(['post_logout_redirect_uri', 'returnTo', 'returnUrl', 'redirect_uri', 'state'])(
      'reg-40: %s of the query decides nothing about where a logout leads',
      async (name) => {
        const browser = await stack.login();
        const answer = await browser.visit(
          `${stack.origin}/logout?${name}=${encodeURIComponent('https://evil.example/')}`,
        );
        expect(answer.status).toBe(303);
        const url = new URL(String(answer.headers.location));
        expect(url.origin).toBe(stack.idp.issuer);
        expect(url.searchParams.get('post_logout_redirect_uri')).toBe(`${stack.origin}/`);
        expect(url.href).not.toContain('evil.example');
      },
    );

    it('reg-A33: keeps what a stranger writes into an address out of its metrics', async () => {
      const lines = async (): Promise<string[]> =>
        (await exchange(`${stack.managementOrigin}/metrics`)).text.split('\n');
      const paths = ['/oauth2/authorization/', '/login/oauth2/code/', '/auth/callback/'];
      const strangers = Array.from({ length: 10_000 }, (_, at) => `stranger-${String(at)}`);
      await Promise.all(
        paths.map((path) => exchange(`${stack.origin}${path}stranger`, { method: 'GET' })),
      );
      await exchange(`${stack.origin}/stranger`, { method: 'PROPFIND' });
      const before = (await lines()).length;
      for (let from = 0; from < strangers.length; from += 50) {
        await Promise.all(
          strangers.slice(from, from + 50).map((name, at) => {
            if (at === 0) return exchange(`${stack.origin}/${name}`, { method: 'PROPFIND' });
            return exchange(`${stack.origin}${paths[at % paths.length] ?? ''}${name}`);
          }),
        );
      }
      const after = await lines();
      expect(after.join('\n')).toContain('gateway_');
      expect(after.join('\n')).not.toMatch(/stranger|PROPFIND/);
      // 10,000 names are no more lines than one.
      expect(after.length).toBe(before);
    });
  },
  { appendOnly: true },
);
