import type { BlockList } from 'node:net';
import { hashParts, rateLimitPrefixes, readCookie, type SessionHandle } from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import type { Request, RequestHandler } from 'express';
import { bindingCookieName, isState } from '../oidc/authorization-request.js';
import { countedAddress } from './device.js';
import { rateLimit } from './rate-limit.js';
import { onlyValue, queryOf } from './request-facts.js';

/** Without the login's cookie: a browser in a loop, or somebody who tries. */
const callbacksPerLogin = 20;
const refreshesPerSession = 30;

export interface LimitOptions {
  readonly redis: RedisConnection;
  readonly trustedProxies: BlockList;
  /** Starts, and callbacks, of one address in a minute; 0: any number. */
  readonly loginsPerAddress: number;
  readonly sessionOf: (request: Request) => SessionHandle | undefined;
}

/** What a route is kept to, all replicas together. */
export interface Limits {
  readonly start: readonly RequestHandler[];
  readonly callback: readonly RequestHandler[];
  readonly refresh: readonly RequestHandler[];
}

/**
 * While Redis is down all of them let pass: a start, a callback and a refresh then end in a 503 of
 * their own. What could act without Redis has to ask for `refuse`.
 */
export function limits(options: LimitOptions): Limits {
  const { redis, trustedProxies, loginsPerAddress, sessionOf } = options;
  const limit = (prefix: string, perMinute: number, keyOf: (of: Request) => string | undefined) =>
    rateLimit({ redis, prefix, perMinute, keyOf, whenRedisFails: 'pass' });
  const perAddress = (prefix: string): RequestHandler[] =>
    loginsPerAddress === 0 ? [] : [limit(prefix, loginsPerAddress, addressKey(trustedProxies))];
  return {
    start: perAddress(rateLimitPrefixes.start),
    callback: [
      ...perAddress(rateLimitPrefixes.callback),
      limit(rateLimitPrefixes.transaction, callbacksPerLogin, transactionKey),
    ],
    refresh: [limit(rateLimitPrefixes.refresh, refreshesPerSession, sessionOf)],
  };
}

/** An address is personal data, so only its hash becomes part of a key. */
export function addressKey(trustedProxies: BlockList): (request: Request) => string | undefined {
  return (request) => {
    const address = countedAddress(request, trustedProxies);
    return address === undefined ? undefined : hashParts(address);
  };
}

/** The one callback of a browser that holds the login's cookie is not counted: it deletes that cookie. */
function transactionKey(request: Request): string | undefined {
  const state = onlyValue(queryOf(request), 'state');
  if (state === undefined || !isState(state)) return undefined;
  const isHonest = readCookie(request.headers.cookie, bindingCookieName(state)).outcome === 'one';
  return isHonest ? undefined : hashParts(state);
}
