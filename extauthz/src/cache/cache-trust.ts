import type { SessionHandle } from '@sallyport/shared';
import {
  openRedisOnce,
  type RedisConfig,
  type RedisConnection,
  type Unit,
} from '@sallyport/shared/runtime';
import { Cluster, type Redis } from 'ioredis';
import type { RedisRole } from '../redis-role.js';
import type { Trust } from './cached-session-reader.js';
import { clusterTrust } from './cluster-trust.js';
import { invalidationLink, type InvalidationLinkOptions } from './invalidation-link.js';
import { proveByWriting } from './prove-by-writing.js';
import { sameServerTrust } from './same-server-trust.js';

const timeouts = { command: 1000, connect: 1000 };

export interface CacheTrust {
  readonly trust: Trust;
  /** For the metric: wholly trusted. */
  readonly isTrusted: (now: number) => boolean;
  readonly owner?: (handle: SessionHandle) => Redis | undefined;
  readonly units: readonly Unit[];
}

/** When memory may answer, by how Redis is run. */
export function cacheTrust(world: {
  redis: RedisConnection;
  links: Omit<InvalidationLinkOptions, 'open'>;
  role: RedisRole;
  /** The secrets of a new connection may have changed. */
  currentRedis: () => RedisConfig;
  onError: (reason: string) => void;
}): CacheTrust {
  const { redis, links, role, currentRedis, onError } = world;
  const { now, onFlush, prefix } = links;
  if (redis instanceof Cluster) {
    const openLink = (node: RedisConfig['nodes'][number]) =>
      invalidationLink({
        ...links,
        open: () =>
          openRedisOnce({ ...currentRedis(), mode: 'standalone', nodes: [node] }, timeouts),
      });
    return clusterTrust({ cluster: redis, prefix, openLink, onFlush, now, onError });
  }
  const link = invalidationLink({ ...links, open: () => openRedisOnce(currentRedis(), timeouts) });
  // The link proves that changes arrive, not that they are a primary's: it cannot ask for ROLE.
  const { vouched } = role;
  // A single server has no replicas whose absence could make it refuse a write.
  const prove = currentRedis().mode === 'sentinel' ? proveByWriting : noProof;
  return sameServerTrust({ redis, link, vouched, prove, now, onError });
}

const noProof = (): Promise<void> => Promise.resolve();
