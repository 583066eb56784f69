import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import {
  defaultSessionKeyPrefix,
  gatewaySessionKey,
  newSessionId,
  sessionHandle,
} from '@sallyport/shared';
import { activity } from '../../extauthz/src/activity.js';
import { RedisSessionStore } from '../../session-gateway/src/sessions/redis-session-store.js';
import { aNewSession, aSession } from '../support/builders.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { describeOnRedis, users } from '../support/redis.js';
import { deadlineOf, metric, shorten, type LiveSession } from '../support/replicas.js';
import { until } from '../support/until.js';

const stream = 'extauthz:activity';
const now = (): number => Math.floor(Date.now() / 1000);

for (const kind of ['6.2', '7'] as const) {
  describeOnRedis(
    kind,
    `the activity stream on Redis ${kind}`,
    (redis) => {
      let stack: GatewayStack;
      let store: RedisSessionStore;
      const admin = () => redis().admin;
      beforeAll(async () => {
        store = new RedisSessionStore(await redis().connect(users.writer), {
          prefix: defaultSessionKeyPrefix,
        });
        stack = await startGatewayStack(redis(), { GATEWAY_ACTIVITY_CLAIM_AFTER_MS: '100' });
      });
      afterAll(() => stack.close());
      beforeEach(() => until(async () => (await admin().exists(stream)) === 1));

      /** A session that would end in 100 seconds if nobody reported it in use. */
      const begin = async (): Promise<LiveSession> => {
        const handle = sessionHandle(newSessionId(), 'hashed');
        const lifetimes = { idleSeconds: 100, absoluteSeconds: 36_000 };
        await store.create(handle, aNewSession(), lifetimes);
        return { handle, cookie: '', key: gatewaySessionKey(defaultSessionKeyPrefix, handle) };
      };
      const isSlid = async (session: LiveSession): Promise<boolean> =>
        (await deadlineOf(admin(), session)) > now() + 1700;
      const pending = async (): Promise<number> => {
        const [count] = (await admin().xpending(stream, 'gateway')) as [number];
        return count;
      };

      it('slides a session that extauthz reports in use, by its own user', async () => {
        const session = await begin();
        const reader = await redis().connect(users.reader);
        const sent: number[] = [];
        const reports = activity({
          redis: reader,
          idleSeconds: 1800,
          now: () => performance.now(),
          onSent: (count) => sent.push(count),
          onDropped: () => undefined,
        });
        await reports.start();
        reports.used(session.handle, aSession({ expiresAt: now() + 100 }), Date.now());
        await reports.stop();
        expect(sent).toEqual([1]);
        await until(() => isSlid(session));
        await until(async () => (await pending()) === 0);
        expect(await admin().pttl(stream)).toBeGreaterThan(0);
        expect(await admin().zscore('gateway:refresh-due', session.handle)).not.toBeNull();
      });

      it('reg-A17: counts a report from when it was made, and one from the future as now', async () => {
        await admin().flushall();
        await until(async () => (await admin().exists(stream)) === 1);
        const [late, early] = [await begin(), await begin()];
        const madeAt = now() - 600;
        await admin().xadd(stream, `${String(madeAt)}000-1`, 'h', late.handle);
        await until(async () => (await deadlineOf(admin(), late)) === madeAt + 1800);
        await admin().xadd(stream, `${String(now() + 50)}000-1`, 'h', early.handle);
        await until(() => isSlid(early));
        expect(await deadlineOf(admin(), early)).toBeLessThanOrEqual(now() + 1800);
      });

      it('reg-A36: ignores what is no report, and confirms it', async () => {
        await until(async () => (await admin().xadd(stream, '*', 'h', '../../etc')) !== null);
        await admin().xadd(stream, '*', 'x', 'y', 'z', 'h');
        await admin().xadd(stream, '*', 'h', sessionHandle(newSessionId(), 'hashed'));
        const ignored = 'gateway_activity_events_total{outcome="ignored"}';
        await until(async () => (await metric(stack.managementOrigin, ignored)) >= 2);
        await until(async () => (await pending()) === 0);
      });

      it('reg-A36: has what a dead replica read and did not confirm done by another, trimmed entries too', async () => {
        const session = await begin();
        const id = await admin().xadd(stream, '*', 'h', session.handle);
        const trimmed = await admin().xadd(stream, '*', 'h', session.handle);
        await until(() => isSlid(session));
        await until(async () => (await pending()) === 0);
        await shorten(admin(), session, 100);
        // As if another consumer had read both and died; then one of them is trimmed away.
        await admin()
          .multi()
          .xclaim(stream, 'gateway', 'dead', 0, String(id), String(trimmed), 'FORCE', 'JUSTID')
          .xdel(stream, String(trimmed))
          .exec();
        await until(() => isSlid(session));
        await until(async () => (await pending()) === 0);
      });
    },
    { appendOnly: true },
  );
}
