import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  defaultSessionKeyPrefix,
  ownerKeys,
  revokeSeqKey,
  sessionKey,
  sidOwner,
  subOwner,
  userOwner,
} from '@sallyport/shared';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { answerText } from '../support/permission-service.js';
import { describeOnRedis } from '../support/redis.js';
import {
  deadlineOf,
  expireTokens,
  heartbeat,
  postRefresh,
  sessionOf,
  shorten,
  tokenVersion,
  type LiveSession,
} from '../support/replicas.js';
import { until } from '../support/until.js';

const now = (): number => Math.floor(Date.now() / 1000);
const user = userOwner('user-7');
const token = 'a-token-of-a-service-that-may-push';

describeOnRedis(
  '6.2',
  'a session in use',
  (redis) => {
    let stack: GatewayStack;
    const admin = () => redis().admin;
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), {
        PERMISSION_SERVICE_TIMEOUT_MS: '300',
        INTERNAL_API_TOKENS: `directory:${token}`,
      });
    });
    afterAll(() => stack.close());
    afterEach(() => {
      stack.idp.intercept = () => false;
      stack.permissions.recover();
    });
    const login = async (): Promise<LiveSession> => sessionOf(await stack.login(), stack.origin);
    const left = async ({ handle, key }: LiveSession): Promise<number> => {
      const records = await admin().exists(key, sessionKey(defaultSessionKeyPrefix, handle));
      const entry = await admin().zscore(ownerKeys(user).index, handle);
      return records + (entry === null ? 0 : 1);
    };
    /** What is there of a revocation whose process dies before it ends a session, and whose job is lost. */
    const raiseEpoch = async (owner = user): Promise<void> => {
      const seq = await admin().incr(revokeSeqKey);
      await admin().set(ownerKeys(owner).epoch, seq, 'EX', 600);
    };
    const uses = () => stack.idp.refreshes.used + stack.idp.refreshes.refused;

    it('reg-A10: that was revoked ends where a heartbeat would slide it', async () => {
      const session = await login();
      await shorten(admin(), session, 300);
      await raiseEpoch();
      expect((await heartbeat(stack.origin, session)).status).toBe(401);
      expect(await left(session)).toBe(0);
    });

    it('that was revoked ends where extauthz reports it in use, and holds up no other report', async () => {
      const session = await login();
      await raiseEpoch();
      const later = await login();
      for (const one of [session, later]) await shorten(admin(), one, 300);
      await until(async () => (await admin().exists('extauthz:activity')) === 1);
      for (const { handle } of [session, later]) {
        await admin().xadd('extauthz:activity', '*', 'h', handle);
      }
      await until(async () => (await left(session)) === 0);
      await until(async () => (await deadlineOf(admin(), later)) > now() + 1700);
    });

    it('reg-A10: that was revoked ends without a use of its refresh token', async () => {
      const session = await login();
      const before = uses();
      await raiseEpoch();
      expect((await postRefresh(stack.origin, session)).status).toBe(401);
      expect(uses()).toBe(before);
      expect(await left(session)).toBe(0);
    });

    it.each(['sub', 'sid'] as const)(
      'reg-A27: whose %s was logged out at the provider ends at its refresh, without a use of the token',
      async (by) => {
        const session = await login();
        const [iss, sub, sid] = await admin().hmget(session.key, 'iss', 'sub', 'sid');
        expect([iss, sub]).toEqual([stack.idp.issuer, 'auth0|ada']);
        expect(sid).toMatch(/./);
        const before = uses();
        const owner =
          by === 'sub' ? subOwner(iss ?? '', sub ?? '') : sidOwner(iss ?? '', sid ?? '');
        await raiseEpoch(owner);
        expect((await postRefresh(stack.origin, session)).status).toBe(401);
        expect(uses()).toBe(before);
        expect(await left(session)).toBe(0);
      },
    );

    it('that is revoked meanwhile ends after its refresh, and what that brought is revoked', async () => {
      const session = await login();
      const revoked = stack.idp.count('/token/revocation');
      stack.idp.intercept = (request, response) => {
        if (request.url !== '/token') return false;
        stack.idp.intercept = () => false;
        void raiseEpoch().then(() => stack.idp.handle(request, response));
        return true;
      };
      await expireTokens(admin(), session);
      expect((await heartbeat(stack.origin, session)).status).toBe(401);
      expect(await left(session)).toBe(0);
      // By the refresh, and by the end of the session, which had them for a moment.
      await until(() => stack.idp.count('/token/revocation') > revoked);
    });

    it('whose login is ended at the provider leaves no entry in an index', async () => {
      const session = await login();
      stack.idp.intercept = (request, response) => {
        if (request.url !== '/token') return false;
        request.resume();
        response.writeHead(400, { 'Content-Type': 'application/json' });
        response.end('{"error":"invalid_grant"}');
        return true;
      };
      await expireTokens(admin(), session);
      expect((await heartbeat(stack.origin, session)).status).toBe(401);
      expect(await left(session)).toBe(0);
    });

    describe('whose permissions are pushed', () => {
      const pushRoles = (role: string) =>
        exchange(`${stack.managementOrigin}/internal/v1/sessions/users/user-7/permissions`, {
          method: 'PUT',
          headers: [
            ['Authorization', `Bearer ${token}`],
            ['Content-Type', 'application/json'],
          ],
          body: JSON.stringify({ roles: [role], permissions: [] }),
        });

      it('has the cap lifted that stood there for want of them', async () => {
        const session = await login();
        const limit = now() + 100;
        await admin().hset(session.key, 'perm_fresh_until', limit, 'token_expires_at', '');
        stack.permissions.answer = answerText(503, 'down');
        expect((await heartbeat(stack.origin, session)).status).toBe(200);
        expect(await deadlineOf(admin(), session)).toBe(limit);

        const push = await pushRoles('GUEST');
        expect(push.status).toBe(204);
        expect(await deadlineOf(admin(), session)).toBeGreaterThan(limit + 600);
        expect(await admin().hget(session.key, 'cap_at')).toBe('');
      });

      it('keeps them over a refresh that asked before', async () => {
        const session = await login();
        stack.idp.intercept = (request, response) => {
          if (request.url !== '/token') return false;
          stack.idp.intercept = () => false;
          // Between its question to the permission service and its store.
          void pushRoles('PUSHED').then(() => {
            stack.permissions.answer = answerText(503, 'down');
            stack.idp.handle(request, response);
          });
          return true;
        };
        expect((await postRefresh(stack.origin, session)).status).toBe(200);
        expect(await tokenVersion(admin(), session)).toBe(2);
        expect(await admin().hget(session.key, 'roles')).toBe('PUSHED');
      });
    });
  },
  { appendOnly: true },
);
