import { defaultSessionCookieName } from '@sallyport/shared';
import { ask, type Asker } from '../load/asker.js';
import { httpAsker } from '../load/http-asker.js';
import { randomNumbers, sessionIdAt } from '../load/sessions.js';
import { sessionReads, type BenchRedis } from '../parts/redis.js';
import type { Service } from '../parts/services.js';
import { holdsWithin, pause } from '../poll.js';
import { keyOfSession, seedSessions } from '../seeding.js';
import { disturb, type Condition, type Disturbers } from './conditions.js';
import { trial, type Trial } from './trial.js';

export interface ConditionResult {
  readonly trials: readonly Trial[];
  /** Batches whose sessions were all served from the cache right before. */
  readonly cachedBatches: number;
  readonly batches: number;
  /** Invalidation links that the disturbances met, together. */
  readonly linksMet: number;
}

/** A cache that is off or blind for longer than this counts as not there. */
const cachePatience = 3_000;
const batchMark = 20;

/** Revokes `count` sessions under a condition, each watched by a keep-alive connection of its own. */
export async function runCondition(
  condition: Condition,
  parts: { redis: BenchRedis; service: Service; disturbers: Disturbers; seed: string },
  count: number,
): Promise<ConditionResult> {
  const { redis, service, disturbers } = parts;
  const seed = `${parts.seed}/revocation/${condition.name}`;
  const random = randomNumbers(seed);
  await seedSessions(redis, seed, { from: 0, to: count });
  const askers = Array.from({ length: condition.batch }, () => askerOf(service));
  const trials: Trial[] = [];
  let [batches, cachedBatches, linksMet] = [0, 0, 0];
  let patience = cachePatience;
  for (let first = 0; first < count; first += condition.batch) {
    const indexes = Array.from(askers.keys(), (at) => first + at).filter((at) => at < count);
    const cached = await holdsWithin(patience, () =>
      areCached(
        redis,
        askers,
        indexes.map((index) => sessionIdAt(seed, index)),
      ),
    );
    batches += 1;
    if (cached) cachedBatches += 1;
    // A service without a cache need not be waited for a thousand times.
    else if (cachedBatches === 0) patience = 0;
    linksMet += (await disturb(condition, disturbers)) ?? 0;
    const results = await Promise.all(
      indexes.map(async (index, at) => {
        await pauseUpTo(condition.spreadMs * random());
        const revoke = (): Promise<unknown> => redis.admin.del(keyOfSession(seed, index));
        return trial(askers[at] as Asker, sessionIdAt(seed, index), revoke, condition.pauseMs);
      }),
    );
    trials.push(...results);
    disturbers.proxy.thaw();
  }
  for (const asker of askers) asker.close();
  return { trials, cachedBatches, batches, linksMet };
}

/** Whether checks of these sessions leave Redis alone (other load may cause a few reads). */
export async function areCached(
  redis: BenchRedis,
  askers: readonly Asker[],
  ids: readonly string[],
): Promise<boolean> {
  const rounds = Math.ceil(batchMark / ids.length);
  const before = await sessionReads(redis.admin);
  for (let round = 0; round < rounds; round += 1) {
    const answers = await Promise.all(ids.map((id, at) => ask(askers[at] as Asker, id)));
    const failed = answers.find(({ status }) => status !== 200);
    if (failed !== undefined) return false;
  }
  return (await sessionReads(redis.admin)) - before < (rounds * ids.length) / 2;
}

async function pauseUpTo(milliseconds: number): Promise<void> {
  if (milliseconds > 0) await pause(milliseconds);
}

export function askerOf(service: Service): Asker {
  return httpAsker({
    protocol: 'http',
    port: service.httpPort,
    cookieName: defaultSessionCookieName,
    path: '/api/orders',
    userHeader: 'x-user-id',
  });
}
