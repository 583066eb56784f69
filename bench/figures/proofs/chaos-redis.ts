import { benchRedis } from '../../src/parts/redis.js';
import { startExtauthz } from '../../src/parts/services.js';
import { holdsWithin } from '../../src/poll.js';
import type { Proof } from '../figure.js';
import { startTraffic, target } from '../traffic/traffic.js';
import { verdictFigures, verdictNote } from './verdict-figures.js';

const patience = 2_000;

export const chaosRedis: Proof = {
  name: 'chaos-redis',
  about: 'Checks over HTTP and gRPC while Redis (AOF on) is killed and started again',
  minutes: 8,
  run: async (bench, { seed, short }) => {
    const { checks, kills, rate } = short
      ? { checks: 5_000, kills: 2, rate: 1_500 }
      : { checks: 210_000, kills: 10, rate: 2_500 };
    const redis = await benchRedis(bench, { durable: true });
    const service = await startExtauthz(bench, { name: 'extauthz', redisPort: redis.process.port });
    const traffic = startTraffic(bench, redis, {
      targets: [target('http', service.httpPort), target('grpc', service.grpcPort)],
      seed,
      checks,
      rate,
    });
    let seen = 0;
    for (let kill = 1; kill <= kills; kill += 1) {
      await traffic.reach((kill * checks) / (kills + 1));
      const before = traffic.trouble();
      await redis.process.kill();
      // Down for as long as it takes to be missed: a kill that nobody met proves nothing.
      if (await holdsWithin(patience, () => traffic.trouble() > before)) seen += 1;
      await redis.process.restart();
    }
    const verdict = await traffic.verdict();
    const { name } = chaosRedis;
    return {
      notes: [verdictNote(name, verdict)],
      figures: [
        { name: `${name}-checks`, value: verdict.checks, goal: { atLeast: checks } },
        { name: `${name}-kills`, value: seen, goal: { atLeast: kills } },
        ...verdictFigures(name, verdict),
      ],
    };
  },
};
