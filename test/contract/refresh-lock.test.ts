import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  newSessionId,
  refreshDueKey,
  refreshLockKey,
  sessionHandle,
  type SessionHandle,
} from '@sallyport/shared';
import { RefreshDue } from '../../session-gateway/src/sessions/refresh-due.js';
import {
  RefreshLock,
  type HeldLock,
  type LockAttempt,
} from '../../session-gateway/src/sessions/refresh-lock.js';
import { describeOnRedis, users, type TestRedis } from '../support/redis.js';
import { dump } from '../support/redis-dump.js';
import { until } from '../support/until.js';

const aHandle = (): SessionHandle => sessionHandle(newSessionId(), 'hashed');

function suite(redis: () => TestRedis): void {
  let one: RefreshLock;
  let other: RefreshLock;
  let dues: RefreshDue[];
  beforeAll(async () => {
    const options = { retryAfter: 100, memory: 60_000, lease: 500 };
    const connections = [
      await redis().connect(users.writer),
      await redis().connect(users.writer),
    ] as const;
    one = new RefreshLock(connections[0], options);
    other = new RefreshLock(connections[1], options);
    dues = connections.map((connection) => new RefreshDue(connection));
  });

  const held = (attempt: LockAttempt): HeldLock => {
    if (attempt.outcome !== 'held') throw new Error(`not held but ${attempt.outcome}`);
    return attempt.lock;
  };
  /** Asks until the lock is not somebody's any more. */
  const eventually = async (handle: SessionHandle, version: number): Promise<LockAttempt> => {
    let attempt: LockAttempt = { outcome: 'busy' };
    await until(async () => {
      attempt = await other.acquire(handle, version);
      return attempt.outcome !== 'busy' && attempt.outcome !== 'resting';
    });
    return attempt;
  };

  it('reg-52: is one caller’s of many', async () => {
    const handle = aHandle();
    const attempts = await Promise.all(
      Array.from({ length: 50 }, (_, index) => (index % 2 ? one : other).acquire(handle, 1)),
    );
    expect(attempts.filter(({ outcome }) => outcome === 'held')).toHaveLength(1);
    expect(attempts.filter(({ outcome }) => outcome === 'busy')).toHaveLength(49);
    for (const attempt of attempts) if (attempt.outcome === 'held') attempt.lock.abandon();
  });

  it('is free again when it was released, by its owner only', async () => {
    const handle = aHandle();
    const first = held(await one.acquire(handle, 1));
    expect(await first.markInFlight()).toBe(true);
    await first.release();
    const second = held(await other.acquire(handle, 2));
    await first.release();
    expect((await one.acquire(handle, 2)).outcome).toBe('busy');
    expect(second.isRetry).toBe(false);
    await second.release();
  });

  it('reg-A39: gives no mark to an owner that lost it', async () => {
    const handle = aHandle();
    const paused = held(await one.acquire(handle, 1));
    await Promise.all(redis().admins.map((admin) => admin.flushall()));
    const next = held(await other.acquire(handle, 1));
    expect(await paused.markInFlight()).toBe(false);
    expect(await next.markInFlight()).toBe(true);
    paused.abandon();
    await next.release();
  });

  it('reg-A39: lets a token of unknown fate be tried once more, and never again', async () => {
    const handle = aHandle();
    const first = held(await one.acquire(handle, 1));
    await first.markInFlight();
    first.abandon();
    const retry = held(await eventually(handle, 1));
    expect(retry.isRetry).toBe(true);
    await retry.markInFlight();
    retry.abandon();
    expect(await eventually(handle, 1)).toEqual({ outcome: 'spent' });
    // New tokens, a new count.
    const fresh = held(await one.acquire(handle, 2));
    expect(fresh.isRetry).toBe(false);
    await fresh.release();
  });

  it('counts one use of a mark that reached Redis twice', async () => {
    const handle = aHandle();
    const first = held(await one.acquire(handle, 1));
    await first.markInFlight();
    // As ioredis does on a Cluster where the reply to the first was lost.
    await first.markInFlight();
    first.abandon();
    const retry = held(await eventually(handle, 1));
    expect(retry.isRetry).toBe(true);
    await retry.release();
  });

  it('remembers the first use also where the second holder dies before its mark', async () => {
    const handle = aHandle();
    const first = held(await one.acquire(handle, 1));
    await first.markInFlight();
    first.abandon();
    held(await eventually(handle, 1)).abandon();
    const third = held(await eventually(handle, 1));
    expect(third.isRetry).toBe(true);
    await third.release();
  });

  it('reg-A39: keeps what is counted of a token although a caller comes that read before the last refresh', async () => {
    for (const uses of [1, 2]) {
      const handle = aHandle();
      for (let use = 0; use < uses; use += 1) {
        const holder = held(await eventually(handle, 2));
        await holder.markInFlight();
        holder.abandon();
      }
      // Paused since before the refresh that brought version 2; it finds that out and lets go.
      const late = await eventually(handle, 1);
      if (late.outcome === 'held') await late.lock.release();
      const next = await eventually(handle, 2);
      expect(next).toMatchObject(
        uses === 1 ? { outcome: 'held', lock: { isRetry: true } } : { outcome: 'spent' },
      );
      if (next.outcome === 'held') next.lock.abandon();
    }
  });

  it('reg-A39: remembers a use of unknown fate when a holder lets go without having used it', async () => {
    const handle = aHandle();
    const first = held(await one.acquire(handle, 1));
    await first.markInFlight();
    first.abandon();
    // Redis failed it, say, when it looked at the session.
    await held(await eventually(handle, 1)).release();
    const retry = held(await one.acquire(handle, 1));
    expect(retry.isRetry).toBe(true);
    await retry.markInFlight();
    retry.settle();
    await retry.release();
    const fresh = held(await one.acquire(handle, 2));
    expect(fresh.isRetry).toBe(false);
    await fresh.release();
  });

  it('reg-A39: counts no use where nothing was sent after the mark', async () => {
    const handle = aHandle();
    for (const isRetry of [false, false, false]) {
      const holder = held(await one.acquire(handle, 1));
      expect(holder.isRetry).toBe(isRetry);
      await holder.markInFlight();
      holder.unmark();
      await holder.release();
    }
    const first = held(await one.acquire(handle, 1));
    await first.markInFlight();
    first.abandon();
    // The one use that may have been its last stays counted, and is the only one.
    for (const isRetry of [true, true]) {
      const holder = held(await eventually(handle, 1));
      expect(holder.isRetry).toBe(isRetry);
      await holder.markInFlight();
      holder.unmark();
      await holder.release();
    }
  });

  it('reg-A39: says that a token is used up only when the retry’s own lease is over', async () => {
    const handle = aHandle();
    const first = held(await one.acquire(handle, 1));
    await first.markInFlight();
    first.abandon();
    const retry = held(await eventually(handle, 1));
    await retry.markInFlight();
    // Its answer may still come, and it is paid for: renewed, it is held beyond every lease.
    expect((await one.acquire(handle, 1)).outcome).toBe('busy');
    retry.abandon();
    expect(await eventually(handle, 1)).toEqual({ outcome: 'spent' });
  });

  it('rests after a failure, and knows afterwards whether the token may be spent', async () => {
    for (const fate of ['unspent', 'unknown'] as const) {
      const handle = aHandle();
      const first = held(await one.acquire(handle, 1));
      await first.markInFlight();
      await first.rest(fate);
      expect((await other.acquire(handle, 1)).outcome).toBe('resting');
      const second = held(await eventually(handle, 1));
      expect(second.isRetry).toBe(fate === 'unknown');
      await second.markInFlight();
      await second.rest('unknown');
      // An answer that did not come is no reason to stop for ever: only silence twice is.
      const third = held(await eventually(handle, 1));
      await third.release();
    }
  });

  it('counts no use that was seen to fail: a holder that dies in an outage is the first', async () => {
    const handle = aHandle();
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const seen = held(await eventually(handle, 1));
      expect(seen.isRetry).toBe(attempt > 0);
      await seen.markInFlight();
      await seen.rest('unknown');
    }
    const unsent = held(await eventually(handle, 1));
    await unsent.markInFlight();
    await unsent.rest('unspent');
    for (let unseen = 0; unseen < 2; unseen += 1) {
      const dying = held(await eventually(handle, 1));
      expect(dying.isRetry).toBe(true);
      await dying.markInFlight();
      dying.abandon();
    }
    expect(await eventually(handle, 1)).toEqual({ outcome: 'spent' });
  });

  it.each<[string, (lock: HeldLock) => Promise<void>, RegExp | null]>([
    ['a failure without an answer', (lock) => lock.rest('unknown'), /^\?\|1\|0\|/],
    ['a failure before anything was sent', (lock) => lock.rest('unspent'), /^\|1\|0\|/],
    ['that nothing was sent after the mark', (lock) => (lock.unmark(), lock.release()), null],
  ])('tells Redis again, which was away, of %s', async (_, tell, told) => {
    const handle = aHandle();
    const [away, there] = [
      await redis().connect(users.writer),
      await redis().connect(users.writer),
    ] as const;
    const lock = new RefreshLock(away, { retryAfter: 10_000, memory: 60_000 });
    const holder = held(await lock.acquire(handle, 1));
    await holder.markInFlight();
    const value = () => there.get(refreshLockKey(handle));
    expect(await value()).toMatch(/\|1\|1\|/);
    away.disconnect(true);
    await expect(tell(holder)).rejects.toThrow();
    // Untold, it would be the holder's until its lease is over, and count as a use nobody saw end.
    await until(async () => {
      const now = await value();
      return told === null ? now === null : now !== null && told.test(now);
    });
  });

  it('lives in a key that ends by itself', async () => {
    const handle = aHandle();
    const lock = held(await one.acquire(handle, 1));
    const ttl = async (): Promise<number> =>
      (await dump(redis())).find(({ key }) => key === refreshLockKey(handle))?.ttl ?? 0;
    expect(await ttl()).toBeGreaterThan(0);
    await lock.markInFlight();
    expect(await ttl()).toBeGreaterThan(0);
    await lock.rest('unknown');
    expect(await ttl()).toBeGreaterThan(0);
  });

  it('shares sessions that are due among replicas: each to one, until its lease is over', async () => {
    const [due, another] = dues;
    if (due === undefined || another === undefined) throw new Error('none');
    const handles = Array.from({ length: 60 }, aHandle);
    await Promise.all(handles.map((handle, index) => due.plan(handle, index < 50 ? 1 : 4e9)));
    const claims = await Promise.all(
      Array.from({ length: 10 }, (_, index) => (index % 2 ? due : another).claim(10, 60)),
    );
    const claimed = claims.flatMap(({ handles: some }) => some);
    expect(claimed.sort()).toEqual(handles.slice(0, 50).sort());
    expect(await another.claim(10, 60)).toMatchObject({ handles: [], lateBy: 0 });
    const [first] = handles;
    if (first === undefined) throw new Error('none');
    await due.planIfNone(first, 1);
    expect(await another.claim(10, 60)).toMatchObject({ handles: [] });
    await due.plan(first, 1);
    expect(await another.claim(10, 60)).toMatchObject({ handles: [first] });
    await Promise.all(handles.map((handle) => due.forget(handle)));
  });

  it('tells Redis’s time with a claim, and how long the first had been due by it', async () => {
    const [due] = dues;
    if (due === undefined) throw new Error('none');
    const [late, later] = [aHandle(), aHandle()];
    const { now } = await due.claim(10, 60);
    expect(Math.abs(now - Date.now() / 1000)).toBeLessThan(60);
    await due.plan(late, now - 40);
    await due.plan(later, now - 30);
    const claimed = await due.claim(10, 60);
    expect(claimed).toMatchObject({ handles: [late, later], lateBy: claimed.now - now + 40 });
    await Promise.all([late, later].map((handle) => due.forget(handle)));
  });

  it('plans nothing sooner than after the wait, whatever the clock of who plans says', async () => {
    const [due] = dues;
    if (due === undefined) throw new Error('none');
    const handles = Array.from({ length: 3 }, aHandle) as [
      SessionHandle,
      SessionHandle,
      SessionHandle,
    ];
    const { now } = await due.claim(10, 60);
    await due.plan(handles[0], now - 600, 300);
    await due.planIfNone(handles[1], now - 600, 300);
    await due.plan(handles[2], now + 900, 300);
    expect(await due.claim(10, 60)).toMatchObject({ handles: [] });
    const plan = (await dump(redis())).find(({ key }) => key === refreshDueKey)?.value as string[];
    const [first, second, third] = handles.map((handle) => Number(plan[plan.indexOf(handle) + 1]));
    for (const one of [first, second]) {
      expect(one).toBeGreaterThanOrEqual(now + 300);
      expect(one).toBeLessThan(now + 400);
    }
    expect(third).toBe(now + 900);
    await Promise.all(handles.map((handle) => due.forget(handle)));
  });
}

describe('the refresh lock and the plan', () => {
  describeOnRedis('6.2', 'Redis 6.2', suite);
  describeOnRedis('7', 'Redis 7', suite);
  describeOnRedis('cluster', 'Redis Cluster', suite);
});
