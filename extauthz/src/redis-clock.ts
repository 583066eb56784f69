import type { Clock } from '@sallyport/shared';
import type { RedisConnection, Unit } from '@sallyport/shared/runtime';

/**
 * Redis's clock, so that a reader whose own clock is wrong neither ends nor prolongs a session
 * (TRUST R15). Sampled with TIME; between samples the local clock carries it on.
 */
export interface RedisClock extends Unit {
  readonly now: Clock;
}

const sampleInterval = 5_000;

export function redisClock(redis: RedisConnection, local: Clock): RedisClock {
  let offset = 0;
  let timer: NodeJS.Timeout | undefined;

  const sample = async (): Promise<void> => {
    const sent = local();
    try {
      const [seconds, microseconds] = await redis.time();
      const redisNow = Number(seconds) * 1000 + Number(microseconds) / 1000;
      offset = redisNow - (sent + local()) / 2;
    } catch {
      // The link is down: the last offset stays the best guess, and no session is read anyway.
    }
  };

  const onReady = (): void => void sample();
  return {
    name: 'redis clock',
    now: () => local() + offset,
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
