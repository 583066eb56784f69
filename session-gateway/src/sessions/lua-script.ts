import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RedisConnection } from '@sallyport/shared/runtime';
import type { Write } from './write-link.js';

/** A script of `lua/`: sent by its digest, and in full where the server does not know it (any more). */
export class LuaScript {
  readonly #source: string;
  readonly #sha1: string;

  constructor(...files: readonly string[]) {
    this.#source = files
      .map((file) => readFileSync(new URL(`../../lua/${file}.lua`, import.meta.url), 'utf8'))
      .join('\n');
    this.#sha1 = createHash('sha1').update(this.#source).digest('hex');
  }

  /** Every key the script touches must be in `keys`, or Redis Cluster and the ACL could not judge it. */
  async run(
    redis: RedisConnection,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    try {
      return await redis.evalsha(this.#sha1, keys.length, ...keys, ...args);
    } catch (error) {
      // Nothing has run: the server was restarted, failed over, or had SCRIPT FLUSH.
      if (!(error as Error).message.startsWith('NOSCRIPT')) throw error;
      return redis.eval(this.#source, keys.length, ...keys, ...args);
    }
  }

  /** The same as one write for a link that has no second try: in full, whatever the server knows. */
  write(keys: readonly [string, ...string[]], args: readonly (string | number)[]): Write {
    return { key: keys[0], words: ['EVAL', this.#source, keys.length, ...keys, ...args] };
  }
}
