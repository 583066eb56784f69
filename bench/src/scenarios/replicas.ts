import { startBenchEnvoy } from '../parts/envoy.js';
import { benchRedis } from '../parts/redis.js';
import { startExtauthz } from '../parts/services.js';
import { measure } from '../rounds.js';
import type { Scenario } from '../scenario.js';
import { seedSessions } from '../seeding.js';
import { variant } from '../variants.js';

const sessions = 1_000;

export const replicas: Scenario = {
  name: 'replicas',
  about: 'One and two extauthz behind one Envoy, HTTP mode, saturating',
  run: async (bench, { seed, timing }) => {
    const redis = await benchRedis(bench);
    await seedSessions(redis, seed, { from: 0, to: sessions });
    const redisPort = redis.process.port;
    const services = await Promise.all(
      ['a', 'b', 'c'].map((name) => startExtauthz(bench, { name: `extauthz-${name}`, redisPort })),
    );
    const asked = { protocol: 'http', redis, seed, sessions, namesUser: true } as const;
    const one = services.slice(0, 1);
    const two = services.slice(1);
    const oneEnvoy = await startBenchEnvoy(bench, { name: 'one', mode: 'http', authorizers: one });
    const twoEnvoy = await startBenchEnvoy(bench, { name: 'two', mode: 'http', authorizers: two });
    const rows = await measure(
      [
        variant(bench, { ...asked, name: 'one replica', services: one, envoy: oneEnvoy }),
        variant(bench, { ...asked, name: 'two replicas', services: two, envoy: twoEnvoy }),
      ],
      timing,
    );
    return { tables: [{ title: replicas.about, rows }], notes: [], goals: [] };
  },
};
