import { ratio, type Goal } from '../goals.js';
import { sessionIdAt } from '../load/sessions.js';
import { benchRedis } from '../parts/redis.js';
import { startExtauthz } from '../parts/services.js';
import { measure } from '../rounds.js';
import { areCached, askerOf } from '../revocation/run-condition.js';
import type { Scenario, ScenarioResult } from '../scenario.js';
import { seedSessions } from '../seeding.js';
import { variant } from '../variants.js';

/** The short form keeps the proportion: ten sessions to every place in the cache. */
const scale = {
  full: { cacheEntries: 100_000, sizes: [1_000, 100_000, 1_000_000] },
  quick: { cacheEntries: 5_000, sizes: [50_000] },
};

export const growth: Scenario = {
  name: 'growth',
  about: 'HTTP, direct, uniformly random sessions, a cache of 100,000 entries (--quick: 5,000)',
  run: async (bench, { seed, timing, quick }) => {
    const { cacheEntries, sizes } = quick ? scale.quick : scale.full;
    const redis = await benchRedis(bench);
    const redisPort = redis.process.port;
    const tables: ScenarioResult['tables'][number][] = [];
    let goal: Goal | undefined;
    let seeded = 0;
    for (const size of sizes) {
      await seedSessions(redis, seed, { from: seeded, to: size });
      seeded = size;
      // Fresh ones for each size: what an earlier size left in a cache is no part of this one.
      const cached = await startExtauthz(bench, {
        name: `extauthz-${size}`,
        redisPort,
        cacheEntries,
      });
      const uncached = await startExtauthz(bench, {
        name: `extauthz-${size}-cache-off`,
        redisPort,
        cacheEntries: 0,
      });
      const common = { protocol: 'http', redis, seed, sessions: size, namesUser: true } as const;
      const rows = await measure(
        [
          variant(bench, { ...common, name: 'bounded cache', services: [cached] }),
          variant(bench, { ...common, name: 'cache off', services: [uncached] }),
        ],
        // Until a full cache turns over: a half-empty one is cheaper than it will ever be again.
        { ...timing, warmUpMs: 60_000, warmUpChecks: 4 * cacheEntries },
      );
      tables.push({ title: `${growth.about}: ${size.toLocaleString('en')} sessions`, rows });
      goal = ratio(`uniform-${size}`, rows, 'sum', ['bounded cache', 'cache off'], 1.05);
      const asker = askerOf(cached);
      const caches = await areCached(redis, [asker], [sessionIdAt(seed, 0)]);
      asker.close();
      // Without a cache both columns are the same service.
      if (!caches) goal = { ...goal, invalid: 'nothing was cached' };
      await Promise.all([cached.child.kill(), uncached.child.kill()]);
    }
    const notes = quick
      ? ['growth: --quick has a twentieth of the sessions, and of the cache; the goal is for all']
      : [];
    return { tables, notes, goals: goal === undefined ? [] : [goal] };
  },
};
