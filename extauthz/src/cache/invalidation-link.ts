import type { Redis } from 'ioredis';
import { parseSessionHandle, type SessionHandle } from '@sallyport/shared';
import type { Logger, Unit } from '@sallyport/shared/runtime';
import { runIdOf } from './authority.js';

/** How often the link proves itself, and for how long one proof is good, ms (DESIGN §3). */
const heartbeat = 250;
const proofLifetime = 750;
const retryDelay = 200;
/** A refusal (ACL, an old server) is not worth five tries a second. */
const refusedDelay = 5_000;
const channel = '__redis__:invalidate';

export interface InvalidationLinkOptions {
  /** A fresh, unconnected connection that never reconnects by itself. */
  readonly open: () => Redis;
  readonly prefix: string;
  readonly onInvalidate: (handle: SessionHandle) => void;
  /** Everything known is in doubt. */
  readonly onFlush: () => void;
  /** Told when it is armed, and when one that was armed has closed. */
  readonly onArmed?: (isArmed: boolean) => void;
  /** Monotonic, ms. */
  readonly now: () => number;
  readonly logger: Logger;
}

export interface InvalidationLink extends Unit {
  /**
   * Whether every change that Redis made more than the bound ago has been reported here. Asked on
   * every hit, never answered from a timer: a blocked event loop would not let the timer say no
   * (ATTACKS 3).
   */
  readonly isTrusted: (now: number) => boolean;
  /** Grows with every arming: knowledge does not outlive the link it came by. */
  readonly generation: () => number;
  /** The `run_id` of the server that it is armed on. */
  readonly server: () => string | undefined;
  readonly armedAt: () => number;
  /** Closes a link that is armed on another server, for a new one. @param runId where sessions are read */
  readonly keepOnlyIf: (runId: string) => void;
}

/**
 * The one connection by which Redis tells of changed sessions. It is armed on itself (ATTACKS 1) and
 * never re-armed: any close, error or late answer means flush, and a new connection from scratch.
 */
export function invalidationLink(options: InvalidationLinkOptions): InvalidationLink {
  let armedOn: string | undefined;
  let armedAt = -Infinity;
  let lastProof = -Infinity;
  let generation = 0;
  let stopping = false;
  const isStopping = (): boolean => stopping;
  let current: Redis | undefined;
  let wake: (() => void) | undefined;
  let finished: Promise<void> = Promise.resolve();

  const pause = (milliseconds: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  /** Lives as long as the connection; says how long to wait before the next one. */
  const live = async (): Promise<number> => {
    const redis = options.open();
    current = redis;
    const closed = new Promise<void>((resolve) => redis.once('end', resolve));
    // Reasons are reported by the data connection; this one has the same server behind it.
    redis.on('error', () => undefined);
    redis.on('messageBuffer', (_channel: Buffer, keys: unknown) => receive(options, keys));
    let server: string;
    try {
      server = await arm(redis, options.prefix);
    } catch (error) {
      redis.disconnect();
      const refused = /^(?:NOPERM|ERR) /.test((error as Error).message);
      if (refused) {
        options.logger.warn(
          { reason: (error as Error).message },
          'the session cache is off: Redis refuses CLIENT TRACKING. Compare the ACL with shared/redis.',
        );
      }
      return refused ? refusedDelay : retryDelay;
    }
    generation += 1;
    armedOn = server;
    armedAt = options.now();
    options.onArmed?.(true);
    const beat = (): void => {
      const sent = options.now();
      redis.ping().then(
        () => (lastProof = Math.max(lastProof, sent)),
        () => redis.disconnect(),
      );
    };
    beat();
    const timer = setInterval(beat, heartbeat);
    await closed;
    clearInterval(timer);
    options.onArmed?.(false);
    return retryDelay;
  };

  const run = async (): Promise<void> => {
    while (!isStopping()) {
      const delay = await live();
      armedOn = undefined;
      lastProof = -Infinity;
      options.onFlush();
      if (!isStopping()) await pause(delay);
    }
  };

  return {
    name: 'invalidation link',
    // There is no proof while it is not armed.
    isTrusted: (now) => now - lastProof < proofLifetime,
    generation: () => generation,
    server: () => armedOn,
    armedAt: () => armedAt,
    keepOnlyIf: (runId) => {
      if (armedOn === undefined) return;
      if (armedOn !== runId) current?.disconnect();
      // The very same string from now on: every hit compares the two, and so it compares pointers.
      else armedOn = runId;
    },
    start: () => {
      finished = run();
      return Promise.resolve();
    },
    stop: async () => {
      stopping = true;
      current?.disconnect();
      wake?.();
      await finished;
    },
  };
}

/** In this order: RESP2 refuses ROLE, INFO and CLIENT ID after SUBSCRIBE. @returns the server's run_id */
async function arm(redis: Redis, prefix: string): Promise<string> {
  await redis.connect();
  const [role] = (await redis.role()) as [string];
  // Behind a name with several servers this one may be a replica although the other connection is not.
  if (role !== 'master') throw new Error(`the link leads to a ${role}`);
  const server = runIdOf(await redis.info('server'));
  const id = await redis.client('ID');
  await redis.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(id), 'BCAST', 'PREFIX', prefix);
  await redis.subscribe(channel);
  return server;
}

/** An array is the changed keys. Anything else, FLUSHALL's null first of all, is everything. */
function receive(options: InvalidationLinkOptions, keys: unknown): void {
  if (!Array.isArray(keys)) {
    options.onFlush();
    return;
  }
  for (const key of keys as unknown[]) {
    const name = Buffer.isBuffer(key) ? key.toString('latin1') : '';
    const handle = name.startsWith(options.prefix)
      ? parseSessionHandle(name.slice(options.prefix.length))
      : undefined;
    // A key under the prefix that is no session's cannot be cached, so it needs no flush; one
    // outside the prefix means that this is not the message we take it for.
    if (handle !== undefined) options.onInvalidate(handle);
    else if (!name.startsWith(options.prefix)) options.onFlush();
  }
}
