import { Cluster, Redis } from 'ioredis';
import type { Logger } from './logger.js';
import { tlsAdvice } from './tls-advice.js';

export type RedisConnection = Redis | Cluster;

const retryInterval = 100;

/** One line when the link goes and one when it is back, however many attempts lie between. */
export function logLinkState(redis: RedisConnection, logger: Logger): void {
  let up: boolean | undefined;
  redis.on('ready', () => {
    if (up !== true) logger.info('redis: connected');
    up = true;
  });
  redis.on('error', (error: Error) => {
    if (up !== false)
      logger.warn({ reason: reasonOf(redis, error) }, 'redis: unreachable, retrying');
    up = false;
  });
  redis.on('close', () => {
    if (up === true) logger.warn('redis: connection lost, retrying');
    up = false;
  });
}

/** Starts connecting and does not wait: a service that can live without Redis for a while stays up. */
export function beginConnecting(redis: RedisConnection): void {
  redis.connect().catch(() => {
    // Reported by the `error` listener; ioredis goes on trying.
  });
}

/** Connects, trying for at most `patience` ms. @throws Error with the last reason. */
export async function connectOrFail(redis: RedisConnection, patience: number): Promise<void> {
  const noAnswer = 'no answer';
  let lastReason = noAnswer;
  const remember = (error: Error): void => void (lastReason = reasonOf(redis, error));
  redis.on('error', remember);
  // Of no use where an `error` has said more: it says that the connection is closed.
  const unlessKnown = (error: Error): void => {
    if (lastReason === noAnswer) remember(error);
  };
  // With all sentinels away `connect` tries for ever; the patience is this function's.
  await Promise.race([redis.connect().catch(unlessKnown), pause(retryInterval)]);
  for (let waited = 0; waited < patience; waited += retryInterval) {
    try {
      await redis.ping();
      redis.off('error', remember);
      return;
    } catch (error) {
      if (redis.status === 'ready') remember(error as Error);
      await pause(retryInterval);
    }
  }
  redis.disconnect();
  throw new Error(`Redis gave no answer for ${patience / 1000} s: ${lastReason}`);
}

/** What happened and, where TLS is why, what to do. */
function reasonOf(redis: RedisConnection, error: Error): string {
  const usesTls =
    (redis instanceof Cluster ? redis.options.redisOptions?.tls : redis.options.tls) !== undefined;
  const advice = usesTls ? tlsAdvice(error) : '';
  return advice === '' ? error.message : `${error.message}. ${advice}`;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Closes after the commands under way, or at once when there is no link. */
export async function closeRedis(redis: RedisConnection): Promise<void> {
  try {
    await redis.quit();
    // QUIT leaves the failover detector's connections to the sentinels open, and the process with them.
    if (redis instanceof Redis && redis.options.sentinels) redis.disconnect();
  } catch {
    redis.disconnect();
  }
}
