import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { sessionKey, defaultSessionKeyPrefix } from '@sallyport/shared';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { answerJson, answerText } from '../support/permission-service.js';
import { describeOnRedis } from '../support/redis.js';
import {
  heartbeat,
  postRefresh,
  sessionOf,
  shorten,
  type LiveSession,
} from '../support/replicas.js';
import { until } from '../support/until.js';

const now = (): number => Math.floor(Date.now() / 1000);

describeOnRedis(
  '6.2',
  'a session in use',
  (redis) => {
    let stack: GatewayStack;
    const admin = () => redis().admins[0];
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), {
        IDP_TIMEOUT_MS: '500',
        REFRESH_RETRY_AFTER: '600',
        PERMISSION_SERVICE_TIMEOUT_MS: '300',
      });
    });
    afterAll(() => stack.close());
    afterEach(() => {
      stack.permissions.recover();
    });
    const login = async (): Promise<LiveSession> => sessionOf(await stack.login(), stack.origin);
    const uses = () => stack.idp.refreshes.used + stack.idp.refreshes.refused;
    const readerKey = ({ handle }: LiveSession) => sessionKey(defaultSessionKeyPrefix, handle);
    const body = (answer: { text: string }): Record<string, unknown> =>
      JSON.parse(answer.text) as Record<string, unknown>;

    describe('POST /auth/refresh', () => {
      it('refreshes at once, and not again for a second press', async () => {
        const session = await login();
        const before = uses();
        await shorten(admin(), session, 300);
        const first = await postRefresh(stack.origin, session);
        expect(first.status).toBe(200);
        expect(body(first)).toMatchObject({ userId: 'user-7', tokenRefreshed: true });
        expect(body(first)['expiresAt']).toBeGreaterThan(now() + 1700);
        for (const key of [session.key, readerKey(session)]) {
          expect(await admin()?.hget(key, 'expires_at')).toBe(String(body(first)['expiresAt']));
          expect(await admin()?.pttl(key)).toBeGreaterThan(1_700_000);
        }
        const second = await postRefresh(stack.origin, session);
        expect(body(second)).toMatchObject({ tokenRefreshed: false });
        expect(uses() - before).toBe(1);
        expect(first.text).not.toMatch(/ey[A-Za-z0-9]/);
      });

      it.each([
        ['without proof that our page asks', []],
        [
          'from another origin',
          [
            ['X-CSRF', '1'],
            ['Origin', 'https://evil.example'],
          ],
        ],
      ] as const)('is refused %s', async (_what, headers) => {
        const session = await login();
        const before = uses();
        const answer = await exchange(`${stack.origin}/auth/refresh`, {
          method: 'POST',
          headers: [['Cookie', session.cookie], ...headers],
        });
        expect(answer.status).toBe(403);
        expect(uses()).toBe(before);
      });

      it('answers 401 without a session', async () => {
        const none = { ...(await login()), cookie: `__Host-session=${'x'.repeat(43)}` };
        expect((await postRefresh(stack.origin, none)).status).toBe(401);
      });

      it('is limited per session, not per address', async () => {
        const [session, other] = [await login(), await login()];
        const statuses: number[] = [];
        for (let press = 0; press < 31; press += 1) {
          statuses.push((await postRefresh(stack.origin, session)).status);
        }
        expect(statuses.slice(0, 30)).toEqual(Array.from({ length: 30 }, () => 200));
        const refused = await postRefresh(stack.origin, session);
        expect(refused.status).toBe(429);
        expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
        expect((await postRefresh(stack.origin, other)).status).toBe(200);
        expect(await admin()?.pttl(`gateway:rl:refresh:${session.handle}`)).toBeGreaterThan(0);
      });
    });

    describe('GET /auth/v1/session', () => {
      it('slides in the second half of the idle time, and writes nothing before', async () => {
        const session = await login();
        const before = await admin()?.hgetall(session.key);
        const beat = await heartbeat(stack.origin, session);
        expect(body(beat)).toEqual({
          active: true,
          userId: 'user-7',
          roles: ['ADMIN', 'USER'],
          permissions: ['transactions:read', 'transactions:read:any'],
          expiresAt: Number(before?.['expires_at']),
          absoluteExpiresAt: Number(before?.['absolute_expires_at']),
          tokenRefreshed: false,
        });
        expect(await admin()?.hgetall(session.key)).toEqual(before);
        await shorten(admin(), session, 890);
        const later = body(await heartbeat(stack.origin, session));
        expect(later['expiresAt']).toBeGreaterThan(now() + 1790);
        expect(await admin()?.hget(readerKey(session), 'expires_at')).toBe(
          String(later['expiresAt']),
        );
      });

      it('is refused to a foreign page, and slides nothing for it', async () => {
        const session = await login();
        const end = await shorten(admin(), session, 300);
        const answer = await exchange(`${stack.origin}/auth/v1/session`, {
          headers: [
            ['Cookie', session.cookie],
            ['Sec-Fetch-Site', 'cross-site'],
          ],
        });
        expect(answer.status).toBe(403);
        expect(await admin()?.hget(session.key, 'expires_at')).toBe(String(end));
      });

      it('answers 401 when there is no session', async () => {
        const answer = await exchange(`${stack.origin}/auth/v1/session`);
        expect(answer.status).toBe(401);
        expect(body(answer)).toMatchObject({ reason: 'no_session' });
      });
    });

    it('GET /auth/v1/user is GET /user', async () => {
      const session = await login();
      const [one, two] = await Promise.all(
        ['/user', '/auth/v1/user'].map((path) =>
          exchange(stack.origin + path, { headers: [['Cookie', session.cookie]] }),
        ),
      );
      expect(two?.status).toBe(200);
      expect(two?.text).toBe(one?.text);
    });

    describe('whose permissions are due', () => {
      const dueIn = async (session: LiveSession, seconds: number): Promise<number> => {
        const second = now() + seconds;
        // As where no refresh token came: the tokens are never due.
        await admin()?.hset(session.key, 'perm_fresh_until', second, 'token_expires_at', '');
        return second;
      };

      it('reg-35, reg-37: gets them in both records without any refresh token', async () => {
        const session = await login();
        const before = uses();
        await dueIn(session, 100);
        stack.permissions.answer = answerJson(200, {
          userId: 'user-7',
          roles: ['GUEST'],
          permissions: [],
        });
        expect(body(await heartbeat(stack.origin, session))).toMatchObject({ roles: ['GUEST'] });
        expect(await admin()?.hget(readerKey(session), 'roles')).toBe('GUEST');
        expect(uses()).toBe(before);
      });

      it.each([
        ['does not answer', answerText(503, 'down')],
        ['answers for somebody else', answerJson(200, { userId: 'x', roles: [], permissions: [] })],
        ['answers nonsense', answerText(200, 'hello')],
      ])('keeps the old ones until they are too old where the service %s', async (_how, answer) => {
        const session = await login();
        const limit = await dueIn(session, 100);
        stack.permissions.answer = answer;
        const beat = body(await heartbeat(stack.origin, session));
        expect(beat).toMatchObject({ roles: ['ADMIN', 'USER'], expiresAt: limit });
        expect(await admin()?.hget(readerKey(session), 'expires_at')).toBe(String(limit));
        expect(body(await heartbeat(stack.origin, session))).toMatchObject({ expiresAt: limit });

        stack.permissions.recover();
        await until(async () => {
          const { expiresAt } = body(await heartbeat(stack.origin, session));
          return Number(expiresAt) > limit + 600;
        });
      });
    });
  },
  { appendOnly: true },
);
