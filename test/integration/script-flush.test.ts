import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { startModeStack, type ModeStack } from '../support/mode-stack.js';
import { describeOnRedis, users } from '../support/redis.js';
import { until } from '../support/until.js';

const flushesToSurvive = 100;
const journeys = 5;

/** TRUST R9: Redis forgets its scripts at a restart, at a failover, and when it is told to. */
for (const kind of ['6.2', '7'] as const) {
  describeOnRedis(
    kind,
    `both services on a Redis ${kind} that forgets its scripts all the time`,
    (redis) => {
      let stack: ModeStack;
      let admin: Redis;
      beforeAll(async () => {
        const { server } = redis();
        ({ admin } = redis());
        stack = await startModeStack({
          readerEnv: redis().env(users.reader),
          writerEnv: { REDIS_URL: server.url(users.writer) },
        });
      });
      afterAll(() => stack.close());

      const calls = async (command: string): Promise<number> => {
        const stats = await admin.info('commandstats');
        return Number(new RegExp(`cmdstat_${command}:calls=([0-9]+)`).exec(stats)?.[1] ?? 0);
      };
      const forgotten = async (): Promise<number> => {
        const stats = await admin.info('errorstats');
        return Number(/errorstat_NOSCRIPT:count=([0-9]+)/.exec(stats)?.[1] ?? 0);
      };

      /** A login, everything that runs a script behind it, and the check's view of it. */
      const journey = async (): Promise<void> => {
        const { gateway, checks, idOf, heartbeat, refresh, logout } = stack;
        const browser = await gateway.login();
        const id = idOf(browser);
        await checks.turn(id, 200, [503]);
        expect((await heartbeat(browser)).status).toBe(200);
        expect((await refresh(browser)).status).toBe(200);
        expect((await heartbeat(browser)).status).toBe(200);
        await checks.turn(id, 200, [503]);
        expect((await logout(browser)).status).toBe(200);
        await checks.turn(id, 401, [200, 503]);
      };

      it('loses no login, no refresh and no logout', async () => {
        const [noscripts, evals] = [await forgotten(), await calls('eval')];
        let flushes = 0;
        let done = 0;
        const flushing = (async () => {
          while (done < journeys || flushes < flushesToSurvive) {
            await admin.script('FLUSH');
            flushes += 1;
          }
        })();
        try {
          for (; done < journeys; done += 1) await journey();
        } finally {
          done = journeys;
          await flushing;
        }
        expect(flushes).toBeGreaterThanOrEqual(flushesToSurvive);
        // Each journey met them: create, use, refresh and end are scripts.
        expect((await forgotten()) - noscripts).toBeGreaterThanOrEqual(journeys * 4);
        expect((await calls('eval')) - evals).toBeGreaterThanOrEqual(journeys * 4);
      });

      it('sends a script in full once, not each time', async () => {
        const browser = await stack.gateway.login();
        const misses = async (): Promise<number> => {
          const before = await forgotten();
          expect((await stack.heartbeat(browser)).status).toBe(200);
          return (await forgotten()) - before;
        };
        await admin.script('FLUSH');
        expect(await misses()).toBeGreaterThan(0);
        await until(async () => (await misses()) === 0);
      });
    },
    { appendOnly: true },
  );
}
