import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  defaultSessionKeyPrefix,
  gatewaySessionKey,
  newSessionId,
  sessionHandle,
} from '@sallyport/shared';
import { RedisSessionStore } from '../../session-gateway/src/sessions/redis-session-store.js';
import { aNewSession } from '../support/builders.js';
import { reportFigure } from '../support/figures.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { describeOnRedis, users } from '../support/redis.js';
import { deadlineOf, metric, type LiveSession } from '../support/replicas.js';
import { until } from '../support/until.js';

const stream = 'extauthz:activity';
const largestId = '18446744073709551615-18446744073709551615';
const rebuilt = 'gateway_activity_stream_repairs_total{kind="rebuilt"}';
const now = (): number => Math.floor(Date.now() / 1000);
/** It takes the gateway seconds; one that never does it must not hold up the run. */
const patience = 30_000;

for (const kind of ['6.2', '7'] as const) {
  describeOnRedis(
    kind,
    `the activity stream on Redis ${kind}, spoilt,`,
    (redis) => {
      let stack: GatewayStack;
      let store: RedisSessionStore;
      const admin = () => redis().admin;
      const resumed: number[] = [];
      beforeAll(async () => {
        store = new RedisSessionStore(await redis().connect(users.writer), {
          prefix: defaultSessionKeyPrefix,
        });
        stack = await startGatewayStack(redis());
        await until(async () => (await admin().exists(stream)) === 1);
      });
      afterAll(async () => {
        await stack.close();
        const name = `sliding-resumes-milliseconds-redis-${kind}`;
        reportFigure({ name, value: Math.max(...resumed), goal: { atMost: 5000 } });
      });

      /** A session that would end in 100 seconds if nobody reported it in use. */
      const begin = async (): Promise<LiveSession> => {
        const handle = sessionHandle(newSessionId(), 'hashed');
        const lifetimes = { idleSeconds: 100, absoluteSeconds: 36_000 };
        await store.create(handle, aNewSession(), lifetimes);
        return { handle, cookie: '', key: gatewaySessionKey(defaultSessionKeyPrefix, handle) };
      };
      /** As extauthz reports it: it never makes the stream. */
      const isReported = async ({ handle }: LiveSession): Promise<boolean> => {
        try {
          return (await admin().xadd(stream, 'NOMKSTREAM', '*', 'h', handle)) !== null;
        } catch {
          return false;
        }
      };
      const slides = async (session: LiveSession): Promise<void> => {
        const from = performance.now();
        await until(() => isReported(session));
        await until(async () => (await deadlineOf(admin(), session)) > now() + 1700);
        resumed.push(Math.round(performance.now() - from));
      };

      it(
        'reg-A16: by an id that would block it for ever is rebuilt, and sliding goes on',
        async () => {
          const session = await begin();
          const results = await admin()
            .multi()
            .xadd(stream, largestId, 'h', 'poison')
            .xadd(stream, '*', 'h', session.handle)
            .exec();
          expect(String(results?.[1]?.[0])).toMatch(/exhausted|smaller/);
          await slides(session);
          expect(await metric(stack.managementOrigin, rebuilt)).toBe(1);
        },
        patience,
      );

      it.each<[string, () => Promise<unknown>]>([
        ['by FLUSHALL', () => admin().flushall()],
        ['by another key of its name', () => admin().set(stream, 'a string', 'EX', 100)],
      ])(
        'reg-A16: %s is there again, and sliding goes on',
        async (_how, spoil) => {
          await admin().del(stream);
          await spoil();
          await slides(await begin());
        },
        patience,
      );
    },
    { appendOnly: true },
  );
}
