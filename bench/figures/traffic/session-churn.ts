import { encodeSession } from '@sallyport/shared';
import { Redis } from 'ioredis';
import { randomNumbers, sessionAt } from '../../src/load/sessions.js';
import { pause } from '../../src/poll.js';
import { keyOfSession } from '../../src/seeding.js';
import { monotonicMs, type Journal } from './journal.js';
import type { TrafficSpec } from './traffic-spec.js';

/** Sessions that come and go, each change repeated until Redis has confirmed it. */
export interface SessionChurn {
  /** A session that a check may ask for: mostly a live one, some revoked, some that never were. */
  pick(): number;
  run(): Promise<void>;
  stop(): void;
}

const liveSessions = 200;
const changesPerSecond = 40;
const remembered = 100;
const neverThere = 1_000_000_000;
const ttlSeconds = 12 * 3600;
const shares = { live: 0.8, revoked: 0.97 };

export async function sessionChurn(spec: TrafficSpec, journal: Journal): Promise<SessionChurn> {
  const redis = new Redis({
    ...spec.redis,
    host: '127.0.0.1',
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: 1_000,
    retryStrategy: () => 20,
  });
  redis.on('error', () => undefined);
  const random = randomNumbers(`${spec.seed}/churn`);
  const live: number[] = [];
  const revoked: number[] = [];
  let next = 0;
  let running = true;

  const untilConfirmed = async (change: () => Promise<unknown>): Promise<void> => {
    for (;;) {
      try {
        await change();
        return;
      } catch {
        // Not confirmed: it may have happened or not. Both changes may be repeated.
        await pause(10);
      }
    }
  };
  const create = async (): Promise<void> => {
    const session = next;
    next += 1;
    const now = Math.floor(Date.now() / 1000);
    const key = keyOfSession(spec.seed, session);
    journal.write(['creating', session, monotonicMs()]);
    await untilConfirmed(async () => {
      const answers = await redis
        .multi()
        .hset(key, encodeSession(sessionAt(session, now, ttlSeconds)))
        .pexpireat(key, (now + ttlSeconds) * 1000)
        .exec();
      if (answers?.every(([error]) => error === null) !== true) throw new Error('not executed');
    });
    journal.write(['created', session, monotonicMs()]);
    live.push(session);
  };
  const revoke = async (): Promise<void> => {
    const [session] = live.splice(Math.floor(random() * live.length), 1);
    if (session === undefined) return;
    journal.write(['revoking', session, monotonicMs()]);
    await untilConfirmed(() => redis.del(keyOfSession(spec.seed, session)));
    journal.write(['revoked', session, monotonicMs()]);
    revoked.push(session);
    if (revoked.length > remembered) revoked.shift();
  };

  while (live.length < liveSessions) await create();
  const oneOf = (sessions: readonly number[]): number | undefined =>
    sessions[Math.floor(random() * sessions.length)];
  return {
    pick: () => {
      const share = random();
      const chosen = share < shares.live ? oneOf(live) : oneOf(revoked);
      return share < shares.revoked && chosen !== undefined
        ? chosen
        : neverThere + Math.floor(random() * 1_000);
    },
    run: async () => {
      while (running) {
        await create();
        await revoke();
        await pause(2_000 / changesPerSecond);
      }
      redis.disconnect();
    },
    stop: () => {
      running = false;
    },
  };
}
