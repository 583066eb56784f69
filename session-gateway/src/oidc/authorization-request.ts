import { createHash } from 'node:crypto';
import { freshBytes, loginCookiePrefix, parseSessionId } from '@sallyport/shared';
import type { ProofKey } from './proof-key.js';

export const loginLifetimeSeconds = 600;
/** Login transactions one browser may have under way; bounds the Cookie header (TRUST §7). */
export const maxPendingLogins = 5;

/** What is kept between the start of a login and its callback. `state` itself is never stored. */
export interface AuthorizationRequest {
  readonly idp: string;
  readonly redirectUri: string;
  readonly nonce: string;
  readonly codeVerifier: string;
  readonly returnUrl: string;
  /** SHA-256 of the browser's binding secret, base64url. */
  readonly bindingHash: string;
  /** The revocation sequence when the login began (ATTACKS 9). */
  readonly seq: number;
  /** How long ago the person may have logged in at the provider, seconds; to be checked at the end. */
  readonly maxAge?: number;
  /** What the tokens of this login will be bound to (DPoP). */
  readonly proofKey?: ProofKey;
}

export interface NewAuthorizationRequest {
  readonly request: AuthorizationRequest;
  readonly state: string;
  /** For the binding cookie, and nowhere else. */
  readonly binding: string;
}

/** A login transaction with fresh secrets of 256 bits each. */
export function newAuthorizationRequest(
  about: Omit<AuthorizationRequest, 'nonce' | 'codeVerifier' | 'bindingHash'>,
  now: number,
): NewAuthorizationRequest {
  const binding = `${now.toString(36)}.${secret()}`;
  return {
    request: { ...about, nonce: secret(), codeVerifier: secret(), bindingHash: sha256(binding) },
    state: secret(),
    binding,
  };
}

/** `state` as we make it; anything else was never ours. */
export function isState(text: string): boolean {
  return parseSessionId(text) !== undefined;
}

export function bindingHash(binding: string): string {
  return sha256(binding);
}

/** One cookie per transaction, so that tabs cannot disturb each other. */
export function bindingCookieName(state: string): string {
  return loginCookiePrefix + createHash('sha256').update(state).digest('hex').slice(0, 8);
}

/**
 * The binding cookies a browser must drop so that one more login stays within the limit: the oldest
 * first. A value that is not of our making counts as oldest.
 */
export function surplusBindingCookies(cookieHeader: string | undefined): string[] {
  const pending = (cookieHeader ?? '').split(';').flatMap((pair) => {
    const [name = '', value = ''] = pair.trim().split('=', 2);
    return bindingCookieGrammar.test(name) ? [{ name, startedAt: startOf(value) }] : [];
  });
  const names = new Map(pending.map(({ name, startedAt }) => [name, startedAt]));
  return [...names]
    .sort(([, left], [, right]) => left - right)
    .slice(0, Math.max(0, names.size - (maxPendingLogins - 1)))
    .map(([name]) => name);
}

const bindingCookieGrammar = new RegExp(`^${loginCookiePrefix}[0-9a-f]{8}$`);

function startOf(binding: string): number {
  const [, start] = /^([0-9a-z]{1,10})\.[A-Za-z0-9_-]{43}$/.exec(binding) ?? [];
  return start === undefined ? 0 : Number.parseInt(start, 36);
}

function secret(): string {
  return freshBytes(32).toString('base64url');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
