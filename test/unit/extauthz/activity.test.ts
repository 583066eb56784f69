import { describe, expect, it, jest } from '@jest/globals';
import { newSessionId, sessionHandle, type SessionHandle } from '@sallyport/shared';
import type { Redis } from 'ioredis';
import { activity } from '../../../extauthz/src/activity.js';
import { someSession } from '../../support/facts.js';

const idleSeconds = 600;
const interval = (idleSeconds * 1000) / 6;
const someHandle = (): SessionHandle => sessionHandle(newSessionId(), 'hashed');

/** What would be sent, with a stream that answers as told. */
function stream() {
  const sent: unknown[][] = [];
  let answer: [Error | null, unknown] = [null, '1-0'];
  const redis = {
    pipeline: () => {
      const batch: unknown[][] = [];
      return {
        xadd: (...words: unknown[]) => batch.push(words),
        exec: () => {
          sent.push(...batch);
          return Promise.resolve(batch.map(() => answer));
        },
      };
    },
  };
  return {
    redis: redis as unknown as Redis,
    handles: () => sent.map((words) => words.at(-1)),
    words: () => sent,
    fail: () => (answer = [new Error('READONLY no'), null]),
    isMissing: () => (answer = [null, null]),
    recover: () => (answer = [null, '1-0']),
  };
}

async function over(run: (world: World) => Promise<void> | void): Promise<void> {
  let now = 0;
  let [sent, dropped] = [0, 0];
  const made = stream();
  const start = () =>
    activity({
      redis: made.redis,
      idleSeconds,
      now: () => now,
      onSent: (count) => (sent += count),
      onDropped: (count) => (dropped += count),
    });
  jest.useFakeTimers();
  const one = start();
  await one.start();
  await run({
    ...made,
    counts: () => [sent, dropped],
    use: (handle, leftSeconds = 60) =>
      one.used(handle, someSession({ expiresAt: 1_000 + leftSeconds }), 1_000_000),
    advance: (ms) => void (now += ms),
    // The next batch.
    flush: () => jest.advanceTimersByTimeAsync(200),
    stop: () => one.stop(),
  });
  await one.stop();
  jest.useRealTimers();
}

interface World extends ReturnType<typeof stream> {
  counts: () => number[];
  use: (handle: SessionHandle, leftSeconds?: number) => void;
  advance: (ms: number) => void;
  flush: () => Promise<void>;
  stop: () => Promise<void>;
}

describe('activity', () => {
  it('tells of a session once per interval, and not before half its idle time is gone', () =>
    over(async ({ use, advance, flush, handles, counts }) => {
      const [one, fresh] = [someHandle(), someHandle()];
      use(one);
      use(one);
      use(fresh, idleSeconds / 2 + 1);
      await flush();
      use(one);
      advance(interval / 4);
      await flush();
      use(one);
      await flush();
      expect(handles()).toEqual([one]);
      // At no time within the interval, whenever it began.
      for (let at = interval / 4; at < interval; at += interval / 20) {
        use(one);
        advance(interval / 20);
        await flush();
      }
      expect(handles()).toEqual([one]);
      advance(interval / 2);
      await flush();
      use(one);
      await flush();
      expect(handles()).toEqual([one, one]);
      expect(counts()).toEqual([2, 0]);
    }));

  it.each([0, 0.1, 0.3, 0.45, 0.49])(
    'tells of one in constant use no sooner than an interval, no later than one and a half (begun at %d)',
    (begun) =>
      over(async ({ use, advance, flush, handles }) => {
        const one = someHandle();
        const step = interval / 100;
        for (let at = 0; at < begun * 100; at += 1) {
          advance(step);
          await flush();
        }
        const told: number[] = [];
        for (let at = 0; told.length < 6; at += 1) {
          use(one);
          await flush();
          if (handles().length > told.length) told.push(at);
          advance(step);
        }
        const gaps = told.slice(1).map((at, index) => at - (told[index] ?? 0));
        expect(Math.min(...gaps)).toBeGreaterThanOrEqual(100);
        expect(Math.max(...gaps)).toBeLessThanOrEqual(152);
      }),
  );

  it('counts what it could not tell when it stops', () =>
    over(async ({ use, flush, stop, fail, counts }) => {
      fail();
      use(someHandle());
      await flush();
      expect(counts()).toEqual([0, 1]);
      // In the pause after a loss: nobody sends these any more.
      use(someHandle());
      use(someHandle());
      await stop();
      expect(counts()).toEqual([0, 3]);
    }));

  it('makes no stream, and keeps the one that is there short', () =>
    over(async ({ use, flush, words }) => {
      use(someHandle());
      await flush();
      expect(words()[0]?.slice(0, 5)).toEqual([
        'extauthz:activity',
        'NOMKSTREAM',
        'MAXLEN',
        '~',
        100_000,
      ]);
    }));

  it.each(['fail', 'isMissing'] as const)(
    'forgets that it told when nobody heard (%s), and pauses',
    (trouble) =>
      over(async (world) => {
        const one = someHandle();
        world[trouble]();
        world.use(one);
        await world.flush();
        expect(world.counts()).toEqual([0, 1]);
        world.recover();
        world.use(one);
        await world.flush();
        expect(world.counts()).toEqual([0, 1]);
        world.advance(1_000);
        await world.flush();
        expect(world.counts()).toEqual([1, 1]);
      }),
  );

  it('drops what is too much rather than keep it', () =>
    over(async ({ use, flush, counts }) => {
      for (let count = 0; count < 5_100; count += 1) use(someHandle());
      expect(counts()).toEqual([0, 100]);
      await flush();
      expect(counts()).toEqual([5_000, 100]);
    }));
});
