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

/** A cookie that would not be the one meant: its value is a secret, so the message holds neither. */
export class CookieGrammarError extends Error {
  override readonly name = 'CookieGrammarError';
  readonly code: 'bad_cookie_name' | 'bad_cookie_value' | 'bad_max_age';

  constructor(code: CookieGrammarError['code']) {
    super(`a cookie was not written: ${code}`);
    this.code = code;
  }
}

/** RFC 6265 §4.1.1: a token (RFC 9110 §5.6.2), behind the prefix. */
const nameGrammar = /^__Host-[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 6265 §4.1.1 cookie-octet: no control, blank, double quote, comma, semicolon or backslash. */
const valueGrammar = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;

/**
 * A `Set-Cookie` value. Secure, HttpOnly, Path=/ and no Domain are not options: they are what
 * `__Host-` demands (RFC 6265bis §4.1.3.2), also for the cookie that deletes. Whatever could end the
 * value or begin an attribute is refused, not encoded: a reader would have to know (CVE-2024-47764).
 * @throws CookieGrammarError
 */
export function setCookie(name: string, value: string, attributes: CookieAttributes): string {
  const { maxAgeSeconds, sameSite } = attributes;
  if (!nameGrammar.test(name)) throw new CookieGrammarError('bad_cookie_name');
  if (!valueGrammar.test(value)) throw new CookieGrammarError('bad_cookie_value');
  if (maxAgeSeconds !== undefined && !/^\d+$/.test(String(maxAgeSeconds))) {
    throw new CookieGrammarError('bad_max_age');
  }
  const maxAge = maxAgeSeconds === undefined ? '' : `; Max-Age=${String(maxAgeSeconds)}`;
  return `${name}=${value}${maxAge}; Path=/; Secure; HttpOnly; SameSite=${sameSite}`;
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
