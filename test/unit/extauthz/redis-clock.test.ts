import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle } from '@sallyport/shared';
import { cachedSessionReader } from '../../../extauthz/src/cache/cached-session-reader.js';
import { check } from '../../../extauthz/src/check.js';
import { identityOf } from '../../../extauthz/src/identity.js';
import { redisClock, type RedisClock } from '../../../extauthz/src/redis-clock.js';
import { noFile, someFacts, someSession } from '../../support/facts.js';

/** What Redis's own clock says, ms. */
const redisTime = 1_700_000_000_250;
const ignore = (): void => undefined;

class Server extends EventEmitter {
  time: number | undefined = redisTime;
  readonly redis = {
    time: () =>
      this.time === undefined
        ? Promise.reject(new Error('Connection is closed.'))
        : Promise.resolve([Math.floor(this.time / 1000), (this.time % 1000) * 1000]),
    on: this.on.bind(this),
    off: this.off.bind(this),
  };
}

describe('redisClock', () => {
  let server: Server;
  let wall: number;
  let monotonic: number;
  let clock: RedisClock;
  const ready = async (): Promise<void> => {
    server.emit('ready');
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  };

  beforeEach(() => {
    server = new Server();
    [wall, monotonic] = [redisTime + 600_000, 5_000];
    clock = redisClock(server.redis as unknown as Parameters<typeof redisClock>[0], {
      monotonic: () => monotonic,
      wall: () => wall,
    });
  });
  afterEach(() => clock.stop());

  it('says what Redis says, however wrong this machine’s clock is', async () => {
    await clock.start();
    expect(clock.now()).toBe(redisTime);
    monotonic += 1_234;
    expect(clock.now()).toBe(redisTime + 1_234);
  });

  it.each([-600_000, 600_000])(
    'does not move when this machine’s clock is set by %d ms',
    async (step) => {
      await clock.start();
      wall += step;
      expect(clock.now()).toBe(redisTime);
      monotonic += 100;
      server.time = redisTime + 100;
      await ready();
      expect(clock.now()).toBe(redisTime + 100);
    },
  );

  it('takes Redis’s word anew with each connection: another server may have another clock', async () => {
    await clock.start();
    server.time = redisTime + 30_000;
    await ready();
    expect(clock.now()).toBe(redisTime + 30_000);
  });

  it('goes on from the last word while Redis gives none', async () => {
    await clock.start();
    server.time = undefined;
    await ready();
    monotonic += 10_000;
    expect(clock.now()).toBe(redisTime + 10_000);
  });

  it('ends a session in memory by its PTTL and its end by Redis, the wall clock set back', async () => {
    await clock.start();
    const handle = sessionHandle(newSessionId(), 'hashed');
    const session = someSession({ expiresAt: Math.ceil((redisTime + 500_000) / 1000) });
    const lookup = { outcome: 'found', session, identity: identityOf(session) } as const;
    let reads = 0;
    const reader = cachedSessionReader({
      source: {
        read: () => {
          reads += 1;
          return Promise.resolve({ lookup, deadline: monotonic + 30_000 });
        },
      },
      maxEntries: 10,
      trust: { isTrusted: () => true, generation: () => 1, isFlushDue: () => true },
      now: () => monotonic,
      events: { hit: ignore, miss: ignore, crossed: ignore, flush: ignore },
    });
    await reader.find(handle);
    wall -= 3_600_000;
    monotonic += 29_999;
    expect(reader.known(handle)).toMatchObject({ outcome: 'found' });
    monotonic += 1;
    expect(reader.known(handle)).toBeUndefined();
    await reader.find(handle);
    expect(reads).toBe(2);
    const facts = someFacts({ cookie: `__Host-session=${newSessionId()}` });
    const outcome = () => check(facts, lookup, noFile, clock.now()).outcome;
    expect(outcome()).toBe('allow');
    monotonic += 600_000;
    expect(outcome()).toBe('deny');
  });
});
