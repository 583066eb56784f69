import type { RedisConnection, Unit } from '@sallyport/shared/runtime';

/** How often a Redis that stopped answering is asked, ms. */
const probeInterval = 50;
/** After this long without any answer the connection is given up: its peer may be gone without a FIN. */
const giveUpAfter = 1_000;

/** Open while Redis accepts commands and answers none. */
export interface Breaker extends Unit {
  readonly isOpen: () => boolean;
  /** A command's deadline passed. */
  readonly trip: () => void;
}

/**
 * Keeps a hung Redis from filling this process: ioredis holds every unanswered command in memory
 * until its reply comes, deadline or not (TRUST R2). While open nothing is sent but one PING at a
 * time; the first answer closes it.
 */
export function redisBreaker(redis: RedisConnection, now: () => number): Breaker {
  let timer: NodeJS.Timeout | undefined;
  let silentSince = 0;
  let asking = false;

  const close = (): void => {
    clearInterval(timer);
    timer = undefined;
  };

  const probe = (): void => {
    if (now() - silentSince > giveUpAfter) {
      silentSince = now();
      redis.disconnect(true);
    }
    if (asking) return;
    asking = true;
    redis
      .ping()
      .then(close, () => undefined)
      .finally(() => (asking = false));
  };

  return {
    name: 'redis breaker',
    isOpen: () => timer !== undefined,
    trip: () => {
      if (timer !== undefined) return;
      silentSince = now();
      timer = setInterval(probe, probeInterval);
    },
    start: () => Promise.resolve(),
    stop: () => {
      close();
      return Promise.resolve();
    },
  };
}
