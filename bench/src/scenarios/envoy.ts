import { ratio } from '../goals.js';
import { startBenchEnvoy } from '../parts/envoy.js';
import { benchRedis } from '../parts/redis.js';
import { startBaseline, startExtauthz, type Service } from '../parts/services.js';
import { measure, type Variant } from '../rounds.js';
import type { Scenario } from '../scenario.js';
import { seedSessions } from '../seeding.js';
import { variant } from '../variants.js';

const sessions = 1_000;

export const throughEnvoy: Scenario = {
  name: 'envoy-http',
  about: 'Through Envoy, 64 keep-alive connections, upstream inside Envoy, CPU-ms per request',
  run: async (bench, { seed, timing }) => {
    const redis = await benchRedis(bench);
    await seedSessions(redis, seed, { from: 0, to: sessions });
    const redisPort = redis.process.port;
    const httpNoop = await startBaseline(bench, 'http-noop');
    const grpcNoop = await startBaseline(bench, 'grpc-noop');
    const ours = await startExtauthz(bench, { name: 'extauthz', redisPort });

    const column = async (
      name: string,
      mode: 'http' | 'grpc',
      services: readonly Service[],
      namesUser: boolean,
    ): Promise<Variant> => {
      const file = `envoy-${name.replaceAll(/[^a-z-]+/gi, '-')}`;
      const envoy = await startBenchEnvoy(bench, { name: file, mode, authorizers: services });
      const asked = { protocol: 'http', services, envoy, seed, sessions, name, namesUser } as const;
      // An idle Redis is no part of a no-op's cost.
      return variant(bench, namesUser ? { ...asked, redis } : asked);
    };
    const rows = await measure(
      [
        await column('Envoy, no ext_authz', 'http', [], false),
        await column('Envoy + HTTP no-op', 'http', [httpNoop], false),
        await column('Envoy + extauthz HTTP', 'http', [ours], true),
        await column('Envoy + gRPC no-op', 'grpc', [grpcNoop], false),
        await column('Envoy + extauthz gRPC', 'grpc', [ours], true),
      ],
      timing,
    );
    return {
      tables: [{ title: throughEnvoy.about, rows }],
      notes: [],
      goals: [
        ratio(
          'envoy-http-total',
          rows,
          'total',
          ['Envoy + extauthz HTTP', 'Envoy + HTTP no-op'],
          1.15,
        ),
      ],
    };
  },
};
