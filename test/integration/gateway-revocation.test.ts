import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { exchange, type Answer, type HeaderList } from '@sallyport/demo/web-client/exchange';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { answerJson, ordinaryGrants } from '../support/permission-service.js';
import { dump, records } from '../support/redis-dump.js';
import { describeOnRedis } from '../support/redis.js';
import { until } from '../support/until.js';

const token = 'a-token-of-a-service-that-may-revoke';
const hashedToken = 'a-token-that-the-gateway-knows-by-digest';
const digest = createHash('sha256').update(hashedToken).digest('hex');
const users = '/internal/v1/sessions/users/';

describeOnRedis(
  '6.2',
  'the internal endpoints',
  (redis) => {
    let stack: GatewayStack;
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), {
        INTERNAL_API_TOKENS: `admin:${token},directory:sha256:${digest}`,
      });
    });
    afterAll(() => stack.close());
    beforeEach(async () => {
      for (const admin of redis().admins) await admin.flushall();
      stack.permissions.recover();
    });
    const call = (
      method: string,
      path: string,
      {
        body,
        headers = [['Authorization', `Bearer ${token}`]],
      }: { body?: string; headers?: HeaderList } = {},
    ): Promise<Answer> =>
      exchange(stack.managementOrigin + path, {
        method,
        headers: [
          ...headers,
          ...(body === undefined ? [] : ([['Content-Type', 'application/json']] as const)),
        ],
        ...(body === undefined ? {} : { body }),
      });
    const isLoggedIn = async (browser: BrowserJar): Promise<boolean> =>
      (await browser.visit(`${stack.origin}/user`)).status === 200;

    describe('DELETE /internal/v1/sessions/users/{userId}', () => {
      it('ends every session of a user, and answers the same when there is none', async () => {
        const browsers = [await stack.login(), await stack.login()];
        const answers = [
          await call('DELETE', `${users}user-7`),
          await call('DELETE', `${users}user-7`),
          await call('DELETE', `${users}nobody%7Cat%2Fall`),
        ];

        expect(answers.map(({ status, text }) => [status, text])).toEqual([
          [204, ''],
          [204, ''],
          [204, ''],
        ]);
        expect(await Promise.all(browsers.map(isLoggedIn))).toEqual([false, false]);
        expect(await records(redis())).toEqual([]);
      });

      it('reg-A9: ends a login that is at the provider, also one that is at its last step', async () => {
        const atTheProvider = new BrowserJar();
        const callback = await stack.beginLogin(atTheProvider);
        await call('DELETE', `${users}user-7`);
        const refused = await atTheProvider.visit(callback, { site: 'cross-site' });
        expect(refused.headers.location).toContain('/login?error=auth_failed');

        const atTheLastStep = new BrowserJar();
        const last = await stack.beginLogin(atTheLastStep);
        stack.permissions.answer = (request, response) => {
          void call('DELETE', `${users}user-7`).then(() => {
            answerJson(200, ordinaryGrants)(request, response);
          });
        };
        const late = await atTheLastStep.visit(last, { site: 'cross-site' });
        expect(late.headers.location).toContain('/login?error=auth_failed');
        expect(setCookies(late)).toHaveLength(1);
        expect(await records(redis())).toEqual([]);

        stack.permissions.recover();
        expect(await isLoggedIn(await stack.login())).toBe(true);
      });

      it('wins over any number of logins at once', async () => {
        const waiting = await Promise.all(
          Array.from({ length: 12 }, async () => {
            const browser = new BrowserJar();
            return { browser, callback: await stack.beginLogin(browser) };
          }),
        );
        await Promise.all([
          ...waiting.map(({ browser, callback }) =>
            browser.visit(callback, { site: 'cross-site' }),
          ),
          call('DELETE', `${users}user-7`),
        ]);

        expect(await records(redis())).toEqual([]);
      });

      it('reg-A31: answers 503 without Redis, not 204', async () => {
        const [server] = redis().servers;
        await server?.kill();
        const answer = await call('DELETE', `${users}user-7`);
        await server?.restart();
        await until(async () => (await call('DELETE', `${users}user-7`)).status === 204);

        expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1']);
      });
    });

    describe('PUT /internal/v1/sessions/users/{userId}/permissions', () => {
      const path = `${users}user-7/permissions`;

      it('is in force for every session at once, in both records', async () => {
        const browsers = [await stack.login(), await stack.login()];
        const body = JSON.stringify({ roles: ['USER'], permissions: [] });
        expect((await call('PUT', path, { body })).status).toBe(204);

        for (const browser of browsers) {
          const user = await browser.visit(`${stack.origin}/user`);
          expect(JSON.parse(user.text)).toMatchObject({ roles: ['USER'], permissions: [] });
        }
        for (const { key, value } of await records(redis())) {
          expect([key, value]).toEqual([
            key,
            expect.objectContaining({ roles: 'USER', permissions: '', perm_version: '2' }),
          ]);
        }
      });

      it('reg-A12: reaches a login whose roles were looked up before it', async () => {
        const pushed = { roles: ['USER'], permissions: [] };
        const browser = new BrowserJar();
        const callback = await stack.beginLogin(browser);
        stack.permissions.answer = (request, response) => {
          stack.permissions.answer = answerJson(200, { ...ordinaryGrants, ...pushed });
          void call('PUT', path, { body: JSON.stringify(pushed) }).then(() => {
            answerJson(200, ordinaryGrants)(request, response);
          });
        };
        await browser.visit(callback, { site: 'cross-site' });

        const user = await browser.visit(`${stack.origin}/user`);
        expect(JSON.parse(user.text)).toMatchObject(pushed);
      });

      it('is 204 where there is no session', async () => {
        const body = JSON.stringify({ roles: [], permissions: [] });
        expect((await call('PUT', `${users}nobody/permissions`, { body })).status).toBe(204);
      });

      it.each([
        ['no JSON', 'hello'],
        ['half of it', JSON.stringify({ roles: [] })],
        ['a comma in a role', JSON.stringify({ roles: ['a,b'], permissions: [] })],
        ['a line break', JSON.stringify({ roles: [], permissions: ['a\r\nX-Roles: ADMIN'] })],
      ])('refuses %s and changes nothing', async (_what, body) => {
        await stack.login();
        // The lists of due work come and go by themselves.
        const sessions = async () =>
          (await dump(redis()))
            .filter(({ key }) => /^(?:extauthz|gateway):session:/.test(key))
            .map(({ value }) => value);
        const before = await sessions();
        expect((await call('PUT', path, { body })).status).toBe(400);
        expect(await sessions()).toEqual(before);
      });

      it('refuses a body without an end', async () => {
        const body = JSON.stringify({ roles: [], permissions: ['x'.repeat(100_000)] });
        expect((await call('PUT', path, { body })).status).toBe(413);
      });
    });

    it.each([
      ['no token', []],
      ['another token', [['Authorization', 'Bearer a-token-that-nobody-has-ever-been-given']]],
      ['the digest instead of the token', [['Authorization', `Bearer ${digest}`]]],
      ['a name and a password', [['Authorization', `Basic ${btoa(`admin:${token}`)}`]]],
      ['an identity header', [['X-Forwarded-Client-Cert', 'Hash=1;URI=spiffe://mesh/admin']]],
    ] as [string, HeaderList][])('refuse a caller with %s', async (_what, headers) => {
      const browser = await stack.login();
      const answer = await call('DELETE', `${users}user-7`, { headers });

      expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, 'Bearer']);
      expect(JSON.parse(answer.text)).toMatchObject({ reason: 'unknown_caller' });
      expect(await isLoggedIn(browser)).toBe(true);
    });

    it('know a caller by its digest, too', async () => {
      const headers: HeaderList = [['Authorization', `Bearer ${hashedToken}`]];
      expect((await call('DELETE', `${users}user-7`, { headers })).status).toBe(204);
    });

    it('reg-A31: are not on the public port, however the path is spelt', async () => {
      const browser = await stack.login();
      for (const path of [
        `${users}user-7`,
        `/auth/..%2finternal/v1/sessions/users/user-7`,
        `/auth/../internal/v1/sessions/users/user-7`,
        `//internal/v1/sessions/users/user-7`,
      ]) {
        const answer = await exchange(stack.origin + path, {
          method: 'DELETE',
          headers: [['Authorization', `Bearer ${token}`]],
        });
        expect([path, answer.status]).toEqual([path, 404]);
      }
      expect(await isLoggedIn(browser)).toBe(true);
    });

    it('repeat no token in the log', async () => {
      await until(() => stack.log().includes('sessions revoked'));
      for (const secret of [token, hashedToken, digest]) expect(stack.log()).not.toContain(secret);
    });

    it('and a logout are not done before the replicas have them, if that is asked for', async () => {
      const careful = await startGatewayStack(redis(), {
        REDIS_REVOCATION_ACKS: '1',
        GATEWAY_REDIS_TIMEOUT_MS: '200',
        INTERNAL_API_TOKENS: `admin:${token}`,
      });
      try {
        const browser = await careful.login();
        const logout = await browser.visit(`${careful.origin}/logout`);
        const revoked = await exchange(`${careful.managementOrigin}${users}user-7`, {
          method: 'DELETE',
          headers: [['Authorization', `Bearer ${token}`]],
        });

        // There is no replica, so nobody can confirm; the records are gone all the same.
        expect([logout.status, setCookies(logout), revoked.status]).toEqual([503, [], 503]);
        expect(await records(redis())).toEqual([]);
      } finally {
        await careful.close();
      }
    });

    it('are off where nobody was given a token', async () => {
      const closed = await startGatewayStack(redis());
      try {
        const answer = await exchange(`${closed.managementOrigin}${users}user-7`, {
          method: 'DELETE',
          headers: [['Authorization', 'Bearer ']],
        });
        expect(answer.status).toBe(403);
      } finally {
        await closed.close();
      }
    });
  },
  { appendOnly: true },
);
