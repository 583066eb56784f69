import type { RedisConnection } from '@sallyport/shared/runtime';

/** A write and the key that says where it belongs. */
export interface Write {
  readonly key: string;
  readonly words: readonly [command: string, ...args: (string | number)[]];
  /** Whether there was nothing to be done: such a write need not be repeated after a failover. */
  readonly didNothing?: (reply: unknown) => boolean;
}

/** The writes are done on the primary, but a failover may undo them: whoever asked must ask again. */
export class NotAcknowledgedError extends Error {
  override readonly name = 'NotAcknowledgedError';
  readonly code = 'not_acknowledged';
  /** What the primary answered, in the order of the writes. */
  readonly replies: readonly unknown[];

  constructor(got: number, wanted: number, replies: readonly unknown[]) {
    super(`${got} of ${wanted} replicas confirmed a revocation in time`);
    this.replies = replies;
  }
}

/** How revocations reach Redis: resolves when every write is done, as far as was asked for. */
export interface WriteLink {
  /**
   * @returns the replies in order. Rejects if any write failed.
   * @throws NotAcknowledgedError where only the replicas' word is missing
   */
  write(writes: readonly Write[]): Promise<unknown[]>;
}

export interface Written {
  readonly replies: readonly unknown[];
  /** To be thrown once all is done that follows from the writes: who asks again finds nothing left. */
  readonly unconfirmed?: NotAcknowledgedError;
}

/** For writes that have consequences here: what was ended has ended, whatever the replicas say. */
export async function writeAnyway(link: WriteLink, writes: readonly Write[]): Promise<Written> {
  try {
    return { replies: await link.write(writes) };
  } catch (error) {
    if (error instanceof NotAcknowledgedError) {
      return { replies: error.replies, unconfirmed: error };
    }
    throw error;
  }
}

/** Where the primary's word suffices (`REDIS_REVOCATION_ACKS=0`). */
export class PlainLink implements WriteLink {
  readonly #redis: RedisConnection;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  write(writes: readonly Write[]): Promise<unknown[]> {
    return Promise.all(
      writes.map(({ words: [command, ...args] }) => this.#redis.call(command, args)),
    );
  }
}
