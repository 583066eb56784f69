import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { sessionKey, defaultSessionKeyPrefix } from '@sallyport/shared';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { decodeJwt } from 'jose';
import { setCookies } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { answerJson, answerText } from '../support/permission-service.js';
import { describeOnRedis } from '../support/redis.js';
import {
  expireTokens,
  heartbeat,
  postRefresh,
  sessionOf,
  tokenVersion,
  type LiveSession,
} from '../support/replicas.js';
import { until } from '../support/until.js';

describeOnRedis(
  '6.2',
  'a session whose tokens are due',
  (redis) => {
    let stack: GatewayStack;
    const admin = () => redis().admins[0];
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), {
        IDP_TIMEOUT_MS: '500',
        REFRESH_RETRY_AFTER: '600',
        IDP_USERINFO_ON_REFRESH: 'true',
        PERMISSION_SERVICE_TIMEOUT_MS: '300',
      });
    });
    afterAll(() => stack.close());
    afterEach(() => {
      stack.idp.intercept = () => false;
      stack.idp.nextSubject = 'auth0|ada';
      stack.permissions.recover();
    });
    const login = async (): Promise<LiveSession> => sessionOf(await stack.login(), stack.origin);
    const uses = () => stack.idp.refreshes.used + stack.idp.refreshes.refused;
    const readerKey = ({ handle }: LiveSession) => sessionKey(defaultSessionKeyPrefix, handle);
    const isAlive = async (session: LiveSession): Promise<boolean> =>
      (await admin()?.exists(session.key, readerKey(session))) === 2;
    const body = (answer: { text: string }): Record<string, unknown> =>
      JSON.parse(answer.text) as Record<string, unknown>;
    /** The token endpoint answers so, as long as the test lasts. */
    const tokenEndpoint = (answer: (response: ServerResponse) => void) => {
      stack.idp.intercept = (request, response) => {
        if (request.url !== '/token') return false;
        request.resume();
        answer(response);
        return true;
      };
    };

    describe('and whose provider fails', () => {
      it.each([
        ['with 500', (response: ServerResponse) => response.writeHead(500).end('oops')],
        ['with 503', (response: ServerResponse) => response.writeHead(503).end()],
        ['with 429', (response: ServerResponse) => response.writeHead(429).end()],
        ['with a page', (response: ServerResponse) => response.end('<html>hello</html>')],
        [
          'with JSON that is none of its own',
          (response: ServerResponse) =>
            response.writeHead(200, { 'content-type': 'application/json' }).end('[1]'),
        ],
        [
          'with invalid_client',
          (response: ServerResponse) =>
            response
              .writeHead(401, { 'content-type': 'application/json' })
              .end('{"error":"invalid_client"}'),
        ],
        ['by never answering', () => undefined],
        ['by closing the connection', (response: ServerResponse) => response.destroy()],
      ])('%s lives on, and is refreshed when it is back', async (_how, answer) => {
        const session = await login();
        tokenEndpoint(answer);
        await expireTokens(admin(), session);
        const beat = await heartbeat(stack.origin, session);
        expect(beat.status).toBe(200);
        expect(body(beat)).toMatchObject({ userId: 'user-7', tokenRefreshed: false });
        expect(await isAlive(session)).toBe(true);
        expect((await postRefresh(stack.origin, session)).status).toBe(503);

        stack.idp.intercept = () => false;
        await until(async () => {
          expect((await heartbeat(stack.origin, session)).status).toBe(200);
          return (await tokenVersion(admin(), session)) === 2;
        });
      });

      it('by being away altogether lives on', async () => {
        const session = await login();
        stack.idp.intercept = (_request, response) => {
          response.destroy();
          return true;
        };
        await expireTokens(admin(), session);
        expect((await heartbeat(stack.origin, session)).status).toBe(200);
        expect(await isAlive(session)).toBe(true);
        // Left as it is the worker would refresh it in the midst of a later test that counts.
        stack.idp.intercept = () => false;
        await until(async () => (await tokenVersion(admin(), session)) === 2);
      });
    });

    describe('and whose provider says that it is over', () => {
      it('ends with both records, and the next answers say why', async () => {
        const session = await login();
        tokenEndpoint((response) =>
          response
            .writeHead(400, { 'content-type': 'application/json' })
            .end('{"error":"invalid_grant"}'),
        );
        await expireTokens(admin(), session);
        for (const ask of [
          () => heartbeat(stack.origin, session),
          () => heartbeat(stack.origin, session),
          () => postRefresh(stack.origin, session),
          () => exchange(`${stack.origin}/user`, { headers: [['Cookie', session.cookie]] }),
        ]) {
          const answer = await ask();
          expect(answer.status).toBe(401);
          expect(body(answer)).toMatchObject({ reason: 'session_ended_at_idp' });
          expect(setCookies(answer)).toEqual([]);
        }
        expect(await admin()?.exists(session.key, readerKey(session))).toBe(0);
        expect(await admin()?.pttl(`gateway:ended:${session.handle}`)).toBeGreaterThan(0);
        expect(await admin()?.exists(`gateway:refresh-lock:${session.handle}`)).toBe(0);
      });

      it('reg-A39: lives while the retry of its token is under way, and ends cleanly when nothing came of it', async () => {
        const session = await login();
        const before = uses();
        const twice = (owner: string, leaseEnd: number) =>
          admin()?.set(
            `gateway:refresh-lock:${session.handle}`,
            `${owner}|1|2|${leaseEnd}`,
            'EX',
            600,
          );
        await twice('another-replica', Date.now() + 600_000);
        await expireTokens(admin(), session);
        expect((await heartbeat(stack.origin, session)).status).toBe(200);
        expect((await postRefresh(stack.origin, session)).status).toBe(503);
        expect(await isAlive(session)).toBe(true);

        await twice('another-replica', 1);
        for (const ask of [postRefresh, heartbeat]) {
          const answer = await ask(stack.origin, session);
          expect(answer.status).toBe(401);
          expect(body(answer)).toMatchObject({ reason: 'session_ended_at_idp' });
        }
        expect(await admin()?.exists(session.key, readerKey(session))).toBe(0);
        expect(uses() - before).toBe(0);
      });

      it('ends when the new ID token is another person’s', async () => {
        stack.idp.nextSubject = 'auth0|bob';
        await login();
        const others = stack.idp.issued.filter(
          (token) => token.split('.').length === 3 && decodeJwt(token).sub === 'auth0|bob',
        );
        stack.idp.nextSubject = 'auth0|ada';
        const session = await login();
        tokenEndpoint((response) =>
          answerJson(200, {
            access_token: 'x',
            token_type: 'Bearer',
            id_token: others[0],
          })({ resume: () => undefined } as never, response),
        );
        await expireTokens(admin(), session);
        const answer = await heartbeat(stack.origin, session);
        expect(answer.status).toBe(401);
        expect(body(answer)).toMatchObject({ reason: 'session_subject_changed' });
        expect(await isAlive(session)).toBe(false);
      });
    });

    it.each([
      ['ends when UserInfo is another person’s', answerJson(200, { sub: 'auth0|bob' }), 401],
      ['lives on when UserInfo cannot be had', answerText(503, 'down'), 200],
    ])('%s', async (_what, answer, status) => {
      const session = await login();
      stack.idp.intercept = (request, response) => {
        if (request.url !== '/me') return false;
        answer(request, response);
        return true;
      };
      await expireTokens(admin(), session);
      const beat = await heartbeat(stack.origin, session);
      expect(beat.status).toBe(status);
      expect(await tokenVersion(admin(), session)).toBe(status === 200 ? 2 : 0);
      expect(await isAlive(session)).toBe(status === 200);
    });

    it('revokes the new token where the session ended while the provider was asked', async () => {
      const session = await login();
      const revocations = stack.idp.count('/token/revocation');
      stack.idp.intercept = (request, response) => {
        if (request.url !== '/token') return false;
        stack.idp.intercept = () => false;
        void admin()
          ?.del(session.key, readerKey(session))
          .then(() => stack.idp.handle(request, response));
        return true;
      };
      await expireTokens(admin(), session);
      const answer = await heartbeat(stack.origin, session);
      expect(answer.status).toBe(401);
      expect(body(answer)).toMatchObject({ reason: 'no_session' });
      await until(() => stack.idp.count('/token/revocation') === revocations + 1);
      expect(await admin()?.exists(session.key, readerKey(session))).toBe(0);
    });

    it('is refreshed once for two tabs, and keeps the newest ID token for logout', async () => {
      const browser = await stack.login();
      const session = sessionOf(browser, stack.origin);
      const before = uses();
      await expireTokens(admin(), session);
      const tabs = await Promise.all([1, 2].map(() => heartbeat(stack.origin, session)));
      expect(tabs.map(({ status }) => status)).toEqual([200, 200]);
      expect(tabs.map((tab) => body(tab)['tokenRefreshed'])).toContain(true);
      expect(uses() - before).toBe(1);

      const newest = stack.idp.issued.filter((token) => token.split('.').length === 3).at(-1);
      const logout = await exchange(`${stack.origin}/logout`, {
        method: 'POST',
        headers: [
          ['Cookie', session.cookie],
          ['X-CSRF', '1'],
          ['Accept', 'application/json'],
        ],
      });
      const hint = new URL(String(body(logout)['logoutUrl'])).searchParams.get('id_token_hint');
      expect(hint).toBe(newest);
    });
  },
  { appendOnly: true },
);
