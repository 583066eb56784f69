import {
  openRedisOnce,
  type Logger,
  type RedisConfig,
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
import { redisRole } from './redis-role.js';
import { redisSessionReader } from './redis-session-reader.js';
import type { SessionReader } from './session-reader.js';

/** Milliseconds that only grow: what trust and deadlines are measured with. */
export const monotonic = (): number => performance.now();

export interface SessionReading {
  readonly reader: SessionReader;
  /** Whether Redis is there, is a primary, and lets us read. */
  readonly isReady: () => boolean;
  readonly units: readonly Unit[];
}

/** How sessions are read: from Redis, and from memory in front of it unless that is switched off. */
export function sessionReading(world: {
  config: Config;
  redis: RedisConnection;
  registry: Registry;
  logger: Logger;
  events: Pick<Events, 'redisError' | 'corruptRecord'>;
  /** Redis's settings as they are now: the secrets of a new connection may have changed. */
  currentRedis: () => RedisConfig;
}): SessionReading {
  const { config, redis, registry, logger, events, currentRedis } = world;
  const breaker = redisBreaker(redis, monotonic);
  const role = redisRole({
    redis,
    prefix: config.keyPrefix,
    now: monotonic,
    onError: events.redisError,
    logger,
  });
  const { isReady } = role;
  const source = redisSessionReader({
    redis,
    prefix: config.keyPrefix,
    breaker,
    role,
    now: monotonic,
    onError: events.redisError,
    onCorrupt: events.corruptRecord,
  });
  // A Cluster has one link per primary to arm; until that is built, every check asks Redis.
  if (config.cacheEntries === 0 || config.redis.mode === 'cluster') {
    const find: SessionReader['find'] = async (handle) => (await source.read(handle)).lookup;
    return { reader: { find }, isReady, units: [role, breaker] };
  }
  const link = invalidationLink({
    open: () => openRedisOnce(currentRedis(), { command: 1000, connect: 1000 }),
    prefix: config.keyPrefix,
    onInvalidate: (handle) => cached.invalidate(handle),
    onFlush: () => cached.flush(),
    now: monotonic,
    logger,
  });
  // The link proves that changes arrive, not that they are a primary's: it cannot ask for ROLE.
  const isTrusted = (now: number): boolean => link.isTrusted(now) && role.vouched(now);
  const cached = cachedSessionReader({
    source,
    maxEntries: config.cacheEntries,
    trust: { isTrusted, generation: link.generation },
    now: monotonic,
    events: cacheMetrics(registry, {
      size: () => cached.size(),
      negatives: () => cached.negatives(),
      isTrusted: () => isTrusted(monotonic()),
    }),
  });
  return { reader: cached, isReady, units: [role, breaker, link] };
}
