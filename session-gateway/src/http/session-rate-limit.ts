import type { SessionHandle } from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import type { Request, RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import { Cluster } from 'ioredis';
import { RedisStore, type RedisReply } from 'rate-limit-redis';
import { RefusedError } from './refused-error.js';

export interface SessionRateLimitOptions {
  readonly redis: RedisConnection;
  readonly prefix: string;
  readonly perMinute: number;
  /** Never an address: one bucket for everybody behind a proxy would be a way to lock them out. */
  readonly sessionOf: (request: Request) => SessionHandle | undefined;
}

/**
 * So many requests of one session in a minute, counted in Redis for all replicas. Passes while it
 * cannot count: the session itself cannot be had then either.
 */
export function sessionRateLimit(options: SessionRateLimitOptions): RequestHandler {
  const { redis, prefix, perMinute, sessionOf } = options;
  let limiter: RequestHandler | undefined;
  return (request, response, next) => {
    // A store that is built before Redis is ready stays broken for good (ATTACKS 35, tried).
    if (limiter === undefined && redis.status === 'ready') {
      limiter = rateLimit({
        windowMs: 60_000,
        limit: perMinute,
        standardHeaders: 'draft-6',
        legacyHeaders: false,
        passOnStoreError: true,
        // Its own checks warn about proxies that nothing here is decided by.
        validate: false,
        keyGenerator: (of) => sessionOf(of) ?? 'none',
        handler: (_request, _response, refuse) => refuse(new RefusedError('rate_limited')),
        store: new RedisStore({ prefix, sendCommand: send }),
      });
    }
    if (limiter === undefined) next();
    else void limiter(request, response, next);
  };

  async function send(...words: string[]): Promise<RedisReply> {
    const [command = '', ...args] = words;
    // A key-less SCRIPT LOAD would reach one node of a cluster, and the count is kept on another.
    const nodes =
      redis instanceof Cluster && command === 'SCRIPT' ? redis.nodes('master') : [redis];
    const replies = await Promise.all(nodes.map((node) => node.call(command, ...args)));
    return replies[0] as RedisReply;
  }
}
