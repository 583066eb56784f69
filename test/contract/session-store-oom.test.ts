import { describe, expect, it } from '@jest/globals';
import { defaultSessionKeyPrefix, newSessionId, sessionHandle } from '@sallyport/shared';
import { RedisSessionStore } from '../../session-gateway/src/sessions/redis-session-store.js';
import { aNewSession } from '../support/builders.js';
import { describeOnRedis, users, type TestRedis } from '../support/redis.js';

const hour = { idleSeconds: 1800, absoluteSeconds: 3600 };

function suite(redis: () => TestRedis): void {
  it('reg-A13: refuses logins whole, and still finds, slides and above all removes', async () => {
    const [admin] = redis().admins;
    const store = new RedisSessionStore(await redis().connect(users.writer), {
      prefix: defaultSessionKeyPrefix,
    });
    const old = sessionHandle(newSessionId(), 'hashed');
    const created = await store.create(old, aNewSession(), hour);
    await admin?.config('SET', 'maxmemory', '1');
    const next = sessionHandle(newSessionId(), 'hashed');
    await expect(store.create(next, aNewSession(), hour)).rejects.toThrow('OOM');
    expect(await admin?.dbsize()).toBe(2);
    expect(await store.find(old)).toStrictEqual(created);
    expect(await store.slide(old, 2000)).toBeGreaterThan(created.expiresAt);
    expect(await store.remove(old)).toBe(true);
    expect(await admin?.dbsize()).toBe(0);
    await admin?.config('SET', 'maxmemory', '0');
    expect(await store.create(next, aNewSession(), hour)).toBeDefined();
    await admin?.config('SET', 'maxmemory', '1');
    expect(await store.take(next)).toBeDefined();
    expect(await admin?.dbsize()).toBe(0);
    await admin?.config('SET', 'maxmemory', '0');
  });
}

describe('SessionStore when Redis’s memory is full', () => {
  describeOnRedis('6.2', 'Redis 6.2', suite);
  describeOnRedis('7', 'Redis 7', suite);
});
