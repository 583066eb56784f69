import type { Redis } from 'ioredis';
import type { TestRedis } from './redis.js';

export interface Entry {
  readonly key: string;
  readonly type: string;
  /** As PTTL: -1 means never. */
  readonly ttl: number;
  readonly value: unknown;
}

/** Every key of every server with its content: what a thief of Redis would have. */
export async function dump(redis: Pick<TestRedis, 'admins'>): Promise<Entry[]> {
  const perServer = await Promise.all(redis.admins.map(dumpOne));
  return perServer.flat();
}

/** What is kept of a session or of a login under way: not the indexes, plans and counters around them. */
export async function records(redis: Pick<TestRedis, 'admins'>): Promise<Entry[]> {
  const around =
    /^(?:extauthz:activity|gateway:(?:user|sub|sid|epoch|revoke-seq|revoke-due|refresh-due|left|contract|ack|jti))\b/;
  return (await dump(redis)).filter(({ key }) => !around.test(key));
}

async function dumpOne(admin: Redis): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const keys of admin.scanStream({ count: 500 })) {
    for (const key of keys as string[]) {
      const [type, ttl] = await Promise.all([admin.type(key), admin.pttl(key)]);
      // Gone since the SCAN saw it.
      if (type !== 'none') entries.push({ key, type, ttl, value: await valueOf(admin, key, type) });
    }
  }
  return entries;
}

function valueOf(admin: Redis, key: string, type: string): Promise<unknown> {
  if (type === 'hash') return admin.hgetall(key);
  if (type === 'string') return admin.get(key);
  if (type === 'zset') return admin.zrange(key, 0, -1, 'WITHSCORES');
  if (type === 'stream') return admin.xrange(key, '-', '+');
  if (type === 'list') return admin.lrange(key, 0, -1);
  return admin.smembers(key);
}
