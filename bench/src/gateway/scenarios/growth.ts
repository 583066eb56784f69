import { pairedRatio } from '../../goals.js';
import { benchRedis } from '../../parts/redis.js';
import { measure, type Variant } from '../../rounds.js';
import type { Scenario } from '../../scenario.js';
import { startPeers } from '../load/peers-process.js';
import { gatewayApplication, startGateway } from '../parts.js';
import { seedPairs } from '../seeding.js';
import { connections, gatewayTiming, timingNote, variantOf } from '../variants.js';

const sizes = [1_000, 100_000] as const;

export const growth: Scenario = {
  name: 'gateway-growth',
  about: 'Heartbeat as sessions grow: two Redis servers side by side, one gateway each',
  run: async (bench, settings) => {
    const { seed } = settings;
    const applications = [await gatewayApplication(), await gatewayApplication()];
    const peers = await startPeers(
      bench,
      applications.map(({ client }) => client),
    );
    const variants: Variant[] = [];
    for (const [index, count] of sizes.entries()) {
      const application = applications[index];
      if (application === undefined) throw new Error('a gateway for each size');
      const redis = await benchRedis(bench, { appendOnly: true });
      await seedPairs(redis, seed, count);
      const name = nameOf(count);
      const gateway = await startGateway(bench, { name, application, redis, peers });
      variants.push(
        variantOf({
          name,
          peers,
          work: {
            kind: 'get',
            port: gateway.port,
            connections,
            path: '/auth/v1/session',
            sessions: { seed, count, order: 'random' },
          },
          services: [gateway],
          redis,
        }),
      );
    }
    const timing = gatewayTiming(settings);
    // Two whole processes side by side differ by a few per cent from round to round.
    const rounds = settings.quick ? 5 : timing.rounds;
    const rows = await measure(variants, { ...timing, rounds });
    const names = [nameOf(sizes[1]), nameOf(sizes[0])] as const;
    return {
      tables: [{ title: growth.about, rows }],
      notes: [timingNote(growth.name, { ...timing, rounds })],
      goals: [pairedRatio('gateway-heartbeat-100000', rows, 'sum', names, 1.1)],
    };
  },
};

function nameOf(count: number): string {
  return `${count.toLocaleString('en')} sessions`;
}
