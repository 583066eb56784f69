import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { asMachine, BrowserJar, setCookies } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { answerJson, answerText, ordinaryGrants } from '../support/permission-service.js';
import { records } from '../support/redis-dump.js';
import { describeOnRedis } from '../support/redis.js';
import { until } from '../support/until.js';

const idValue = '[A-Za-z0-9_-]{43}';
const hostAttributes = 'Path=/; Secure; HttpOnly; SameSite=';
const deletedBinding = expect.stringMatching(
  new RegExp(`^__Host-login-[0-9a-f]{8}=; Max-Age=0; ${hostAttributes}Lax$`),
);

describeOnRedis(
  '6.2',
  'a login through the gateway',
  (redis) => {
    let stack: GatewayStack;
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), { PERMISSION_SERVICE_TIMEOUT_MS: '1500' });
    });
    afterAll(() => stack.close());
    beforeEach(async () => {
      for (const admin of redis().admins) await admin.flushall();
      stack.permissions.recover();
      stack.idp.nextError = undefined;
      stack.idp.nextSubject = 'auth0|ada';
      stack.idp.intercept = () => false;
    });
    const keys = async (): Promise<string[]> =>
      (await records(redis())).map(({ key }) => key).sort();
    const isLoggedIn = async (browser: BrowserJar): Promise<boolean> =>
      (await browser.visit(`${stack.origin}/user`)).status === 200;
    const bounceTo = (path: string): string =>
      `<meta http-equiv="refresh" content="0;url=${stack.origin}${path}">`;

    describe('GET /oauth2/authorization/idp', () => {
      it('sends the browser to the provider with PKCE, state and nonce, and a Lax binding cookie', async () => {
        const answer = await new BrowserJar().visit(stack.startUrl);
        const url = new URL(String(answer.headers.location));

        expect(answer.status).toBe(302);
        expect(url.origin + url.pathname).toBe(`${stack.idp.issuer}/auth`);
        expect(Object.fromEntries(url.searchParams)).toEqual({
          client_id: 'gateway-under-test',
          redirect_uri: `${stack.origin}/login/oauth2/code/idp`,
          scope: 'openid profile email offline_access',
          response_type: 'code',
          state: expect.stringMatching(new RegExp(`^${idValue}$`)),
          nonce: expect.stringMatching(new RegExp(`^${idValue}$`)),
          code_challenge: expect.stringMatching(new RegExp(`^${idValue}$`)),
          code_challenge_method: 'S256',
        });
        expect(answer.headers['cache-control']).toBe('no-store');
        expect(setCookies(answer)).toEqual([
          expect.stringMatching(
            new RegExp(
              `^__Host-login-[0-9a-f]{8}=[0-9a-z]+\\.${idValue}; Max-Age=600; ${hostAttributes}Lax$`,
            ),
          ),
        ]);
      });

      it('builds the redirect URI from its setting, whatever Host and X-Forwarded-* say', async () => {
        const answer = await new BrowserJar().visit(stack.startUrl, {
          headers: [
            ['X-Forwarded-Host', 'evil.example'],
            ['X-Forwarded-Proto', 'https'],
            ['Forwarded', 'host=evil.example'],
          ],
        });

        expect(new URL(String(answer.headers.location)).searchParams.get('redirect_uri')).toBe(
          `${stack.origin}/login/oauth2/code/idp`,
        );
      });

      it('answers 404 for a provider nobody registered', async () => {
        const answer = await new BrowserJar().visit(
          `${stack.origin}/oauth2/authorization/__proto__`,
        );

        expect(answer.status).toBe(404);
        expect(answer.headers['content-type']).toContain('text/html');
        expect(await keys()).toEqual([]);
      });

      it.each([
        ['an image', 'no-cors', 'image'],
        ['a frame', 'navigate', 'iframe'],
        ['a script', 'cors', 'empty'],
      ])('begins nothing for %s', async (_what, mode, destination) => {
        const answer = await new BrowserJar().visit(stack.startUrl, {
          site: 'cross-site',
          headers: [
            ['Sec-Fetch-Mode', mode],
            ['Sec-Fetch-Dest', destination],
          ],
        });

        expect(answer.status).toBe(403);
        expect(setCookies(answer)).toEqual([]);
        expect(await keys()).toEqual([]);
      });

      it('keeps five logins pending and drops the oldest for a sixth', async () => {
        const browser = new BrowserJar();
        const names: string[] = [];
        for (let start = 0; start < 5; start += 1) {
          const answer = await browser.visit(stack.startUrl);
          expect(setCookies(answer)).toHaveLength(1);
          names.push(setCookies(answer)[0]?.split('=')[0] ?? '');
        }
        const sixth = await browser.visit(stack.startUrl);

        expect(setCookies(sixth)).toEqual([
          `${names[0] ?? ''}=; Max-Age=0; ${hostAttributes}Lax`,
          expect.stringMatching(/^__Host-login-.*; Max-Age=600; /),
        ]);
      });

      it('takes the return URL that extauthz saved, once, unless one is given', async () => {
        const browser = new BrowserJar();
        browser.cookies.store(
          new URL(stack.origin),
          `__Host-return=${encodeURIComponent('/saved?x=1')}; ${hostAttributes}Lax`,
        );
        const start = await browser.visit(stack.startUrl);
        const callback = await browser.redirectsUntil(
          String(start.headers.location),
          `${stack.origin}/login/`,
        );
        const answer = await browser.visit(callback, { site: 'cross-site' });

        expect(setCookies(start)[0]).toBe(`__Host-return=; Max-Age=0; ${hostAttributes}Lax`);
        expect(answer.text).toContain(bounceTo('/saved?x=1'));
      });

      it.each(['https://evil.example/', '//evil.example', '/logout', '/%6cogout', '/.//evil'])(
        'leads to the front page instead of %s',
        async (returnUrl) => {
          const browser = new BrowserJar();
          const callback = await stack.beginLogin(browser, returnUrl);
          const answer = await browser.visit(callback, { site: 'cross-site' });

          expect(answer.text).toContain(bounceTo('/'));
        },
      );
    });

    describe('GET /login/oauth2/code/idp', () => {
      it('ends on a bounce page with a Strict session cookie and a Lax reference, and both records', async () => {
        const browser = new BrowserJar();
        const callback = await stack.beginLogin(browser, '/accounts?tab=2#top');
        const answer = await browser.visit(callback, { site: 'cross-site' });

        expect(answer.status).toBe(200);
        expect(answer.text).toContain(bounceTo('/accounts?tab=2#top'));
        expect(answer.headers).toMatchObject({
          'cache-control': 'no-store',
          'referrer-policy': 'no-referrer',
        });
        expect(setCookies(answer)).toEqual([
          deletedBinding,
          expect.stringMatching(new RegExp(`^__Host-session=${idValue}; ${hostAttributes}Strict$`)),
          expect.stringMatching(
            new RegExp(`^__Host-sref=k1\\.[A-Za-z0-9_-]{95}; ${hostAttributes}Lax$`),
          ),
        ]);
        expect((await keys()).map((key) => key.replace(new RegExp(idValue), '<h>'))).toEqual([
          'extauthz:session:<h>',
          'gateway:session:{extauthz:session:<h>}',
        ]);
        expect(stack.permissions.requests.at(-1)).toBe(
          '/permission-service/internal/v1/users/auth0%7Cada/permissions?email=ada%40example.org&displayName=Ada+%E2%80%9C%3CLovelace%3E%E2%80%9D',
        );
      });

      it('reg-A24: bounces a repeated callback to the front page and touches no cookie', async () => {
        const browser = new BrowserJar();
        const callback = await stack.beginLogin(browser);
        await browser.visit(callback, { site: 'cross-site' });
        const tokenRequests = stack.idp.count('/token');
        const again = await browser.visit(callback, { site: 'cross-site' });

        expect(again.status).toBe(200);
        expect(again.text).toContain(bounceTo('/'));
        expect(setCookies(again)).toEqual([]);
        expect(stack.idp.count('/token')).toBe(tokenRequests);
        expect(await isLoggedIn(browser)).toBe(true);
      });

      it('begins one session when the callback is visited many times at once', async () => {
        const browser = new BrowserJar();
        const callback = await stack.beginLogin(browser);
        const answers = await Promise.all(
          Array.from({ length: 10 }, () => browser.visit(callback, { site: 'cross-site' })),
        );

        expect(answers.map((answer) => setCookies(answer).length).sort()).toEqual([
          ...Array.from({ length: 9 }, () => 0),
          3,
        ]);
        expect(await keys()).toHaveLength(2);
      });

      it('gives nothing to another browser, asks the provider nothing, and spoils nothing', async () => {
        const [honest, stranger] = [new BrowserJar(), new BrowserJar()];
        const callback = await stack.beginLogin(honest);
        await stack.beginLogin(stranger);
        const tokenRequests = stack.idp.count('/token');
        const answer = await stranger.visit(callback, { site: 'cross-site' });

        expect(answer.text).toContain(bounceTo('/'));
        expect(setCookies(answer)).toEqual([]);
        expect(stack.idp.count('/token')).toBe(tokenRequests);
        expect(await isLoggedIn(stranger)).toBe(false);

        await honest.visit(callback, { site: 'cross-site' });
        expect(await isLoggedIn(honest)).toBe(true);
      });

      it.each([
        ['an unknown state', (url: URL) => url.searchParams.set('state', 'x'.repeat(43))],
        ['a second state', (url: URL) => url.searchParams.append('state', 'x'.repeat(43))],
        ['no state', (url: URL) => url.searchParams.delete('state')],
        ['nothing at all', (url: URL) => (url.search = '')],
      ])('reg-10: bounces with %s and begins no session', async (_what, change) => {
        const browser = new BrowserJar();
        const url = new URL(await stack.beginLogin(browser));
        change(url);
        const answer = await browser.visit(url.href, { site: 'cross-site' });

        expect(answer.status).toBe(200);
        expect(answer.text).toContain(bounceTo('/'));
        expect(setCookies(answer)).toEqual([]);
        // Nothing but the login that is still open, and the count of such attempts.
        expect((await keys()).every((key) => /^gateway:(?:login|rl):/.test(key))).toBe(true);
      });

      it.each([
        ['no code', (url: URL) => url.searchParams.delete('code')],
        ['a wrong code', (url: URL) => url.searchParams.set('code', 'x'.repeat(43))],
        ['two codes', (url: URL) => url.searchParams.append('code', 'x'.repeat(43))],
        ['no iss', (url: URL) => url.searchParams.delete('iss')],
        ['another iss', (url: URL) => url.searchParams.set('iss', 'https://evil.example')],
        ['the way of another provider', (url: URL) => (url.pathname = '/login/oauth2/code/other')],
      ])('reg-10: ends the login with %s and says so to the front end', async (_what, change) => {
        const browser = new BrowserJar();
        const url = new URL(await stack.beginLogin(browser, '/accounts?tab=2'));
        change(url);
        const answer = await browser.visit(url.href, { site: 'cross-site' });
        const back = encodeURIComponent(`${stack.origin}/accounts?tab=2`);

        expect(answer.status).toBe(303);
        expect(answer.headers.location).toBe(
          `${stack.origin}/login?error=auth_failed&returnUrl=${back}`,
        );
        expect(setCookies(answer)).toEqual([deletedBinding]);
        expect(await keys()).toEqual([]);
      });

      it('refuses the code of another login in the place of its own', async () => {
        const browser = new BrowserJar();
        const mine = new URL(await stack.beginLogin(browser));
        const stolen = new URL(await stack.beginLogin(new BrowserJar()));
        mine.searchParams.set('code', stolen.searchParams.get('code') ?? '');
        const answer = await browser.visit(mine.href, { site: 'cross-site' });

        expect(answer.headers.location).toContain('/login?error=auth_failed');
        expect(await isLoggedIn(browser)).toBe(false);
      });

      it('passes the provider’s refusal on to the front end, and a machine gets a problem', async () => {
        stack.idp.nextError = 'access_denied';
        const person = new BrowserJar();
        const page = await person.visit(await stack.beginLogin(person), { site: 'cross-site' });
        const machine = new BrowserJar();
        const json = await asMachine(await stack.beginLogin(machine), machine);

        expect(page.status).toBe(303);
        expect(page.headers.location).toContain('/login?error=auth_failed');
        expect(json.status).toBe(401);
        expect(JSON.parse(json.text)).toMatchObject({ status: 401, reason: 'login_denied' });
        await until(() => stack.log().includes('access_denied'));
      });

      it('lets two tabs finish in either order; the last one owns the session, the first ends', async () => {
        const browser = new BrowserJar();
        const first = await stack.beginLogin(browser, '/first');
        const second = await stack.beginLogin(browser, '/second');

        const late = await browser.visit(second, { site: 'cross-site' });
        const early = await browser.visit(first, { site: 'cross-site' });

        expect(late.text).toContain(bounceTo('/second'));
        expect(early.text).toContain(bounceTo('/first'));
        expect(await isLoggedIn(browser)).toBe(true);
        expect(await keys()).toHaveLength(2);
      });

      it('reg-47, reg-A21: gives a new id, never a planted one, and ends the session it replaces', async () => {
        const browser = await stack.login();
        const host = new URL(stack.origin).hostname;
        const before = browser.cookies.get(host, '__Host-session') ?? '';
        await stack.login(browser);
        const after = browser.cookies.get(host, '__Host-session');
        const old = await new BrowserJar().visit(`${stack.origin}/user`, {
          headers: [['Cookie', `__Host-session=${before}`]],
        });

        expect(after).not.toBe(before);
        expect(old.status).toBe(401);
        expect(await keys()).toHaveLength(2);
      });

      it('is not misled by a forged reference: the session it names lives on', async () => {
        const victim = await stack.login();
        const attacker = new BrowserJar();
        const handle = (await keys())[0]?.slice(-43) ?? '';
        attacker.cookies.store(
          new URL(stack.origin),
          `__Host-sref=k1.${handle}${'A'.repeat(52)}; ${hostAttributes}Lax`,
        );
        await stack.login(attacker);

        expect(await isLoggedIn(victim)).toBe(true);
        expect(await isLoggedIn(attacker)).toBe(true);
      });
    });

    describe('when the permission service', () => {
      it.each([
        ['is down', answerText(503, 'no')],
        ['does not answer', () => undefined],
        ['hangs up', (request) => request.socket.destroy()],
        ['answers text', answerText(200, 'hello')],
        ['answers null', answerJson(200, null)],
        ['redirects', answerText(302, '', { location: 'http://127.0.0.1:1/' })],
        ['does not know the user', answerJson(404, {})],
        ['answers without roles', answerJson(200, { userId: 'u', permissions: [] })],
        ['answers with a comma in a role', answerJson(200, { ...ordinaryGrants, roles: ['a,b'] })],
        [
          'answers with a line break in a permission',
          answerJson(200, { ...ordinaryGrants, permissions: ['a\r\nX-Roles: ADMIN'] }),
        ],
        [
          'answers with a user id to split headers',
          answerJson(200, { ...ordinaryGrants, userId: 'a\nb' }),
        ],
        ['answers an empty user id', answerJson(200, { ...ordinaryGrants, userId: '' })],
        [
          'answers ten thousand roles',
          answerJson(200, {
            ...ordinaryGrants,
            roles: Array.from({ length: 10_000 }, (_, i) => `R${i}`),
          }),
        ],
        ['answers a megabyte', answerText(200, ' '.repeat(1_000_000))],
      ])('%s: a page says so, no session begins, the old one is kept', async (_what, answer) => {
        const browser = await stack.login();
        const before = await keys();
        stack.permissions.answer = answer;
        const page = await browser.visit(await stack.beginLogin(browser), { site: 'cross-site' });

        expect(page.status).toBe(503);
        expect(page.headers).toMatchObject({ 'retry-after': '1', 'cache-control': 'no-store' });
        expect(page.text).toContain('Your permissions could not be looked up');
        expect(setCookies(page)).toEqual([deletedBinding]);
        expect(await keys()).toEqual(before);
        expect(await isLoggedIn(browser)).toBe(true);
      });
    });

    describe('when the provider', () => {
      it('answers UserInfo for somebody else, the login fails', async () => {
        stack.idp.intercept = (request, response) => {
          if (request.url !== '/me') return false;
          answerJson(200, { sub: 'auth0|eve', email: 'eve@example.org' })(request, response);
          return true;
        };
        const browser = new BrowserJar();
        const answer = await browser.visit(await stack.beginLogin(browser), { site: 'cross-site' });

        expect(answer.headers.location).toContain('/login?error=auth_failed');
        expect(await keys()).toEqual([]);
      });

      it('cannot answer the code, the browser is led to the page for faults', async () => {
        stack.idp.intercept = (request, response) => {
          if (request.url !== '/token') return false;
          answerText(500, 'oops')(request, response);
          return true;
        };
        const browser = new BrowserJar();
        const answer = await browser.visit(await stack.beginLogin(browser), { site: 'cross-site' });

        expect(answer.status).toBe(303);
        expect(answer.headers.location).toBe(`${stack.origin}/oops`);
        expect(await keys()).toEqual([]);
      });

      it('answers an endless document, it is not read to the end', async () => {
        stack.idp.intercept = (request, response) => {
          if (request.url !== '/token') return false;
          answerText(200, ' '.repeat(2_000_000), { 'content-type': 'application/json' })(
            request,
            response,
          );
          return true;
        };
        const browser = new BrowserJar();
        const answer = await browser.visit(await stack.beginLogin(browser), { site: 'cross-site' });

        expect(answer.headers.location).toContain('/login?error=auth_failed');
        await until(() => stack.log().includes('too_large'));
      });
    });
  },
  { appendOnly: true },
);
