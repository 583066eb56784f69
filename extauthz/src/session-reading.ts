import type { SessionHandle } from '@sallyport/shared';
import type {
  Logger,
  RedisConfig,
  RedisConnection,
  Registry,
  Unit,
} from '@sallyport/shared/runtime';
import { Cluster } from 'ioredis';
import { cacheMetrics } from './cache/cache-metrics.js';
import { cacheTrust } from './cache/cache-trust.js';
import { cachedSessionReader, type CachedSessionReader } from './cache/cached-session-reader.js';
import { clusterRole } from './cluster-role.js';
import type { Config } from './config.js';
import type { Events } from './events.js';
import { redisBreaker } from './redis-breaker.js';
import { redisMetrics } from './redis-metrics.js';
import { watchedRole, type RedisRole, type RedisRoleOptions } from './redis-role.js';
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
  const breaker = redisBreaker(redis, { prefix: config.keyPrefix, now: monotonic });
  const role = roleOf({
    redis,
    prefix: config.keyPrefix,
    now: monotonic,
    onError: events.redisError,
    logger,
  });
  const { isReady } = role;
  const metrics = redisMetrics(registry, redis);
  const links = {
    prefix: config.keyPrefix,
    onInvalidate: (handle: SessionHandle) => cached.invalidate(handle),
    onFlush: () => cached.flush(),
    onArmed: metrics.onArmed,
    now: monotonic,
    logger,
  };
  const cache =
    config.cacheEntries === 0
      ? undefined
      : cacheTrust({ redis, links, role, currentRedis, onError: events.redisError });
  const source = redisSessionReader({
    redis,
    ...(cache?.owner && { owner: cache.owner }),
    prefix: config.keyPrefix,
    breaker,
    role,
    now: monotonic,
    onError: events.redisError,
    onCorrupt: events.corruptRecord,
    onRead: metrics.onRead,
  });
  if (cache === undefined) {
    const find: SessionReader['find'] = async (handle) => (await source.read(handle)).lookup;
    return { reader: { find, known: () => undefined }, isReady, units: [role, breaker] };
  }
  const cached: CachedSessionReader = cachedSessionReader({
    source,
    maxEntries: config.cacheEntries,
    trust: cache.trust,
    now: monotonic,
    events: cacheMetrics(registry, {
      size: () => cached.size(),
      bytes: () => cached.bytes(),
      negatives: () => cached.negatives(),
      isTrusted: () => cache.isTrusted(monotonic()),
    }),
  });
  return { reader: cached, isReady, units: [role, breaker, ...cache.units] };
}

function roleOf(options: RedisRoleOptions): RedisRole {
  return options.redis instanceof Cluster
    ? clusterRole(options.redis, options)
    : watchedRole(options.redis, options);
}
