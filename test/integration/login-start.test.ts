import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { asMachine, BrowserJar, setCookies, type Visit } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { dump } from '../support/redis-dump.js';
import { describeOnRedis } from '../support/redis.js';

const starts = ['/oauth2/authorization/idp', '/auth/login', '/auth/login?idp=idp'];
const formPost = (origin: string, body: string): Visit => ({
  method: 'POST',
  site: 'same-origin',
  headers: [
    ['Origin', origin],
    ['Content-Type', 'application/x-www-form-urlencoded'],
  ],
  body,
});

describeOnRedis(
  '6.2',
  'the start of a login',
  (redis) => {
    let stack: GatewayStack;
    beforeAll(async () => {
      stack = await startGatewayStack(redis());
    });
    afterAll(() => stack.close());
    beforeEach(async () => {
      stack.idp.intercept = () => false;
      for (const admin of redis().admins) await admin.flushall();
    });
    const pending = async (): Promise<number> =>
      (await dump(redis())).filter(({ key }) => key.startsWith('gateway:login:')).length;
    const wishesOf = (answer: { headers: NodeJS.Dict<string | string[]> }) => {
      const url = new URL(String(answer.headers['location']));
      const ours = ['client_id', 'redirect_uri', 'scope', 'response_type', 'state', 'nonce'];
      const pkce = ['code_challenge', 'code_challenge_method'];
      for (const name of [...ours, ...pkce]) {
        expect([name, url.searchParams.getAll(name).length]).toEqual([name, 1]);
        url.searchParams.delete(name);
      }
      return Object.fromEntries(url.searchParams);
    };

    describe.each(starts)('GET %s', (path) => {
      it('sends the browser to the provider, and its callback ends in a session', async () => {
        const browser = new BrowserJar();
        const start = await browser.visit(stack.origin + path);
        const location = String(start.headers['location']);
        expect(start.status).toBe(302);
        expect(location).toContain(`${stack.idp.issuer}/auth?`);
        expect(setCookies(start)).toHaveLength(1);
        const callback = await browser.redirectsUntil(location, `${stack.origin}/login/`);
        await browser.visit(callback, { site: 'cross-site' });
        expect((await browser.visit(`${stack.origin}/user`)).status).toBe(200);
      });

      it.each([
        ['an image', [['Sec-Fetch-Mode', 'no-cors']], 'image'],
        ['a frame', [['Sec-Fetch-Mode', 'navigate']], 'iframe'],
        ['a script', [['Sec-Fetch-Mode', 'cors']], 'empty'],
        ['an object', [['Sec-Fetch-Mode', 'navigate']], 'object'],
        ['a prefetch', [['Sec-Purpose', 'prefetch']], 'document'],
      ] as const)('reg-A25: begins nothing for %s', async (_what, headers, destination) => {
        for (const site of ['same-origin', 'cross-site'] as const) {
          const answer = await new BrowserJar().visit(stack.origin + path, {
            site,
            headers: [...headers, ['Sec-Fetch-Dest', destination]],
          });
          expect(answer.status).toBe(403);
          expect(setCookies(answer)).toEqual([]);
        }
        expect(await pending()).toBe(0);
      });

      it('begins nothing for HEAD', async () => {
        const answer = await new BrowserJar().visit(stack.origin + path, { method: 'HEAD' });
        expect(answer.status).toBe(403);
        expect(setCookies(answer)).toEqual([]);
        expect(await pending()).toBe(0);
      });

      it('asks a person whom another site sent first, and begins nothing', async () => {
        const browser = new BrowserJar();
        const separator = path.includes('?') ? '&' : '?';
        const query = `${separator}returnUrl=%2Faccounts%3Fa%3Db&prompt=login&evil=1&login_hint=ada`;
        const page = await browser.visit(stack.origin + path + query, { site: 'cross-site' });
        expect(page.status).toBe(200);
        expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
        expect(page.headers['cache-control']).toBe('no-store');
        expect(setCookies(page)).toEqual([]);
        expect(await pending()).toBe(0);

        const [, href = ''] = /<a class="action" href="([^"]+)"/.exec(page.text) ?? [];
        const back = encodeURIComponent(`${stack.origin}/accounts?a=b`);
        expect(href.replaceAll('&amp;', '&')).toBe(
          `/oauth2/authorization/idp?prompt=login&login_hint=ada&returnUrl=${back}`,
        );
        const start = await browser.visit(stack.origin + href.replaceAll('&amp;', '&'), {
          site: 'same-origin',
        });
        expect(start.status).toBe(302);
        expect(wishesOf(start)).toEqual({ prompt: 'login', login_hint: 'ada' });
      });
    });

    describe('the page before a login that another site asked for', () => {
      it.each(['https://evil.example/', '//evil.example', '/logout', '/.//evil'])(
        'never holds %s',
        async (returnUrl) => {
          const url = `${stack.startUrl}?returnUrl=${encodeURIComponent(returnUrl)}`;
          const page = await new BrowserJar().visit(url, { site: 'cross-site' });
          expect(page.text).toContain('href="/oauth2/authorization/idp"');
          expect(page.text).not.toContain('evil');
        },
      );

      it('leaves the saved return URL for the login itself', async () => {
        const browser = new BrowserJar();
        browser.cookies.store(
          new URL(stack.origin),
          '__Host-return=%2Fsaved; Path=/; Secure; HttpOnly; SameSite=Lax',
        );
        await browser.visit(stack.startUrl, { site: 'cross-site' });
        expect(browser.cookies.get('localhost', '__Host-return')).toBe('%2Fsaved');
      });
    });

    describe('POST /auth/signin', () => {
      const signinUrl = () => `${stack.origin}/auth/signin`;

      it('begins a login for a form of ours, with its fields', async () => {
        const body = 'returnUrl=%2Faccounts&login_hint=ada&redirect_uri=https%3A%2F%2Fevil.example';
        const browser = new BrowserJar();
        const start = await browser.visit(signinUrl(), formPost(stack.origin, body));
        expect(start.status).toBe(303);
        expect(wishesOf(start)).toEqual({ login_hint: 'ada' });
        const location = String(start.headers['location']);
        const callback = await browser.redirectsUntil(location, `${stack.origin}/login/`);
        const landing = await browser.visit(callback, { site: 'cross-site' });
        expect(landing.text).toContain(`content="0;url=${stack.origin}/accounts"`);
      });

      it('takes an empty form, and the query where there is no form', async () => {
        const empty = await new BrowserJar().visit(signinUrl(), formPost(stack.origin, ''));
        expect(empty.status).toBe(303);
        const query = await new BrowserJar().visit(`${signinUrl()}?prompt=login`, {
          method: 'POST',
          site: 'same-origin',
        });
        expect(wishesOf(query)).toEqual({ prompt: 'login' });
      });

      it.each([
        ['another site', 'cross-site', 'https://evil.example'],
        ['a sibling site', 'same-site', 'https://other.localhost'],
      ])('asks a person whom a form of %s sent', async (_what, site, origin) => {
        const answer = await new BrowserJar().visit(signinUrl(), {
          ...formPost(stack.origin, 'returnUrl=%2Fa'),
          headers: [
            ['Sec-Fetch-Site', site],
            ['Origin', origin],
            ['Content-Type', 'application/x-www-form-urlencoded'],
          ],
        });
        expect(answer.status).toBe(200);
        expect(answer.text).toContain('Log in?');
        expect(setCookies(answer)).toEqual([]);
        expect(await pending()).toBe(0);
      });

      it.each([
        [
          'a script of ours',
          403,
          [
            ['Sec-Fetch-Mode', 'cors'],
            ['Sec-Fetch-Dest', 'empty'],
          ],
        ],
        ['a frame of ours', 403, [['Sec-Fetch-Dest', 'iframe']]],
        ['JSON', 400, [['Content-Type', 'application/json']]],
      ] as [string, number, [string, string][]][])(
        'begins nothing for %s',
        async (_what, status, headers) => {
          const visit = { method: 'POST', site: 'same-origin', headers, body: '{}' } as const;
          const answer = await new BrowserJar().visit(signinUrl(), visit);
          expect(answer.status).toBe(status);
          expect(setCookies(answer)).toEqual([]);
          expect(await pending()).toBe(0);
        },
      );

      it('reads 16 KiB of a form and no more', async () => {
        const form = (bytes: number) => formPost(stack.origin, `x=${'y'.repeat(bytes - 2)}`);
        const browser = new BrowserJar();
        expect((await browser.visit(signinUrl(), form(16 * 1024))).status).toBe(303);
        const before = await pending();
        const refused = await new BrowserJar().visit(signinUrl(), form(16 * 1024 + 1));
        expect([refused.status, refused.headers['connection']]).toEqual([413, 'close']);
        expect(setCookies(refused)).toEqual([]);
        expect(await pending()).toBe(before);
      });

      it('begins nothing for a machine that does not prove where it comes from', async () => {
        const answer = await exchange(signinUrl(), { method: 'POST' });
        expect(answer.status).toBe(403);
        expect(JSON.parse(answer.text)).toMatchObject({ reason: 'no_csrf_proof' });
        expect(await pending()).toBe(0);
      });
    });

    it('answers 404 for a provider nobody registered, by either way', async () => {
      for (const path of ['/oauth2/authorization/other', '/auth/login?idp=other']) {
        expect((await new BrowserJar().visit(stack.origin + path)).status).toBe(404);
      }
    });

    it('answers 400 where the path cannot be decoded: it is no fault of ours', async () => {
      const path = '/oauth2/authorization/%E0%A4%A';
      expect((await new BrowserJar().visit(stack.origin + path)).status).toBe(400);
    });

    it('passes five parameters on, and nothing else', async () => {
      const good = {
        prompt: 'login consent',
        login_hint: 'ada@example.org',
        acr_values: 'urn:mace:incommon:iap:silver phr',
        max_age: '3600',
        ui_locales: 'de-CH en',
      };
      const evil = {
        redirect_uri: 'https://evil.example/',
        scope: 'openid admin',
        state: 'x'.repeat(43),
        nonce: 'x',
        client_id: 'other',
        response_type: 'token',
        response_mode: 'form_post',
        request: 'ey',
        request_uri: 'https://evil.example/',
        claims: '{}',
        resource: 'https://evil.example/',
        code_challenge: 'x',
        code_challenge_method: 'plain',
        id_token_hint: 'ey',
        display: 'popup',
        registration: '{}',
      };
      const query = new URLSearchParams({ ...good, ...evil });
      const answer = await new BrowserJar().visit(`${stack.startUrl}?${query.toString()}`);
      expect(wishesOf(answer)).toEqual(good);
      const url = new URL(String(answer.headers['location']));
      expect(url.searchParams.get('redirect_uri')).toBe(`${stack.origin}/login/oauth2/code/idp`);
      expect(url.searchParams.get('client_id')).toBe('gateway-under-test');
      expect(url.searchParams.get('response_type')).toBe('code');
      expect(url.searchParams.get('code_challenge_method')).toBe('S256');
    });

    it('prompt=none comes back as a plain answer: no loop, no cookie, no session', async () => {
      const browser = new BrowserJar();
      const start = await browser.visit(`${stack.startUrl}?prompt=none&returnUrl=%2Faccounts`);
      const location = String(start.headers['location']);
      const callback = await browser.redirectsUntil(location, `${stack.origin}/login/`);
      const answer = await browser.visit(callback, { site: 'cross-site' });
      const back = encodeURIComponent(`${stack.origin}/accounts`);
      expect(answer.status).toBe(303);
      expect(answer.headers['location']).toBe(
        `${stack.origin}/login?error=login_required&returnUrl=${back}`,
      );
      expect(setCookies(answer)).toEqual([expect.stringMatching(/^__Host-login-.*; Max-Age=0;/)]);
    });

    it('prompt=none tells a machine so, and keeps the session that was there', async () => {
      const browser = new BrowserJar();
      await stack.login(browser);
      const other = new BrowserJar();
      const start = await other.visit(`${stack.startUrl}?prompt=none`);
      const location = String(start.headers['location']);
      const callback = await other.redirectsUntil(location, `${stack.origin}/login/`);
      const answer = await asMachine(callback, other);
      expect(answer.status).toBe(401);
      expect(JSON.parse(answer.text)).toMatchObject({ status: 401, reason: 'login_required' });
      expect((await browser.visit(`${stack.origin}/user`)).status).toBe(200);
    });

    it('prompt=none logs a person in who is logged in at the provider', async () => {
      const browser = await stack.login();
      const start = await browser.visit(`${stack.startUrl}?prompt=none`);
      const location = String(start.headers['location']);
      const callback = await browser.redirectsUntil(location, `${stack.origin}/login/`);
      const answer = await browser.visit(callback, { site: 'cross-site' });
      expect(answer.status).toBe(200);
      expect(setCookies(answer)).toHaveLength(3);
    });

    it('max_age is checked against the ID token, not only asked for', async () => {
      const browser = new BrowserJar();
      const start = await browser.visit(`${stack.startUrl}?max_age=3600`);
      const url = new URL(String(start.headers['location']));
      // A provider that does not know max_age: its ID token does not say when the person logged in.
      url.searchParams.delete('max_age');
      const callback = await browser.redirectsUntil(url.href, `${stack.origin}/login/`);
      const answer = await browser.visit(callback, { site: 'cross-site' });
      expect(answer.headers['location']).toContain('/login?error=auth_failed');

      const honest = new BrowserJar();
      const again = await honest.visit(`${stack.startUrl}?max_age=3600`);
      const way = String(again.headers['location']);
      const good = await honest.redirectsUntil(way, `${stack.origin}/login/`);
      expect((await honest.visit(good, { site: 'cross-site' })).status).toBe(200);
    });
  },
  { appendOnly: true },
);

describeOnRedis(
  '6.2',
  'GATEWAY_CONFIRM_CROSS_SITE_LOGIN=false',
  (redis) => {
    it('begins a login at once, also for a link of another site, but not for its images or forms', async () => {
      const stack = await startGatewayStack(redis(), { GATEWAY_CONFIRM_CROSS_SITE_LOGIN: 'false' });
      try {
        const link = await new BrowserJar().visit(stack.startUrl, { site: 'cross-site' });
        expect(link.status).toBe(302);
        const image = await new BrowserJar().visit(stack.startUrl, {
          site: 'cross-site',
          headers: [['Sec-Fetch-Dest', 'image']],
        });
        expect(image.status).toBe(403);
        const visit = { site: 'cross-site', method: 'POST' } as const;
        const form = await new BrowserJar().visit(`${stack.origin}/auth/signin`, visit);
        expect(form.text).toContain('Log in?');
      } finally {
        await stack.close();
      }
    });
  },
  { appendOnly: true },
);
