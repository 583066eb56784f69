import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { contractKey, refreshDueKey, revokeSeqKey } from '@sallyport/shared';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { dump } from '../support/redis-dump.js';
import { describeOnRedis } from '../support/redis.js';
import { until } from '../support/until.js';

const deletions = [
  '__Host-session=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict',
  '__Host-sref=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax',
];

describeOnRedis(
  '6.2',
  'a session of the gateway',
  (redis) => {
    let stack: GatewayStack;
    beforeAll(async () => {
      stack = await startGatewayStack(redis());
    });
    afterAll(() => stack.close());
    beforeEach(async () => {
      for (const admin of redis().admins) await admin.flushall();
    });
    // There with or without a session. Of a session nothing may be left, index entries included.
    const standing = new Set([revokeSeqKey, refreshDueKey, contractKey, 'extauthz:activity']);
    // But its sealed tokens, until the provider has revoked them.
    const live = async () =>
      (await dump(redis())).filter(({ key }) => !standing.has(key) && !/^gateway:left\b/.test(key));
    const records = async (): Promise<number> => (await live()).length;

    describe('GET /user', () => {
      it('reg-38: answers who is logged in, without a token, and does not slide the session', async () => {
        const browser = await stack.login();
        const before = await live();
        const answer = await browser.visit(`${stack.origin}/user`);

        expect(answer.status).toBe(200);
        expect(JSON.parse(answer.text)).toEqual({
          sub: 'auth0|ada',
          name: 'Ada “<Lovelace>”',
          email: 'ada@example.org',
          picture: 'https://example.org/ada.png',
          emailVerified: true,
          authenticated: true,
          registrationId: 'idp',
          roles: ['ADMIN', 'USER'],
          permissions: ['transactions:read', 'transactions:read:any'],
        });
        const after = await live();
        expect(after.map(({ value }) => value)).toEqual(before.map(({ value }) => value));
      });

      it.each([
        ['no cookie', ''],
        ['an unknown session', `__Host-session=${'x'.repeat(43)}`],
        ['a value that cannot be one', '__Host-session=*'],
      ])('answers a problem with %s', async (_what, cookie) => {
        const answer = await new BrowserJar().visit(`${stack.origin}/user`, {
          headers: cookie === '' ? [] : [['Cookie', cookie]],
        });

        expect(answer.status).toBe(401);
        expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
        expect(answer.headers['cache-control']).toBe('no-store');
        expect(JSON.parse(answer.text)).toMatchObject({ status: 401, reason: 'no_session' });
        expect(setCookies(answer)).toEqual([]);
      });

      it.each([
        ['two session cookies', (id: string) => `__Host-session=${id}; __Host-session=${id}`],
        [
          'one hidden behind a comma',
          (id: string) => `a=1,__Host-session=${id}; __Host-session=${id}`,
        ],
      ])('answers 400 with %s', async (_what, cookie) => {
        const answer = await new BrowserJar().visit(`${stack.origin}/user`, {
          headers: [
            ['Cookie', cookie('x'.repeat(43))],
            ['Sec-Fetch-Mode', 'cors'],
          ],
        });

        expect(answer.status).toBe(400);
        expect(JSON.parse(answer.text)).toMatchObject({ reason: 'ambiguous_cookie' });
      });
    });

    describe('GET /auth/session', () => {
      it('answers {} when nobody is logged in', async () => {
        const answer = await new BrowserJar().visit(`${stack.origin}/auth/session`);

        expect(answer.status).toBe(200);
        expect(JSON.parse(answer.text)).toEqual({});
      });

      it('answers the person, the grants and both deadlines', async () => {
        const browser = await stack.login();
        const answer = await browser.visit(`${stack.origin}/auth/session`);
        const body = JSON.parse(answer.text) as { expiresAt: number; absoluteExpiresAt: number };

        expect(body).toEqual({
          user: {
            id: 'user-7',
            name: 'Ada “<Lovelace>”',
            email: 'ada@example.org',
            picture: 'https://example.org/ada.png',
          },
          userId: 'user-7',
          roles: ['ADMIN', 'USER'],
          permissions: ['transactions:read', 'transactions:read:any'],
          expiresAt: expect.any(Number),
          absoluteExpiresAt: expect.any(Number),
        });
        expect(body.absoluteExpiresAt - body.expiresAt).toBe(43_200 - 1800);
      });
    });

    describe('GET /logout', () => {
      it('ends the session at once for a person who typed it, then goes to the provider', async () => {
        const browser = await stack.login();
        const answer = await browser.visit(`${stack.origin}/logout`);
        const url = new URL(String(answer.headers.location));

        expect(answer.status).toBe(303);
        expect(setCookies(answer)).toEqual(deletions);
        expect(await records()).toBe(0);
        expect(url.origin + url.pathname).toBe(`${stack.idp.issuer}/session/end`);
        expect(Object.fromEntries(url.searchParams)).toEqual({
          post_logout_redirect_uri: `${stack.origin}/`,
          id_token_hint: expect.stringMatching(/^ey/),
          client_id: 'gateway-under-test',
        });
        const provider = await browser.visit(url.href, { site: 'cross-site' });
        expect(provider.status).toBe(200);
        expect(provider.text).toContain('Sign out?');
      });

      it('revokes the refresh token at the provider, without making the person wait', async () => {
        const before = stack.idp.count('/token/revocation');
        const browser = await stack.login();
        await browser.visit(`${stack.origin}/logout`);

        await until(() => stack.idp.count('/token/revocation') === before + 1);
      });

      it.each([
        ['a link of another site', [['Sec-Fetch-Site', 'cross-site']]],
        ['a sibling site', [['Sec-Fetch-Site', 'same-site']]],
        [
          'an image',
          [
            ['Sec-Fetch-Mode', 'no-cors'],
            ['Sec-Fetch-Dest', 'image'],
          ],
        ],
        ['a frame', [['Sec-Fetch-Dest', 'iframe']]],
        ['a redirect nobody asked for', [['Sec-Fetch-User', '']]],
        ['a prefetch', [['Sec-Purpose', 'prefetch']]],
        [
          'no Fetch Metadata',
          [
            ['Sec-Fetch-Site', ''],
            ['Sec-Fetch-Mode', ''],
            ['Sec-Fetch-Dest', ''],
          ],
        ],
      ] as [string, [string, string][]][])(
        'reg-A23: only asks when it comes from %s, and the session lives',
        async (_what, headers) => {
          const browser = await stack.login();
          const answer = await browser.visit(`${stack.origin}/logout`, { headers });

          expect(answer.status).toBe(200);
          expect(answer.text).toContain('<form method="post" action="/logout">');
          expect(answer.headers['referrer-policy']).toBe('same-origin');
          expect(answer.headers['content-security-policy']).toContain("frame-ancestors 'none'");
          expect(setCookies(answer)).toEqual([]);
          expect((await browser.visit(`${stack.origin}/user`)).status).toBe(200);
        },
      );
    });

    describe('POST /logout', () => {
      it('reg-A23: answers the confirm page’s form with a bounce to the provider', async () => {
        const browser = await stack.login();
        const answer = await browser.visit(`${stack.origin}/logout`, {
          method: 'POST',
          site: 'same-origin',
          headers: [['Origin', stack.origin]],
        });

        expect(answer.status).toBe(200);
        expect(answer.text).toContain(`content="0;url=${stack.idp.issuer}/session/end?`);
        expect(setCookies(answer)).toEqual(deletions);
        expect(await records()).toBe(0);
      });

      it('answers JSON to a caller that wants it', async () => {
        const browser = await stack.login();
        const answer = await browser.visit(`${stack.origin}/logout`, {
          method: 'POST',
          site: 'same-origin',
          headers: [
            ['Accept', 'application/json'],
            ['X-CSRF', '1'],
            ['Sec-Fetch-Mode', 'cors'],
          ],
        });

        expect(JSON.parse(answer.text)).toEqual({
          logoutUrl: expect.stringContaining(`${stack.idp.issuer}/session/end?`),
        });
        expect(setCookies(answer)).toEqual(deletions);
        expect(await records()).toBe(0);
      });

      it.each([
        [
          'another site',
          [
            ['Sec-Fetch-Site', 'cross-site'],
            ['Origin', 'https://evil.example'],
          ],
        ],
        ['a sibling site', [['Sec-Fetch-Site', 'same-site']]],
        ['nobody knows where', [['Sec-Fetch-Site', 'none']]],
        [
          'another origin with our header',
          [
            ['X-CSRF', '1'],
            ['Origin', 'https://evil.example'],
          ],
        ],
      ] as [string, [string, string][]][])('does nothing for %s', async (_what, headers) => {
        const browser = await stack.login();
        const answer = await browser.visit(`${stack.origin}/logout`, { method: 'POST', headers });

        expect(answer.status).toBe(403);
        expect(setCookies(answer)).toEqual([]);
        expect(await records()).toBe(5);
      });

      it('ends the session that only the Lax reference still names', async () => {
        const browser = await stack.login();
        const host = new URL(stack.origin).hostname;
        const reference = browser.cookies.get(host, '__Host-sref') ?? '';
        await new BrowserJar().visit(`${stack.origin}/logout`, {
          method: 'POST',
          headers: [
            ['X-CSRF', '1'],
            ['Cookie', `__Host-sref=${reference}`],
          ],
        });

        expect(await records()).toBe(0);
      });

      it('sends a browser without a session to the provider all the same', async () => {
        const answer = await new BrowserJar().visit(`${stack.origin}/logout`, {
          method: 'POST',
          site: 'same-origin',
        });

        expect(answer.status).toBe(200);
        expect(answer.text).toContain(`${stack.idp.issuer}/session/end?`);
        expect(setCookies(answer)).toEqual(deletions);
      });
    });
  },
  { appendOnly: true },
);
