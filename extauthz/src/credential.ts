import { parseSessionId, readSessionCookie, type SessionId } from '@sallyport/shared';

/** The lane a credential came in: the session's `kind` must fit it (TRUST T17). */
export type Lane = 'cookie' | 'bearer';

export type Credential =
  | { readonly outcome: 'none' }
  /** One credential that can never name a session: nobody asks Redis. */
  | { readonly outcome: 'malformed' }
  /** Two credentials, and which one is meant cannot be known. */
  | { readonly outcome: 'ambiguous' }
  /** Larger than any honest client's: refused unread. */
  | { readonly outcome: 'oversized' }
  | { readonly outcome: 'one'; readonly id: SessionId; readonly lane: Lane };

/** Bytes of a Cookie or Authorization header beyond which it is refused (TRUST §2, row 25). */
export const maxCredentialHeaderBytes = 8192;

const none: Credential = { outcome: 'none' };
const malformed: Credential = { outcome: 'malformed' };
const ambiguous: Credential = { outcome: 'ambiguous' };
const oversized: Credential = { outcome: 'oversized' };

/** The one credential of a request, from its Cookie and Authorization headers. */
export function readCredential(
  cookie: string | undefined,
  authorization: string | undefined,
  cookieName: string,
): Credential {
  if (isOversized(cookie) || isOversized(authorization)) return oversized;
  const fromCookie = readSessionCookie(cookie, cookieName);
  const fromBearer = readBearer(authorization);
  if (fromCookie.outcome === 'ambiguous' || fromBearer.outcome === 'ambiguous') return ambiguous;
  if (fromBearer.outcome === 'none') {
    if (fromCookie.outcome === 'one') return { outcome: 'one', id: fromCookie.id, lane: 'cookie' };
    return fromCookie.outcome === 'malformed' ? malformed : none;
  }
  if (fromCookie.outcome === 'absent') return fromBearer;
  // Both are present. Only the same id twice is one credential; a broken one is not "the same".
  if (fromCookie.outcome !== 'one' || fromBearer.outcome !== 'one') return ambiguous;
  if (fromCookie.id !== fromBearer.id) return ambiguous;
  return { outcome: 'one', id: fromCookie.id, lane: 'cookie' };
}

/**
 * An element of the list that several Authorization lines are joined to (TRUST §3, row 1). Quotes are
 * not honoured: an open one in the first line would hide the bearer in the second.
 */
const bearerElement = /(?:^|,)[ \t]*bearer(?:[ \t,]|$)/i;

/** Whether a bearer is in the Authorization header, in any line: what has none belongs to the upstream. */
export function isBearer(authorization: string | undefined): boolean {
  return authorization !== undefined && bearerElement.test(authorization);
}

function readBearer(authorization: string | undefined): Credential {
  if (authorization === undefined || !isBearer(authorization)) return none;
  // Of two lines, or of two schemes, it cannot be known which the upstream would take.
  if (authorization.includes(',')) return ambiguous;
  const id = parseSessionId(authorization.trim().slice('bearer'.length).trim());
  return id === undefined ? malformed : { outcome: 'one', id, lane: 'bearer' };
}

function isOversized(header: string | undefined): boolean {
  return header !== undefined && header.length > maxCredentialHeaderBytes;
}
