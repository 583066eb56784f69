import { defaultSessionCookieName } from '@sallyport/shared';
import type { Goal } from '../goals.js';
import { startLoad } from '../load/load-process.js';
import { benchRedis } from '../parts/redis.js';
import { startExtauthz } from '../parts/services.js';
import { percentile } from '../statistics.js';
import { seedSessions } from '../seeding.js';
import type { Workbench } from '../workbench.js';
import { loadRate, type Condition } from './conditions.js';
import { freezingProxy } from './freezing-proxy.js';
import { runCondition, type ConditionResult } from './run-condition.js';
import type { Trial } from './trial.js';

export interface RevocationResult {
  readonly note: string;
  readonly goals: readonly Goal[];
}

const otherSessions = 1_000;
const longest = 15 * 60_000;

/** Revocation to first denial under one condition, on a fresh service and Redis. */
export async function measureRevocation(
  bench: Workbench,
  condition: Condition,
  seed: string,
  count: number,
): Promise<RevocationResult> {
  const redis = await benchRedis(bench);
  await seedSessions(redis, seed, { from: 0, to: otherSessions });
  const proxy = await freezingProxy(bench, redis.process.port);
  const redisPort = condition.name === 'frozen' ? proxy.port : redis.process.port;
  const service = await startExtauthz(bench, { name: 'extauthz', redisPort });
  const load = bench.keep(
    startLoad({
      target: {
        protocol: 'http',
        port: service.httpPort,
        cookieName: defaultSessionCookieName,
        path: '/api/orders',
        userHeader: 'x-user-id',
      },
      connections: 16,
      streams: 1,
      seed,
      sessions: otherSessions,
      namesUser: true,
      rate: loadRate,
    }),
    (one) => one.stop(),
  );
  if (condition.name === 'loaded') {
    // Ended with the bench, long before its own time is over.
    load.run({ milliseconds: longest, pids: [] }).catch(() => undefined);
  }
  const disturbers = { admin: redis.admin, proxy, load };
  const result = await runCondition(condition, { redis, service, disturbers, seed }, count);
  return reportOn(condition, result);
}

function reportOn(condition: Condition, result: ConditionResult): RevocationResult {
  const { trials, batches, cachedBatches, linksMet } = result;
  const latencies = trials.map(({ latency }) => latency);
  const sum = (field: 'allowsAfterBound' | 'allowsAfterDeny'): number =>
    trials.reduce((total, one: Trial) => total + one[field], 0);
  const unknown = trials.reduce((total, one) => total + one.unknown, 0);
  const unsure = trials.filter((one) => one.unknown > 0).length;
  const lastAllow = Math.max(...trials.map((one) => one.lastAllow));
  const at = (p: number): string => percentile(latencies, p).toFixed(1);
  const invalid = whyInvalid(condition, result);
  const name = `revocation-${condition.name}`;
  return {
    note:
      `${name} (${condition.about}): ${trials.length} trials, ms to the first 401: p50 ${at(0.5)} ` +
      `p99 ${at(0.99)} p99.9 ${at(0.999)} max ${at(1)}; last allow at ${lastAllow.toFixed(1)}; ` +
      `503 or no answer before the 401: ${unknown}, in ${unsure} trials; allows after the first ` +
      `401: ${sum('allowsAfterDeny')}; batches served from the cache before: ` +
      `${cachedBatches}/${batches}; links disturbed: ${linksMet}`,
    goals: [
      {
        name: `${name}-p99.9`,
        measured: percentile(latencies, 0.999),
        atMost: condition.goalMs,
        unit: 'ms',
        ...invalid,
      },
      {
        name: `${name}-allows-after-bound`,
        measured: sum('allowsAfterBound') + sum('allowsAfterDeny'),
        atMost: 0,
        unit: '',
        ...invalid,
      },
    ],
  };
}

/** A figure about a cache says nothing where nothing was cached, or where nothing was disturbed. */
function whyInvalid(
  { name }: Condition,
  { batches, cachedBatches, linksMet }: ConditionResult,
): { invalid?: string } {
  if (cachedBatches < 0.9 * batches) {
    return { invalid: `cached before the revocation in only ${cachedBatches} of ${batches}` };
  }
  const disturbs = name === 'killed' || name === 'frozen';
  return disturbs && linksMet < batches ? { invalid: 'not every disturbance met a link' } : {};
}
