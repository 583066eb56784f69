import type { BlockList } from 'node:net';
import { hashParts, rateLimitPrefixes, type SessionHandle } from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import type { Request, RequestHandler } from 'express';
import { isState } from '../oidc/authorization-request.js';
import { countedAddress, ipPrefix, unlistedProxy } from './device.js';
import { rateLimit, type RateLimitOptions } from './rate-limit.js';
import { onlyValue, queryOf } from './request-facts.js';

/** That completed nothing: a browser in a loop, or somebody who tries. */
const callbacksPerLogin = 20;
const refreshesPerSession = 30;
/** Of one registration. A provider sends none; whoever makes them up is slowed, and only they are. */
const badLogoutTokensPerRegistration = 300;

export interface LimitOptions {
  readonly redis: RedisConnection;
  readonly trustedProxies: BlockList;
  /** Starts, and callbacks, of one address in a minute; 0: any number. */
  readonly loginsPerAddress: number;
  /** Told once of a peer that sends `X-Forwarded-For` and is not listed. */
  readonly onUnlistedProxy: (prefix: string) => void;
  /** Of a session that lives: anybody can make up ids. */
  readonly refreshedSession: (request: Request) => SessionHandle | undefined;
  /** Whether a login under this state has begun and not come back. */
  readonly isPending: (state: string) => Promise<boolean>;
  /** The registration that this request's logout token names and does not hold for. */
  readonly misnamedIdp: (request: Request) => string | undefined;
}

/** What a route is kept to, all replicas together. */
export interface Limits {
  readonly start: readonly RequestHandler[];
  readonly callback: readonly RequestHandler[];
  /** For callbacks that found no login of their browser's. */
  readonly lateCallback: readonly RequestHandler[];
  readonly refresh: readonly RequestHandler[];
  /** For logout tokens that do not hold. */
  readonly badLogoutToken: readonly RequestHandler[];
}

/**
 * While Redis is down all of them let pass: a start, a callback and a refresh then end in a 503 of
 * their own. What could act without Redis has to ask for `refuse`.
 */
export function limits(options: LimitOptions): Limits {
  const { redis, trustedProxies, loginsPerAddress, isPending } = options;
  const limit = (prefix: string, perMinute: number, keyOf: RateLimitOptions['keyOf']) =>
    rateLimit({ redis, prefix, perMinute, keyOf, whenRedisFails: 'pass' });
  const keyOf = addressKey(trustedProxies, onceOnly(options.onUnlistedProxy));
  const perAddress = (prefix: string): RequestHandler[] =>
    loginsPerAddress === 0 ? [] : [limit(prefix, loginsPerAddress, keyOf)];
  return {
    start: perAddress(rateLimitPrefixes.start),
    callback: perAddress(rateLimitPrefixes.callback),
    lateCallback: [
      limit(rateLimitPrefixes.transaction, callbacksPerLogin, transactionKey(isPending)),
    ],
    refresh: [limit(rateLimitPrefixes.refresh, refreshesPerSession, options.refreshedSession)],
    badLogoutToken: [
      limit(rateLimitPrefixes.logoutToken, badLogoutTokensPerRegistration, options.misnamedIdp),
    ],
  };
}

function onceOnly(tell: (prefix: string) => void): (prefix: string) => void {
  let isTold = false;
  return (prefix) => {
    if (!isTold) tell(prefix);
    isTold = true;
  };
}

/** An address is personal data, so only its hash becomes part of a key. */
export function addressKey(
  trustedProxies: BlockList,
  onUnlistedProxy: (prefix: string) => void,
): (request: Request) => string | undefined {
  return (request) => {
    const unlisted = unlistedProxy(request, trustedProxies);
    if (unlisted !== undefined) onUnlistedProxy(ipPrefix(unlisted) ?? 'unknown');
    const address = countedAddress(request, trustedProxies);
    return address === undefined ? undefined : hashParts(address);
  };
}

/** A state that no login has begun with is not counted: it costs one look, and must not become a key. */
function transactionKey(isPending: LimitOptions['isPending']): RateLimitOptions['keyOf'] {
  return async (request) => {
    const state = onlyValue(queryOf(request), 'state');
    if (state === undefined || !isState(state)) return undefined;
    const isKnown = await isPending(state).catch(() => false);
    return isKnown ? hashParts(state) : undefined;
  };
}
