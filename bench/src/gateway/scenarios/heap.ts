import { join } from 'node:path';
import { benchRedis } from '../../parts/redis.js';
import { collectedMemory, probeOptions } from '../../parts/memory-probe-client.js';
import type { Scenario } from '../../scenario.js';
import { startPeers } from '../load/peers-process.js';
import { gatewayApplication, gatewayLogin, startGateway } from '../parts.js';

const mib = 2 ** 20;
const logins = { quick: [500, 1_000], full: [5_000, 10_000] } as const;

export const heap: Scenario = {
  name: 'gateway-heap',
  about: 'Heap after forced collections, from the 5,000th to the 10,000th login',
  run: async (bench, { quick }) => {
    const redis = await benchRedis(bench, { appendOnly: true });
    const application = await gatewayApplication();
    const peers = await startPeers(bench, [application.client]);
    const file = join(bench.directory, 'memory.json');
    const gateway = await startGateway(bench, {
      name: 'gateway',
      application,
      redis,
      peers,
      ...probeOptions(file),
    });
    const [first, last] = quick ? logins.quick : logins.full;
    const load = peers.load(gatewayLogin(gateway.port));
    const logIn = async (count: number): Promise<void> => {
      const result = await load.run({ milliseconds: 300_000, checks: count, pids: [] });
      if (result.checks === count && Object.keys(result.failures).length === 0) return;
      throw new Error(`${result.checks} of ${count} logins, ${JSON.stringify(result.failures)}`);
    };
    await logIn(first);
    const early = await collectedMemory(gateway.pid(), file);
    await logIn(last - first);
    const late = await collectedMemory(gateway.pid(), file);
    const of = ({ heapUsed, external }: NodeJS.MemoryUsage): number => (heapUsed + external) / mib;
    const measured = of(late) - of(early);
    const notes = [
      `gateway-heap: heap and external ${of(early).toFixed(1)} MiB after ${first} logins, ` +
        `${of(late).toFixed(1)} MiB after ${last}; RSS ${(early.rss / mib).toFixed(0)} and ` +
        `${(late.rss / mib).toFixed(0)} MiB`,
      ...(quick
        ? [
            'gateway-heap: --quick looks from the 500th to the 1,000th login, when the heap still ' +
              'settles: it shows a gross leak and nothing else',
          ]
        : []),
    ];
    return {
      tables: [],
      notes,
      goals: [{ name: 'gateway-heap', measured, atMost: 3, unit: 'MiB' }],
    };
  },
};
