import { ratio } from '../goals.js';
import { benchRedis } from '../parts/redis.js';
import { startBaseline, startExtauthz } from '../parts/services.js';
import { measure } from '../rounds.js';
import type { Scenario } from '../scenario.js';
import { seedSessions } from '../seeding.js';
import { variant } from '../variants.js';

const sessions = 1_000;

export const grpcHot: Scenario = {
  name: 'grpc-hot',
  about: 'gRPC, direct, 2 connections of 32 streams, saturating, CheckRequest of 833 bytes',
  run: async (bench, { seed, timing }) => {
    const redis = await benchRedis(bench);
    await seedSessions(redis, seed, { from: 0, to: sessions });
    const redisPort = redis.process.port;
    const noop = await startBaseline(bench, 'grpc-noop');
    const cached = await startExtauthz(bench, { name: 'extauthz', redisPort });
    const uncached = await startExtauthz(bench, {
      name: 'extauthz-cache-off',
      redisPort,
      cacheEntries: 0,
    });
    const noneOfRedis = { protocol: 'grpc', seed, sessions } as const;
    const common = { ...noneOfRedis, redis, namesUser: true } as const;
    const rows = await measure(
      [
        variant(bench, {
          ...noneOfRedis,
          name: 'grpc-js no-op',
          services: [noop],
          namesUser: false,
        }),
        variant(bench, { ...common, name: 'extauthz', services: [cached] }),
        variant(bench, { ...common, name: 'extauthz, cache off', services: [uncached] }),
      ],
      timing,
    );
    return {
      tables: [{ title: grpcHot.about, rows }],
      notes: [],
      goals: [ratio('grpc-hot', rows, 'sum', ['extauthz', 'grpc-js no-op'], 1.3)],
    };
  },
};
