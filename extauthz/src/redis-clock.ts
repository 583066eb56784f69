import type { Clock } from '@sallyport/shared';
import type { RedisConnection, Unit } from '@sallyport/shared/runtime';

/**
 * Redis's clock, so that a reader whose own clock is wrong neither ends nor prolongs a session
 * (TRUST R15). Sampled with TIME; between samples a clock that nobody sets carries it on.
 */
export interface RedisClock extends Unit {
  readonly now: Clock;
}

const sampleInterval = 5_000;

export function redisClock(
  redis: Pick<RedisConnection, 'time' | 'on' | 'off'>,
  { monotonic, wall }: { monotonic: () => number; wall: Clock },
): RedisClock {
  // A guess until Redis has said, and no session is read before that.
  let offset = wall() - monotonic();
  let timer: NodeJS.Timeout | undefined;

  const sample = async (): Promise<void> => {
    const sent = monotonic();
    try {
      const [seconds, microseconds] = await redis.time();
      const redisNow = Number(seconds) * 1000 + Number(microseconds) / 1000;
      offset = redisNow - (sent + monotonic()) / 2;
    } catch {
      // The link is down: the last offset stays the best guess, and no session is read anyway.
    }
  };

  const onReady = (): void => void sample();
  return {
    name: 'redis clock',
    now: () => monotonic() + offset,
    start: async () => {
      redis.on('ready', onReady);
      timer = setInterval(() => void sample(), sampleInterval);
      await sample();
    },
    stop: async () => {
      redis.off('ready', onReady);
      clearInterval(timer);
      await Promise.resolve();
    },
  };
}
