import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BrowserJar, setCookies, type Visit } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { describeOnRedis } from '../support/redis.js';

const all = ['/login/oauth2/code/idp', '/auth/callback/idp', '/auth/callback'];

describe.each([
  ['/login/oauth2/code/{idp}', '/login/oauth2/code/idp'],
  ['/auth/callback/{idp}', '/auth/callback/idp'],
  ['/auth/callback', '/auth/callback'],
])('IDP_CALLBACK_PATH=%s', (setting, path) => {
  describeOnRedis(
    '6.2',
    'a gateway',
    (redis) => {
      let stack: GatewayStack;
      beforeAll(async () => {
        stack = await startGatewayStack(redis(), { IDP_CALLBACK_PATH: setting });
      });
      afterAll(() => stack.close());

      const begin = async (browser: BrowserJar): Promise<string> => {
        const start = await browser.visit(`${stack.origin}/auth/login`);
        const location = String(start.headers['location']);
        const sent = new URL(location).searchParams.get('redirect_uri');
        expect(sent).toBe(stack.origin + path);
        return browser.redirectsUntil(location, `${stack.origin}${path}?`);
      };

      it('sends that redirect URI and completes the login there', async () => {
        const browser = new BrowserJar();
        const callback = await browser.visit(await begin(browser), { site: 'cross-site' });
        expect(callback.status).toBe(200);
        expect(setCookies(callback)).toHaveLength(3);
        expect((await browser.visit(`${stack.origin}/user`)).status).toBe(200);
      });

      it.each(all.filter((other) => other !== path))(
        'reg-A37: refuses an answer that comes in by %s, before any token call',
        async (other) => {
          const browser = new BrowserJar();
          const url = new URL(await begin(browser));
          url.pathname = other;
          const calls = stack.idp.count('/token');
          const answer = await browser.visit(url.href, { site: 'cross-site' });
          expect(answer.headers['location']).toContain('/login?error=auth_failed');
          expect(stack.idp.count('/token')).toBe(calls);
          expect((await browser.visit(`${stack.origin}/user`)).status).toBe(401);
        },
      );

      it.each(all)('bounces a callback of nobody on %s to the front page', async (callback) => {
        const url = `${stack.origin}${callback}?state=${'x'.repeat(43)}&code=y`;
        const answer = await new BrowserJar().visit(url, { site: 'cross-site' });
        expect(answer.status).toBe(200);
        expect(answer.text).toContain(`content="0;url=${stack.origin}/"`);
        expect(setCookies(answer)).toEqual([]);
      });

      it('does not use a login up for HEAD, an image, a frame, a script or a prefetch', async () => {
        const browser = new BrowserJar();
        const url = await begin(browser);
        const others: Visit[] = [
          { method: 'HEAD' },
          { headers: [['Sec-Fetch-Dest', 'image']] },
          { headers: [['Sec-Fetch-Dest', 'iframe']] },
          { headers: [['Sec-Fetch-Mode', 'cors']] },
          { headers: [['Sec-Purpose', 'prefetch']] },
        ];
        for (const other of others) {
          const answer = await browser.visit(url, { site: 'cross-site', ...other });
          expect(answer.status).toBe(403);
          expect(setCookies(answer)).toEqual([]);
        }
        expect((await browser.visit(url, { site: 'cross-site' })).status).toBe(200);
      });

      it.each(['/logout', '/auth/logout', '/auth/signout'])(
        'logs out by GET and POST %s, and only asks a stranger',
        async (logout) => {
          const browser = await stack.login();
          const asked = await browser.visit(stack.origin + logout, { site: 'cross-site' });
          expect(asked.text).toContain('<form method="post" action="/logout">');
          expect(setCookies(asked)).toEqual([]);
          const refused = await browser.visit(stack.origin + logout, {
            method: 'POST',
            site: 'cross-site',
          });
          expect(refused.status).toBe(403);
          expect((await browser.visit(`${stack.origin}/user`)).status).toBe(200);

          const typed = await browser.visit(stack.origin + logout);
          expect(typed.status).toBe(303);
          expect(setCookies(typed)).toHaveLength(2);
          expect((await browser.visit(`${stack.origin}/user`)).status).toBe(401);

          await stack.login(browser);
          const json = await browser.visit(stack.origin + logout, {
            method: 'POST',
            site: 'same-origin',
            headers: [['Accept', 'application/json']],
          });
          expect(JSON.parse(json.text)).toEqual({
            logoutUrl: expect.stringContaining(`${stack.idp.issuer}/session/end?`),
          });
          expect((await browser.visit(`${stack.origin}/user`)).status).toBe(401);
        },
      );

      it.each(['/user', '/auth/v1/user'])('says on %s who is logged in', async (user) => {
        const browser = await stack.login();
        expect(JSON.parse((await browser.visit(stack.origin + user)).text)).toMatchObject({
          sub: 'auth0|ada',
        });
      });

      it('labels its metrics by the path of the route', async () => {
        await new BrowserJar().visit(`${stack.origin}/auth/logout`);
        const metrics = await new BrowserJar().visit(`${stack.managementOrigin}/metrics`);
        const routes = [...metrics.text.matchAll(/route="([^"]*)"/g)].map(([, route]) => route);
        expect(routes).toContain('/auth/logout');
        expect(routes.filter((route) => route?.includes(','))).toEqual([]);
      });
    },
    { appendOnly: true },
  );
});
