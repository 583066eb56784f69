import type { Redis } from 'ioredis';
import {
  redisErrorReason,
  type Logger,
  type RedisConnection,
  type Unit,
} from '@sallyport/shared/runtime';

/** How often Redis is asked for its role, and for how long one answer is good, ms. */
const interval = 250;
const proofLifetime = 1_000;
/** A connection to a replica is given up at most this often, ms. */
const giveUpInterval = 1_000;

/**
 * Whether Redis may be believed: a replica's reads may be stale, so it must not answer for sessions
 * (TRUST R7), and a primary can be demoted under an open connection (ATTACKS 2).
 */
export interface RedisRole extends Unit {
  /** Before a read: asks again if the last answer is old. Costs a comparison otherwise. */
  readonly confirm: () => void;
  /**
   * After a read's reply. ROLE was sent on the same connection before the read, so its answer came
   * before the reply.
   */
  readonly vouches: (now: number) => boolean;
  /** For what is in memory: a primary said so less than the bound ago, on whichever connection. */
  readonly vouched: (now: number) => boolean;
  /** Told that a read was refused: readiness asks until one is not. */
  readonly refused: () => void;
  readonly isReady: () => boolean;
}

export interface RedisRoleOptions {
  readonly redis: RedisConnection;
  readonly prefix: string;
  /** Monotonic, ms. */
  readonly now: () => number;
  readonly onError: (reason: string) => void;
  readonly logger: Logger;
}

/** Of one server, or of whichever Sentinel names. */
export function watchedRole(
  redis: Redis,
  { prefix, now, onError, logger }: Omit<RedisRoleOptions, 'redis'>,
): RedisRole {
  let connection = 0;
  let isPrimary = false;
  let mayRead = false;
  let askedAt = -Infinity;
  let provedAt = -Infinity;
  let wasReplica = false;
  let gaveUpAt = -Infinity;
  let timer: NodeJS.Timeout | undefined;

  /** @param use told what came back, unless the connection is another one by then */
  const send = (reply: Promise<unknown>, use: (value: unknown) => void): void => {
    const sentOn = connection;
    reply.then(
      (value) => sentOn === connection && use(value),
      // A reply that is late or lost proves nothing either way: the last proof runs out.
      (error: unknown) => onError(redisErrorReason(error)),
    );
  };

  const ask = (): void => {
    const sent = now();
    askedAt = sent;
    send(redis.role(), (reply) => learn((reply as [string])[0] === 'master', sent));
    if (!mayRead) send(redis.hmget(`${prefix}readiness`, 'user_id'), () => (mayRead = true));
  };

  const learn = (primary: boolean, sent: number): void => {
    isPrimary = primary;
    provedAt = primary ? Math.max(provedAt, sent) : -Infinity;
    const changed = primary === wasReplica;
    if (changed) logger.warn(primary ? 'redis: a primary again' : 'redis: a replica, not believed');
    wasReplica = !primary;
    if (!primary) giveUp(sent);
  };

  /** A demoted server keeps its connections; the name may lead to the new primary by now (R4). */
  const giveUp = (time: number): void => {
    if (time - gaveUpAt < giveUpInterval) return;
    gaveUpAt = time;
    redis.disconnect(true);
  };

  const onClose = (): void => {
    connection += 1;
    isPrimary = false;
    mayRead = false;
  };
  const isFresh = (time: number): boolean => time - provedAt < proofLifetime;

  return {
    name: 'redis role',
    confirm: () => {
      if (now() - askedAt >= interval) ask();
    },
    vouches: (time) => isPrimary && isFresh(time),
    vouched: isFresh,
    refused: () => (mayRead = false),
    isReady: () => isPrimary && mayRead && isFresh(now()),
    start: () => {
      redis.on('ready', ask).on('close', onClose);
      timer = setInterval(() => {
        if (redis.status === 'ready') ask();
      }, interval);
      return Promise.resolve();
    },
    stop: () => {
      clearInterval(timer);
      redis.off('ready', ask).off('close', onClose);
      return Promise.resolve();
    },
  };
}
