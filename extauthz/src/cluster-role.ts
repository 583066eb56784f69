import { redisErrorReason } from '@sallyport/shared/runtime';
import type { Cluster } from 'ioredis';
import { nodeNamed, ownerNames, ownKey } from './cluster-slots.js';
import type { RedisRole } from './redis-role.js';

/** How often each primary is asked, and for how long one answer is good, ms. */
const interval = 500;
const proofLifetime = 1_500;

/**
 * A Cluster's replica answers MOVED by itself and need not be told from a primary. Whether we may
 * read, and whether the Cluster serves at all, is asked of every primary by reading as a check does.
 */
export function clusterRole(
  cluster: Cluster,
  options: { prefix: string; now: () => number; onError: (reason: string) => void },
): RedisRole {
  const { prefix, now, onError } = options;
  const primaries = new Map<string, { key: () => string; provedAt: number }>();
  let timer: NodeJS.Timeout | undefined;

  const askOne = async (name: string): Promise<void> => {
    const known = primaries.get(name);
    const primary = known ?? { key: ownKey(cluster, prefix, name), provedAt: -Infinity };
    primaries.set(name, primary);
    const node = nodeNamed(cluster, name);
    if (node === undefined) return;
    const sent = now();
    try {
      await node.hmget(primary.key(), 'user_id');
      primary.provedAt = Math.max(primary.provedAt, sent);
    } catch (error) {
      const reason = redisErrorReason(error);
      onError(reason);
      // No answer proves nothing either way; a refusal does.
      if (reason !== 'TIMEOUT' && reason !== 'CONNECTION') primary.provedAt = -Infinity;
    }
  };

  const ask = (): void => {
    const names = ownerNames(cluster);
    for (const name of primaries.keys()) if (!names.has(name)) primaries.delete(name);
    for (const name of names) void askOne(name);
  };

  const always = (): boolean => true;
  const nothing = (): void => undefined;
  return {
    name: 'redis role',
    confirm: nothing,
    vouches: always,
    vouched: always,
    // Asked by reading anyway.
    refused: nothing,
    // One is enough: a replica that is not ready could not serve the sessions of the others either.
    isReady: () => [...primaries.values()].some(({ provedAt }) => now() - provedAt < proofLifetime),
    start: () => {
      cluster.on('ready', ask);
      timer = setInterval(ask, interval);
      return Promise.resolve();
    },
    stop: () => {
      cluster.off('ready', ask);
      clearInterval(timer);
      return Promise.resolve();
    },
  };
}
