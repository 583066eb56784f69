import { defaultSessionCookieName } from '@sallyport/shared';
import { ratio } from '../goals.js';
import { benchRedis } from '../parts/redis.js';
import { startBaseline, startExtauthz } from '../parts/services.js';
import { measure } from '../rounds.js';
import type { Scenario } from '../scenario.js';
import { originalKeyPrefix, seedSessions } from '../seeding.js';
import { variant } from '../variants.js';

const sessions = 1_000;

export const httpHot: Scenario = {
  name: 'http-hot',
  about: 'HTTP, direct, 64 keep-alive connections, saturating, 1,000 sessions',
  run: async (bench, { seed, timing }) => {
    const redis = await benchRedis(bench);
    await seedSessions(redis, seed, { from: 0, to: sessions }, { alsoAsOriginal: true });
    const { port } = redis.process;
    const noop = await startBaseline(bench, 'http-noop');
    const cached = await startExtauthz(bench, { name: 'extauthz', redisPort: port });
    const uncached = await startExtauthz(bench, {
      name: 'extauthz-cache-off',
      redisPort: port,
      cacheEntries: 0,
    });
    const original = await startBaseline(bench, 'hgetall-per-check', {
      REDIS_PORT: String(port),
      REDIS_USERNAME: redis.adminCredentials.username,
      REDIS_PASSWORD: redis.adminCredentials.password,
      COOKIE_NAME: defaultSessionCookieName,
      KEY_PREFIX: originalKeyPrefix,
    });
    const noneOfRedis = { protocol: 'http', seed, sessions } as const;
    const common = { ...noneOfRedis, redis, namesUser: true } as const;
    const rows = await measure(
      [
        variant(bench, {
          ...noneOfRedis,
          name: 'node:http no-op',
          services: [noop],
          namesUser: false,
        }),
        variant(bench, { ...common, name: 'extauthz', services: [cached] }),
        variant(bench, { ...common, name: 'extauthz, cache off', services: [uncached] }),
        variant(bench, { ...common, name: 'HGETALL per check', services: [original] }),
      ],
      timing,
    );
    return {
      tables: [{ title: httpHot.about, rows }],
      notes: [],
      goals: [
        ratio('http-hot', rows, 'sum', ['extauthz', 'node:http no-op'], 1.5),
        ratio('redis-cpu-hot', rows, 'redis', ['extauthz', 'extauthz, cache off'], 0.05),
      ],
    };
  },
};
