import { Cluster, type Redis } from 'ioredis';
import type { RedisConnection } from '@sallyport/shared/runtime';

export interface RedisFitness {
  /** Why this Redis must not hold sessions. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** First releases with the fixes of CVE-2025-49844 and its companions, by minor version. */
const patched: readonly (readonly [number, number, number])[] = [
  [6, 2, 20],
  [7, 2, 11],
  [7, 4, 6],
  [8, 0, 4],
  [8, 2, 2],
];

/** Looks at every primary. @throws whatever Redis answers to INFO. */
export async function redisFitness(redis: RedisConnection): Promise<RedisFitness> {
  const nodes: Redis[] = redis instanceof Cluster ? redis.nodes('master') : [redis];
  const found = await Promise.all(nodes.map(async (node) => judge(await node.info())));
  return {
    problems: [...new Set(found.flatMap(({ problems }) => problems))],
    warnings: [...new Set(found.flatMap(({ warnings }) => warnings))],
  };
}

/** Whether the connection leads to a primary that answers; a replica would refuse every write. */
export async function isWritablePrimary(redis: RedisConnection): Promise<boolean> {
  if (redis instanceof Cluster) {
    await redis.ping();
    return true;
  }
  const [role] = (await redis.role()) as [string];
  return role === 'master';
}

/** Judges the text of INFO. */
export function judge(info: string): RedisFitness {
  const field = (name: string) =>
    new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1] ?? 'unknown';
  const version = field('redis_version');
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  const problems: string[] = [];
  const isNewEnough = major > 6 || (major === 6 && minor >= 2);
  if (!isNewEnough) {
    problems.push(`Redis ${version} is too old. Use 6.2 or newer.`);
  }
  if (field('role') !== 'master') {
    problems.push(`The Redis server is a ${field('role')}. Give the address of the primary.`);
  }
  const policy = field('maxmemory_policy');
  if (policy !== 'noeviction') {
    problems.push(
      `maxmemory-policy is ${policy}: Redis would drop sessions and revocations. Set noeviction.`,
    );
  }
  if (field('aof_enabled') !== '1') {
    problems.push('appendonly is off: a restart would log everybody out. Set appendonly yes.');
  }
  const isPatched =
    major > 8 ||
    patched.some(([a, b, c]) => a === major && b === minor && patch >= c) ||
    (major === 8 && minor > 2);
  return {
    problems,
    warnings: isPatched
      ? []
      : [`Redis ${version} may lack the fix of CVE-2025-49844 unless your distribution added it.`],
  };
}
