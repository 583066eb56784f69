import type { RedisConnection } from '@sallyport/shared/runtime';
import type { Request, RequestHandler } from 'express';
import {
  rateLimit as expressRateLimit,
  type ClientRateLimitInfo,
  type Store,
} from 'express-rate-limit';
import { Cluster } from 'ioredis';
import { RedisStore, type RedisReply } from 'rate-limit-redis';
import { orUnavailable } from '../sessions/store-unavailable.js';
import { RefusedError } from './refused-error.js';

const windowMs = 60_000;

export interface RateLimitOptions {
  readonly redis: RedisConnection;
  /** Of the counters' keys. */
  readonly prefix: string;
  readonly perMinute: number;
  /**
   * What is counted: a session, a transaction, an address; undefined: nothing. Never the same for
   * people who have nothing to do with each other, or one of them locks the others out (ATTACKS 30).
   * Nor anything a stranger can make up: every key lies in Redis for a minute, and it may evict none.
   */
  readonly keyOf: (request: Request) => string | undefined | Promise<string | undefined>;
  /** `pass` where the request itself can do nothing without Redis; else `refuse`, a 503 (ATTACKS 35). */
  readonly whenRedisFails: 'pass' | 'refuse';
}

/** So many requests in a minute, counted in Redis for all replicas; beyond them 429 with Retry-After. */
export function rateLimit(options: RateLimitOptions): RequestHandler {
  const { redis, prefix, perMinute, keyOf, whenRedisFails } = options;
  const keys = new WeakMap<Request, string>();
  const limit = expressRateLimit({
    windowMs,
    limit: perMinute,
    standardHeaders: 'draft-6',
    legacyHeaders: false,
    // Its own checks warn about proxies that nothing here is decided by.
    validate: false,
    keyGenerator: (request) => keys.get(request) ?? '',
    handler: (_request, _response, refuse) => refuse(new RefusedError('rate_limited')),
    store: new Counters(redis, prefix, whenRedisFails),
  });
  return async (request, response, next) => {
    const key = await keyOf(request);
    if (key === undefined) {
      next();
      return;
    }
    keys.set(request, key);
    await limit(request, response, next);
  };
}

/**
 * The counters in Redis. The library's store loads its script when it is made, and one that could not
 * do it then stays broken for good (ATTACKS 35, tried): so it is made when Redis is there, and again
 * if that went wrong.
 */
class Counters implements Store {
  readonly #redis: RedisConnection;
  readonly #prefix: string;
  readonly #whenRedisFails: RateLimitOptions['whenRedisFails'];
  #made: Promise<RedisStore> | undefined;

  constructor(
    redis: RedisConnection,
    prefix: string,
    whenRedisFails: RateLimitOptions['whenRedisFails'],
  ) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#whenRedisFails = whenRedisFails;
  }

  /** @throws StoreUnavailableError if it is to refuse what it cannot count */
  async increment(key: string): Promise<ClientRateLimitInfo> {
    try {
      return await orUnavailable(this.#store().then((store) => store.increment(key)));
    } catch (error) {
      // It may hold a script that it failed to load again, and would fail for good with it.
      this.#made = undefined;
      if (this.#whenRedisFails === 'refuse') throw error;
      return { totalHits: 0, resetTime: undefined };
    }
  }

  async decrement(key: string): Promise<void> {
    await (await this.#store()).decrement(key);
  }

  async resetKey(key: string): Promise<void> {
    await (await this.#store()).resetKey(key);
  }

  #store(): Promise<RedisStore> {
    this.#made ??= this.#make().catch((error: unknown) => {
      this.#made = undefined;
      throw error;
    });
    return this.#made;
  }

  async #make(): Promise<RedisStore> {
    const store = new RedisStore({
      prefix: this.#prefix,
      sendCommand: (...words: string[]) => this.#send(words),
    });
    await store.init({ windowMs } as Parameters<RedisStore['init']>[0]);
    return store;
  }

  async #send([command = '', ...args]: string[]): Promise<RedisReply> {
    // A key-less SCRIPT LOAD would reach one node of a cluster, and the count is kept on another.
    const nodes =
      this.#redis instanceof Cluster && command === 'SCRIPT'
        ? this.#redis.nodes('master')
        : [this.#redis];
    const replies = await Promise.allSettled(nodes.map((node) => node.call(command, ...args)));
    // One that is away has only its own keys; it says NOSCRIPT once it is back, and is asked again then.
    const reply = replies.find(({ status }) => status === 'fulfilled') ?? replies[0];
    if (reply?.status !== 'fulfilled') throw reply?.reason ?? new Error('no primary is known');
    return reply.value as RedisReply;
  }
}
