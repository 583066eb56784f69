import type { RedisConnection } from '@sallyport/shared/runtime';

/** A write and the key that says where it belongs. */
export interface Write {
  readonly key: string;
  readonly words: readonly [command: string, ...args: (string | number)[]];
}

/** How revocations reach Redis: resolves when every write is done, as far as was asked for. */
export interface WriteLink {
  /** @returns the replies in order. Rejects if any write failed or was not acknowledged. */
  write(writes: readonly Write[]): Promise<unknown[]>;
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
