import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  defaultSessionKeyPrefix as prefix,
  leftTokensKey,
  leftTokensPlan,
  newSessionId,
  sessionHandle,
  subOwner,
  type SessionHandle,
} from '@sallyport/shared';
import type { Redis } from 'ioredis';
import { LeftTokens } from '../../session-gateway/src/sessions/left-tokens.js';
import { OwnerSweep } from '../../session-gateway/src/sessions/owner-sweep.js';
import { RedisSessionIndex } from '../../session-gateway/src/sessions/redis-session-index.js';
import { RedisSessionStore } from '../../session-gateway/src/sessions/redis-session-store.js';
import { ownersOf } from '../../session-gateway/src/sessions/session-owners.js';
import { PlainLink } from '../../session-gateway/src/sessions/write-link.js';
import { aNewSession } from '../support/builders.js';
import { describeOnRedis, users, type TestRedis } from '../support/redis.js';
import { dump } from '../support/redis-dump.js';
import { until } from '../support/until.js';

const hour = { idleSeconds: 1800, absoluteSeconds: 3600 };
const all = { idps: ['other', aNewSession().profile.idp] };

function suite(redis: () => TestRedis): void {
  let left: LeftTokens;
  let store: RedisSessionStore;
  let sweep: OwnerSweep;
  let dropped: number;
  beforeEach(async () => {
    await Promise.all(redis().admins.map((admin) => admin.flushall()));
    dropped = 0;
    await use();
  });

  async function use(options: { limit?: number; lease?: number } = {}): Promise<void> {
    const connection = await redis().connect(users.writer);
    const link = new PlainLink(connection);
    left = new LeftTokens(connection, {
      ...{ prefix, lease: 0, ...options },
      onDropped: (count) => (dropped += count),
    });
    store = new RedisSessionStore(connection, { prefix, link, left });
    const index = new RedisSessionIndex(connection, 3600);
    sweep = new OwnerSweep({
      ...{ redis: connection, link, index, prefix, left, tokensToRevoke: all },
    });
    enter = (handle) => index.enter(ownersOf(aNewSession()), handle, 0);
  }
  let enter: (handle: SessionHandle) => Promise<unknown>;

  async function aSession(sealedTokens = 'sealed'): Promise<SessionHandle> {
    const handle = sessionHandle(newSessionId(), 'hashed');
    await enter(handle);
    await store.create(handle, aNewSession({ sealedTokens }), hour);
    return handle;
  }
  /** As the gateway does it: the plan has another slot in a Cluster. */
  async function end(handle: SessionHandle, tokens = all): Promise<void> {
    await store.take(handle, undefined, tokens);
    await left.planTaken(handle);
  }
  const entries = async () => (await dump(redis())).filter(({ key }) => /^gateway:left/.test(key));
  const entryOf = async (handle: SessionHandle) =>
    (await entries()).find(({ key }) => key === leftTokensKey(prefix, handle));

  it('leaves the tokens of a session that ends, as sealed as they were, and whose they are', async () => {
    const handle = await aSession('sealed by k1');
    await end(handle);
    const [one, ...others] = await left.claim(10);
    const { profile } = aNewSession();
    expect(one).toMatchObject({ handle, idp: profile.idp, iss: profile.iss, sub: profile.sub });
    expect(one?.sealedTokens).toBe('sealed by k1');
    expect(Math.abs((one?.endedAt ?? 0) - Date.now() / 1000)).toBeLessThan(30);
    expect(others).toEqual([]);
    for (const { ttl } of await entries()) {
      expect(ttl).toBeGreaterThan(0);
      expect(ttl).toBeLessThanOrEqual(86_400_000);
    }
  });

  it('leaves those of a sweep too', async () => {
    const handles = [await aSession('one'), await aSession('two')];
    const { profile } = aNewSession();
    const swept = await sweep.sweep({ owner: subOwner(profile.iss, profile.sub), seq: 1e15 });
    expect(swept.ended).toBe(2);
    const claimed = await left.claim(10);
    expect(claimed.map(({ handle }) => handle).sort()).toEqual(handles.sort());
    expect(claimed.map(({ sealedTokens }) => sealedTokens).sort()).toEqual(['one', 'two']);
    expect(claimed.every(({ endedAt }) => endedAt > 1e9)).toBe(true);
  });

  it('leaves nothing where nothing is to be revoked, and nothing of a session that is none', async () => {
    await store.take(sessionHandle(newSessionId(), 'hashed'), undefined, all);
    await store.take(await aSession());
    await store.take(await aSession(), undefined, { idps: ['other'] });
    const { profile } = aNewSession();
    await store.take(await aSession(), undefined, { ...all, replacedBy: profile });
    expect(await entries()).toEqual([]);
    await store.take(await aSession(), undefined, { ...all, replacedBy: { ...profile, sub: 'x' } });
    expect(await entries()).not.toEqual([]);
  });

  it('lets each be claimed by one, until its lease is over or it is put off', async () => {
    await use({ lease: 60_000 });
    const handle = await aSession();
    await end(handle);
    // Whoever ended it is at it.
    expect(await left.claim(10)).toEqual([]);
    await left.postpone(handle, 0);
    expect(await Promise.all([left.claim(10), left.claim(10)])).toContainEqual([]);
    expect(await left.claim(10)).toEqual([]);
    await left.postpone(handle, 0);
    expect(await left.claim(10)).toHaveLength(1);
  });

  it('keeps nothing of one that is done, and postpones none back into being', async () => {
    const handle = await aSession();
    await end(handle);
    await left.done(handle);
    await left.postpone(handle, 0);
    expect(await entries()).toEqual([]);
    expect(await left.reseal(handle, () => Promise.resolve('anew'))).toBeUndefined();
  });

  it('has room for so many only: the oldest go, with all that is left of them, and are counted', async () => {
    await use({ limit: 3 });
    const connection = await redis().connect(users.writer);
    const handles: SessionHandle[] = [];
    for (let index = 0; index < 5; index += 1) {
      const handle = await aSession();
      await end(handle);
      // Not all in one millisecond. To be put off makes none younger.
      await connection.zadd(leftTokensPlan.ended, 'XX', index + 1, handle);
      await left.postpone(handle, 1000 - index);
      handles.push(handle);
    }
    expect(dropped).toBe(2);
    expect((await left.all()).sort()).toEqual(handles.slice(2).sort());
    expect(await left.size()).toBe(3);
    for (const gone of handles.slice(0, 2)) {
      await until(async () => (await entryOf(gone)) === undefined);
    }
  });

  it('gives up what is a day old', async () => {
    const handle = await aSession();
    await end(handle);
    const connection = await redis().connect(users.writer);
    await connection.zadd(leftTokensPlan.ended, Date.now() - 86_500_000, handle);
    expect(await left.claim(10)).toEqual([]);
    expect(dropped).toBe(1);
    expect(await left.size()).toBe(0);
  });

  it('passes over what is not of our making, and what has run out', async () => {
    const [handle, other] = [await aSession(), await aSession()];
    await end(handle);
    await end(other);
    const connection = await redis().connect(users.writer);
    await connection.zadd(leftTokensPlan.due, 0, 'nonsense');
    await connection.set(leftTokensKey(prefix, handle), '{"idp":1', 'PX', 1000);
    await connection.del(leftTokensKey(prefix, other));
    expect(await left.claim(10)).toEqual([]);
    expect(await connection.zcard(leftTokensPlan.due)).toBe(0);
  });

  it('is sealed anew in place, for no longer, and not over what has changed', async () => {
    const handle = await aSession('old');
    await end(handle);
    const ttl = (await entryOf(handle))?.ttl ?? 0;
    expect(await left.reseal(handle, () => Promise.resolve('new'))).toBe(true);
    expect(await left.reseal(handle, () => Promise.resolve('new'))).toBe(false);
    expect((await entryOf(handle))?.ttl).toBeLessThanOrEqual(ttl);
    const late = left.reseal(handle, async () => {
      await left.done(handle);
      return 'late';
    });
    expect(await late).toBeUndefined();
    expect(await entries()).toEqual([]);
  });

  it('ends sessions where memory is full, and where the plan is damaged', async () => {
    const [first, second] = [await aSession(), await aSession()];
    await each(redis().admins, (admin) => admin.config('SET', 'maxmemory', '1'));
    try {
      await end(first);
      const { profile } = aNewSession();
      await sweep.sweep({ owner: subOwner(profile.iss, profile.sub), seq: 1e15 });
      expect(await Promise.all([store.exists(first), store.exists(second)])).toEqual([
        false,
        false,
      ]);
      expect(await left.claim(10)).toHaveLength(2);
    } finally {
      await each(redis().admins, (admin) => admin.config('SET', 'maxmemory', '0'));
    }
    const third = await aSession();
    const connection = await redis().connect(users.writer);
    await connection.del(leftTokensPlan.due, leftTokensPlan.ended);
    await connection.set(leftTokensPlan.due, 'of another type', 'PX', 60_000);
    await end(third);
    expect(await store.exists(third)).toBe(false);
  });
}

async function each(admins: readonly Redis[], act: (admin: Redis) => Promise<unknown>) {
  await Promise.all(admins.map(act));
}

describe('tokens that sessions leave', () => {
  describeOnRedis('6.2', 'on Redis 6.2', suite);
  describeOnRedis('7', 'on Redis 7', suite);
  describeOnRedis('cluster', 'on Redis Cluster', suite);
});
