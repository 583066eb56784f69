import {
  openRedisOnce,
  type Logger,
  type RedisConnection,
  type Registry,
  type Unit,
} from '@sallyport/shared/runtime';
import { cacheMetrics } from './cache/cache-metrics.js';
import { cachedSessionReader } from './cache/cached-session-reader.js';
import { invalidationLink } from './cache/invalidation-link.js';
import type { Config } from './config.js';
import type { Events } from './events.js';
import { redisBreaker } from './redis-breaker.js';
import { redisSessionReader } from './redis-session-reader.js';
import type { SessionReader } from './session-reader.js';

/** Milliseconds that only grow: what trust and deadlines are measured with. */
export const monotonic = (): number => performance.now();

/** How sessions are read: from Redis, and from memory in front of it unless that is switched off. */
export function sessionReading(world: {
  config: Config;
  redis: RedisConnection;
  registry: Registry;
  logger: Logger;
  events: Pick<Events, 'redisError' | 'corruptRecord'>;
}): { reader: SessionReader; units: readonly Unit[] } {
  const { config, redis, registry, logger, events } = world;
  const breaker = redisBreaker(redis, monotonic);
  const source = redisSessionReader({
    redis,
    prefix: config.keyPrefix,
    breaker,
    now: monotonic,
    onError: events.redisError,
    onCorrupt: events.corruptRecord,
  });
  // A Cluster has one link per primary to arm; until that is built, every check asks Redis.
  if (config.cacheEntries === 0 || config.redis.mode === 'cluster') {
    const find: SessionReader['find'] = async (handle) => (await source.read(handle)).lookup;
    return { reader: { find }, units: [breaker] };
  }
  const link = invalidationLink({
    open: () => openRedisOnce(config.redis, { command: 1000, connect: 1000 }),
    prefix: config.keyPrefix,
    onInvalidate: (handle) => cached.invalidate(handle),
    onFlush: () => cached.flush(),
    now: monotonic,
    logger,
  });
  const cached = cachedSessionReader({
    source,
    maxEntries: config.cacheEntries,
    trust: link,
    now: monotonic,
    events: cacheMetrics(registry, {
      size: () => cached.size(),
      negatives: () => cached.negatives(),
      isTrusted: () => link.isTrusted(monotonic()),
    }),
  });
  return { reader: cached, units: [breaker, link] };
}
