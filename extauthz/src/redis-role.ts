import { Cluster } from 'ioredis';
import type { RedisConnection } from '@sallyport/shared/runtime';

/**
 * Whether the connection leads to a primary. A replica's reads may be stale, so it must not answer
 * for sessions (TRUST R7).
 */
export async function isWritablePrimary(redis: RedisConnection): Promise<boolean> {
  if (redis instanceof Cluster) {
    await redis.ping();
    return true;
  }
  const [role] = (await redis.role()) as [string];
  return role === 'master';
}
