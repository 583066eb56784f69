import { join } from 'node:path';
import { defaultSessionCookieName } from '@sallyport/shared';
import type { Goal } from '../goals.js';
import { ask, type Target } from '../load/asker.js';
import { grpcAsker } from '../load/grpc-asker.js';
import { httpAsker } from '../load/http-asker.js';
import { sessionIdAt } from '../load/sessions.js';
import { collectedMemory, probeOptions } from '../parts/memory-probe-client.js';
import { benchRedis, sessionReads } from '../parts/redis.js';
import { startExtauthz, type Service } from '../parts/services.js';
import type { Scenario } from '../scenario.js';
import { seedSessions } from '../seeding.js';
import type { Workbench } from '../workbench.js';

const counts = { full: 100_000, quick: 20_000 };
/** For 100,000 sessions; fewer may take as much less. */
const mostMib = 60;
const mib = 2 ** 20;
const connections = 64;
/** Of the last pass over all sessions, how many had to come from the cache for the figure to count. */
const cachedShare = 0.99;
const mostPasses = 5;
const mostAttempts = 20;

export const memory: Scenario = {
  name: 'memory',
  about:
    'Memory of 100,000 cached sessions over the same process idle, after forced collections, for each transport',
  run: async (bench, { seed, quick }) => {
    const sessions = quick ? counts.quick : counts.full;
    const redis = await benchRedis(bench);
    await seedSessions(redis, seed, { from: 0, to: sessions });
    const world = { bench, seed, sessions, redis };
    const [http, grpc] = [await measured(world, 'http'), await measured(world, 'grpc')];
    return {
      tables: [],
      notes: [http.note, grpc.note],
      goals: [http.goal, grpc.goal],
    };
  },
};

interface World {
  readonly bench: Workbench;
  readonly seed: string;
  readonly sessions: number;
  readonly redis: Awaited<ReturnType<typeof benchRedis>>;
}

/** What a transport keeps with a session is its own: each has a process of its own here. */
async function measured(
  { bench, seed, sessions, redis }: World,
  protocol: Target['protocol'],
): Promise<{ note: string; goal: Goal }> {
  const name = protocol === 'http' ? 'memory' : 'memory-grpc';
  const probeFile = join(bench.directory, `${name}.json`);
  const service = await startExtauthz(bench, {
    name: `extauthz-${name}`,
    redisPort: redis.process.port,
    // Room for all of them, whatever share of its bound the cache keeps for newcomers.
    cacheEntries: 2 * sessions,
    ...probeOptions(probeFile),
  });
  const askFor = (count: number) => askForAll(service, protocol, seed, count);
  // Code is compiled and buffers are grown before "idle" is measured.
  for (let pass = 0; pass < 3; pass += 1) await askFor(1_000);
  const idle = await collectedMemory(service.pid(), probeFile);
  let hits = 0;
  // A cache that admits on second sight needs two passes; the last one shows what it kept.
  for (let pass = 0; pass < mostPasses && hits < cachedShare; pass += 1) {
    const before = await sessionReads(redis.admin);
    await askFor(sessions);
    hits = 1 - ((await sessionReads(redis.admin)) - before) / sessions;
    // Nothing at all after two passes: there is no cache to fill.
    if (pass > 0 && hits < 0.01) break;
  }
  const full = await collectedMemory(service.pid(), probeFile);
  const heap = (full.heapUsed + full.external - idle.heapUsed - idle.external) / mib;
  return {
    note:
      `${name}: heap and external ${toMib(idle.heapUsed + idle.external)} MiB idle, ` +
      `${toMib(full.heapUsed + full.external)} MiB full; RSS ${toMib(idle.rss)} MiB idle, ` +
      `${toMib(full.rss)} MiB full; served from the cache in the last pass: ${hits.toFixed(3)}`,
    goal: {
      name: `${name}-${sessions}`,
      measured: heap,
      atMost: (mostMib * sessions) / counts.full,
      unit: 'MiB',
      ...(hits < cachedShare ? { invalid: `only ${hits.toFixed(3)} were cached` } : {}),
    },
  };
}

/** Every session of 0 … count - 1 once, each answer checked. */
async function askForAll(
  service: Service,
  protocol: Target['protocol'],
  seed: string,
  count: number,
): Promise<void> {
  let next = 0;
  const target: Target = {
    protocol,
    port: protocol === 'http' ? service.httpPort : service.grpcPort,
    cookieName: defaultSessionCookieName,
    path: '/api/orders',
    userHeader: 'x-user-id',
  };
  const worker = async (): Promise<void> => {
    const asker = protocol === 'http' ? httpAsker(target) : grpcAsker(target, 1);
    while (next < count) {
      const index = next;
      next += 1;
      let status = 0;
      // A 503 is "cannot know right now": on a busy machine some reads miss their deadline.
      for (let attempt = 0; attempt < mostAttempts && status !== 200; attempt += 1) {
        ({ status } = await ask(asker, sessionIdAt(seed, index)));
        if (status !== 200 && status !== 503) break;
      }
      if (status !== 200) throw new Error(`session ${index} was answered ${status}`);
    }
    asker.close();
  };
  await Promise.all(Array.from({ length: connections }, worker));
}

function toMib(bytes: number): string {
  return (bytes / mib).toFixed(1);
}
