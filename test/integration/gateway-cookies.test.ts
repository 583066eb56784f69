import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Answer } from '@sallyport/demo/web-client/exchange';
import { BrowserJar, setCookies, type Visit } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { answerText } from '../support/permission-service.js';
import { describeOnRedis } from '../support/redis.js';

const end = (sameSite: string): string => `Path=/; Secure; HttpOnly; SameSite=${sameSite}$`;
const secret = '[A-Za-z0-9_-]{43}';

/** Every Set-Cookie line the gateway may ever send, byte for byte but for the secrets. */
const lines = {
  login: new RegExp(
    `^__Host-login-[0-9a-f]{8}=[0-9a-z]{8,9}\\.${secret}; Max-Age=600; ${end('Lax')}`,
  ),
  noLogin: new RegExp(`^__Host-login-[0-9a-f]{8}=; Max-Age=0; ${end('Lax')}`),
  noReturn: new RegExp(`^__Host-return=; Max-Age=0; ${end('Lax')}`),
  // No Max-Age: how long it lives is the server's to say.
  session: new RegExp(`^__Host-session=${secret}; ${end('Strict')}`),
  ref: new RegExp(`^__Host-sref=k1\\.[A-Za-z0-9_-]{95}; ${end('Lax')}`),
  noSession: new RegExp(`^__Host-session=; Max-Age=0; ${end('Strict')}`),
  noRef: new RegExp(`^__Host-sref=; Max-Age=0; ${end('Lax')}`),
};
type Line = keyof typeof lines;

describeOnRedis(
  '6.2',
  'the cookies of the gateway, on the wire',
  (redis) => {
    let stack: GatewayStack;
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), { GATEWAY_LOGIN_RATE_LIMIT: '1' });
    });
    afterAll(() => stack.close());
    beforeEach(async () => {
      stack.permissions.recover();
      stack.idp.nextError = undefined;
      for (const admin of redis().admins) await admin.flushall();
    });

    const script: Visit['headers'] = [
      ['Sec-Fetch-Mode', 'cors'],
      ['Sec-Fetch-Dest', 'empty'],
      ['Accept', 'application/json'],
    ];
    const ours: Visit = { site: 'same-origin', headers: script };
    const post: Visit = { ...ours, method: 'POST' };
    const at = (path: string): string => stack.origin + path;
    const callback = (browser: BrowserJar) =>
      stack
        .beginLogin(browser)
        .then((url) => browser.visit(url, { site: 'cross-site' }))
        .then((answer) => ({ answer, browser }));
    const planted = (browser: BrowserJar, cookie: string): BrowserJar => {
      const attributes = '; Path=/; Secure; HttpOnly; SameSite=Lax';
      browser.cookies.store(new URL(stack.origin), cookie + attributes);
      return browser;
    };
    const five = async (): Promise<BrowserJar> => {
      const browser = new BrowserJar();
      for (let tab = 0; tab < 5; tab += 1) await browser.visit(stack.startUrl);
      return browser;
    };
    const two: Visit['headers'] = [
      ['Cookie', `a=1,__Host-session=${'x'.repeat(43)}; __Host-session=${'y'.repeat(43)}`],
    ];

    const answers: readonly [string, readonly Line[], () => Promise<Answer>][] = [
      ['a start', ['login'], () => new BrowserJar().visit(stack.startUrl)],
      ['a start by alias', ['login'], () => new BrowserJar().visit(at('/auth/login'))],
      [
        'a start by form',
        ['login'],
        () => new BrowserJar().visit(at('/auth/signin'), { method: 'POST', site: 'same-origin' }),
      ],
      [
        'a start with a saved return URL',
        ['noReturn', 'login'],
        () => planted(new BrowserJar(), '__Host-return=%2Fa').visit(stack.startUrl),
      ],
      ['the sixth start', ['noLogin', 'login'], async () => (await five()).visit(stack.startUrl)],
      [
        'a start by another site',
        [],
        () => new BrowserJar().visit(stack.startUrl, { site: 'cross-site' }),
      ],
      ['a start by a script', [], () => new BrowserJar().visit(stack.startUrl, ours)],
      [
        'a start of an unknown provider',
        [],
        () => new BrowserJar().visit(at('/oauth2/authorization/x')),
      ],
      [
        'a start beyond the limit',
        [],
        async () => {
          const visit: Visit = { headers: [['X-Forwarded-For', '203.0.113.7']] };
          await new BrowserJar().visit(stack.startUrl, visit);
          const answer = await new BrowserJar().visit(stack.startUrl, visit);
          expect(answer.status).toBe(429);
          return answer;
        },
      ],
      [
        'a callback',
        ['noLogin', 'session', 'ref'],
        async () => (await callback(new BrowserJar())).answer,
      ],
      [
        'a callback that replaces a session',
        ['noLogin', 'session', 'ref'],
        async () => (await callback(await stack.login())).answer,
      ],
      [
        'a repeated callback',
        [],
        async () => {
          const browser = new BrowserJar();
          const url = await stack.beginLogin(browser);
          await browser.visit(url, { site: 'cross-site' });
          return browser.visit(url, { site: 'cross-site' });
        },
      ],
      [
        'a callback in a stranger’s browser',
        [],
        async () => new BrowserJar().visit(await stack.beginLogin(new BrowserJar())),
      ],
      ['a callback of nobody', [], () => new BrowserJar().visit(at('/auth/callback?code=x'))],
      [
        'a callback that the provider refused',
        ['noLogin'],
        async () => {
          stack.idp.nextError = 'access_denied';
          return (await callback(new BrowserJar())).answer;
        },
      ],
      [
        'a callback without permissions',
        ['noLogin'],
        async () => {
          const browser = await stack.login();
          stack.permissions.answer = answerText(503, 'no');
          return (await callback(browser)).answer;
        },
      ],
      ['who I am', [], async () => (await stack.login()).visit(at('/user'), ours)],
      ['who I am, with nobody', [], () => new BrowserJar().visit(at('/user'), ours)],
      ['the session', [], async () => (await stack.login()).visit(at('/auth/session'), ours)],
      ['the session, of nobody', [], () => new BrowserJar().visit(at('/auth/session'), ours)],
      ['the heartbeat', [], async () => (await stack.login()).visit(at('/auth/v1/session'), ours)],
      [
        // A late 401 would erase the cookie of the login that came after it.
        'the heartbeat of a session that is gone',
        [],
        async () => {
          const browser = await stack.login();
          for (const admin of redis().admins) await admin.flushall();
          const answer = await browser.visit(at('/auth/v1/session'), ours);
          expect(answer.status).toBe(401);
          return answer;
        },
      ],
      ['a refresh', [], async () => (await stack.login()).visit(at('/auth/refresh'), post)],
      ['the devices', [], async () => (await stack.login()).visit(at('/auth/sessions'), ours)],
      [
        'ending this very device',
        ['noSession', 'noRef'],
        async () => {
          const browser = await stack.login();
          const list = await browser.visit(at('/auth/sessions'), ours);
          const { sessions } = JSON.parse(list.text) as { sessions: [{ ref: string }] };
          const ref = `/auth/sessions/${sessions[0].ref}`;
          return browser.visit(at(ref), { ...ours, method: 'DELETE' });
        },
      ],
      [
        'ending another device',
        [],
        async () => {
          const [browser] = [await stack.login(), await stack.login()];
          const list = await browser.visit(at('/auth/sessions'), ours);
          const { sessions } = JSON.parse(list.text) as {
            sessions: { ref: string; current: boolean }[];
          };
          const ref = sessions.find(({ current }) => !current)?.ref ?? '';
          return browser.visit(at(`/auth/sessions/${ref}`), { ...ours, method: 'DELETE' });
        },
      ],
      [
        'a typed logout',
        ['noSession', 'noRef'],
        async () => (await stack.login()).visit(at('/logout')),
      ],
      [
        'a logout by form',
        ['noSession', 'noRef'],
        async () =>
          (await stack.login()).visit(at('/auth/signout'), { method: 'POST', site: 'same-origin' }),
      ],
      [
        'a logout by script',
        ['noSession', 'noRef'],
        async () => (await stack.login()).visit(at('/auth/logout'), post),
      ],
      [
        'a logout that another site asks for',
        [],
        async () => (await stack.login()).visit(at('/logout'), { site: 'cross-site' }),
      ],
      [
        'a logout that another site posts',
        [],
        async () =>
          (await stack.login()).visit(at('/logout'), { method: 'POST', site: 'cross-site' }),
      ],
      ['two session cookies', [], () => new BrowserJar().visit(at('/user'), { headers: two })],
      [
        'the offer to clear the cookies',
        [],
        () => new BrowserJar().visit(at('/auth/clear-cookies'), { headers: two }),
      ],
      [
        'clearing the cookies',
        ['noSession', 'noRef'],
        () =>
          new BrowserJar().visit(at('/auth/clear-cookies'), {
            method: 'POST',
            site: 'same-origin',
            headers: two,
          }),
      ],
      [
        'clearing the cookies for another site',
        [],
        () =>
          new BrowserJar().visit(at('/auth/clear-cookies'), {
            method: 'POST',
            site: 'cross-site',
            headers: two,
          }),
      ],
      ['nothing at all', [], () => new BrowserJar().visit(at('/auth/nothing'))],
      ['health', [], () => new BrowserJar().visit(at('/actuator/health'))],
      [
        'a back-channel logout',
        [],
        () => new BrowserJar().visit(at('/auth/backchannel-logout'), { method: 'POST' }),
      ],
    ];

    it.each(answers)('%s', async (_what, expected, ask) => {
      const answer = await ask();
      expect(setCookies(answer)).toEqual(
        expected.map((name) => expect.stringMatching(lines[name]) as unknown as string),
      );
      // Of every answer, whatever it says (TRUST §2, row 27).
      expect(answer.headers).toMatchObject({
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': expect.stringMatching(/^(?:no-referrer|same-origin)$/),
        'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
      });
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
      expect(answer.headers).not.toHaveProperty('x-powered-by');
    });

    describe('clearing the cookies', () => {
      it('reg-A26: is offered by the page that refuses two, and takes a press on it', async () => {
        const page = await new BrowserJar().visit(at('/logout'), { headers: two });
        expect(page.status).toBe(400);
        expect(page.text).toContain('<form method="post" action="/auth/clear-cookies">');
        expect(page.headers['referrer-policy']).toBe('same-origin');
        expect(page.headers).not.toHaveProperty('clear-site-data');

        const cleared = await new BrowserJar().visit(at('/auth/clear-cookies'), {
          method: 'POST',
          site: 'same-origin',
          headers: two,
        });
        expect(cleared.status).toBe(200);
        expect(cleared.headers['clear-site-data']).toBe('"cookies"');
      });

      it('is nothing that another site can do', async () => {
        for (const method of ['GET', 'POST']) {
          const answer = await new BrowserJar().visit(at('/auth/clear-cookies'), {
            method,
            site: 'cross-site',
            headers: two,
          });
          expect(answer.headers).not.toHaveProperty('clear-site-data');
          expect(setCookies(answer)).toEqual([]);
        }
      });
    });
  },
  { appendOnly: true },
);
