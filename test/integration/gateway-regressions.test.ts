import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { newSessionId, sessionHandle, type SessionId } from '@sallyport/shared';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { describeOnRedis } from '../support/redis.js';

const host = 'localhost';

/** Past vulnerabilities and holes of the design that only the gateway can have; rows of docs/regressions.md. */
describeOnRedis(
  '6.2',
  'past vulnerabilities of session gateways',
  (redis) => {
    let stack: GatewayStack;
    const admin = () => redis().admins[0];
    beforeAll(async () => {
      stack = await startGatewayStack(redis());
    });
    afterAll(() => stack.close());
    const userWith = (value: string) =>
      exchange(`${stack.origin}/user`, { headers: [['Cookie', `__Host-session=${value}`]] });

    it('reg-9: a login begun is good for ten minutes, and what is sealed for one use is none for another', async () => {
      const browser = new BrowserJar();
      const callback = await stack.beginLogin(browser);
      const [transaction = ''] = (await admin()?.keys('gateway:login:*')) ?? [];
      expect(await admin()?.pttl(transaction)).toBeGreaterThan(0);
      expect(await admin()?.pttl(transaction)).toBeLessThanOrEqual(600_000);
      await admin()?.pexpire(transaction, 1);
      await new Promise((resolve) => setTimeout(resolve, 20));
      const late = await browser.visit(callback, { site: 'cross-site' });
      expect(setCookies(late)).toEqual([]);

      await stack.login(browser);
      const reference = browser.cookies.get(host, '__Host-sref') ?? '';
      expect(reference).not.toBe('');
      expect((await userWith(reference)).status).toBeGreaterThanOrEqual(400);
      const bearer = await exchange(`${stack.origin}/user`, {
        headers: [['Cookie', `__Host-sref=${reference}`]],
      });
      expect(bearer.status).toBe(401);
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
      for (let at = 0; at < 50; at += 1) {
        await exchange(`${stack.origin}/oauth2/authorization/stranger-${String(at)}`);
        await exchange(`${stack.origin}/login/oauth2/code/stranger-${String(at)}?state=x`);
        await exchange(`${stack.origin}/stranger-${String(at)}`, { method: 'PROPFIND' });
      }
      const { text } = await exchange(`${stack.managementOrigin}/metrics`);
      expect(text).toContain('gateway_');
      expect(text).not.toMatch(/stranger|PROPFIND/);
    });
  },
  { appendOnly: true },
);
