import { readCookie } from './cookie-header.js';
import { parseSessionId, type SessionId } from './session.js';

/** The default of `SESSION_COOKIE_NAME`. */
export const defaultSessionCookieName = '__Host-session';

/** Beside the session cookie: a signed handle, Lax, no credential (ATTACKS 21). */
export const sessionRefCookieName = '__Host-sref';

/** The return URL that extauthz saves when it sends a navigation to the login. */
export const returnCookieName = '__Host-return';

/** Prefix of the per-transaction login cookies: the rest is derived from `state`. */
export const loginCookiePrefix = '__Host-login-';

/** What the session cookie of a request says. `malformed` can never be a session, so nobody asks Redis. */
export type SessionCookie =
  | { readonly outcome: 'absent' | 'ambiguous' | 'malformed' }
  | { readonly outcome: 'one'; readonly id: SessionId };

export function readSessionCookie(header: string | undefined, name: string): SessionCookie {
  const reading = readCookie(header, name);
  if (reading.outcome !== 'one') return reading;
  const id = parseSessionId(reading.value);
  return id === undefined ? { outcome: 'malformed' } : { outcome: 'one', id };
}

/** What the name of every cookie of ours begins with (RFC 6265bis §4.1.3.2). */
export const gatewayCookiePrefix = '__Host-';

/** Whether a cookie belongs to the gateway: no upstream may see it. */
export function isGatewayCookie(name: string, sessionCookieName: string): boolean {
  return (
    name === sessionCookieName ||
    name === sessionRefCookieName ||
    name === returnCookieName ||
    name.startsWith(loginCookiePrefix)
  );
}

export interface CookieAttributes {
  readonly sameSite: 'Strict' | 'Lax';
  /** Left out for a session cookie: the server's own expiry rules. */
  readonly maxAgeSeconds?: number;
}

/**
 * A `Set-Cookie` value. Secure, HttpOnly, Path=/ and no Domain are not options: they are what
 * `__Host-` demands (RFC 6265bis §4.1.3.2), also for the cookie that deletes.
 */
export function setCookie(name: string, value: string, attributes: CookieAttributes): string {
  const maxAge =
    attributes.maxAgeSeconds === undefined ? '' : `; Max-Age=${String(attributes.maxAgeSeconds)}`;
  return `${name}=${value}${maxAge}; Path=/; Secure; HttpOnly; SameSite=${attributes.sameSite}`;
}

/** The `Set-Cookie` value that deletes a cookie: the same attributes, or a browser keeps the old one. */
export function clearCookie(name: string, sameSite: 'Strict' | 'Lax'): string {
  return setCookie(name, '', { sameSite, maxAgeSeconds: 0 });
}

/** Why a name cannot be the session cookie's, or undefined if it can. */
export function cookieNameProblem(name: string): string | undefined {
  if (!/^__Host-[A-Za-z0-9_-]{1,48}$/.test(name)) {
    return 'must be __Host- and 1 to 48 letters, digits, _ or -';
  }
  if (
    name === sessionRefCookieName ||
    name === returnCookieName ||
    name.startsWith(loginCookiePrefix)
  ) {
    return 'is the name of another cookie of ours';
  }
  return undefined;
}
