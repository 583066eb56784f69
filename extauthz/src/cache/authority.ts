import type { Redis } from 'ioredis';
import { redisErrorReason, type Unit } from '@sallyport/shared/runtime';

/**
 * How often authority is proved, and for how long one proof is good, ms (ATTACKS 2). A refusal ends it
 * at once, so that the interval is what counts for the bound in shared/redis/README.md; a server that
 * answers nothing is found by the link's PING before the lifetime is over.
 */
const interval = 1_000;
const proofLifetime = 2_000;

export interface Authority extends Unit {
  /** The `run_id` of the server that proved itself less than the bound ago. */
  readonly server: (now: number) => string | undefined;
  /** When the connection that sessions are read on was made. */
  readonly connectedAt: () => number;
}

export interface AuthorityOptions {
  /** The connection that sessions are read on: a proof on another one says nothing about those reads. */
  readonly redis: Redis;
  /** Fails where the server is not, or no longer, entitled to answer. */
  readonly prove: (redis: Redis) => Promise<unknown>;
  readonly onProved?: (server: string) => void;
  /** Monotonic, ms. */
  readonly now: () => number;
  readonly onError: (reason: string) => void;
}

/**
 * A PING proves a socket. That the server behind it still speaks for the sessions is proved by a
 * command that a demoted or isolated one refuses, each second.
 */
export function authority({ redis, prove, ...options }: AuthorityOptions): Authority {
  const { onProved, now, onError } = options;
  let connection = 0;
  let proved: string | undefined;
  let provedAt = -Infinity;
  let connectedAt = -Infinity;
  let timer: NodeJS.Timeout | undefined;

  const forget = (): void => void (provedAt = -Infinity);

  const ask = async (): Promise<void> => {
    const [sentOn, sent] = [connection, now()];
    try {
      const [info] = await Promise.all([redis.info('server'), prove(redis)]);
      if (sentOn !== connection) return;
      proved = runIdOf(info);
      provedAt = sent;
      onProved?.(proved);
    } catch (error) {
      const reason = redisErrorReason(error);
      onError(reason);
      // No answer proves nothing either way; a refusal does.
      const isAnswer = reason !== 'TIMEOUT' && reason !== 'CONNECTION';
      if (isAnswer && sentOn === connection) forget();
    }
  };

  const onReady = (): void => {
    connectedAt = now();
    void ask();
  };
  const onClose = (): void => {
    connection += 1;
    forget();
  };

  return {
    name: 'redis authority',
    server: (time) => (time - provedAt < proofLifetime ? proved : undefined),
    connectedAt: () => connectedAt,
    start: () => {
      redis.on('ready', onReady).on('close', onClose);
      const isUsable = (): boolean => redis.status === 'ready' || redis.status === 'wait';
      timer = setInterval(() => isUsable() && void ask(), interval);
      if (isUsable()) void ask();
      return Promise.resolve();
    },
    stop: () => {
      clearInterval(timer);
      redis.off('ready', onReady).off('close', onClose);
      return Promise.resolve();
    },
  };
}

/** Names one life of one server. @param info of `INFO server` */
export function runIdOf(info: string): string {
  const [, id] = /^run_id:([0-9a-f]+)\r?$/m.exec(info) ?? [];
  if (id === undefined) throw new Error('INFO server names no run_id');
  return id;
}
