import { freshBytes } from './fresh-bytes.js';
import { sessionIdHash } from './session-id-hash.js';

/** Which lane a session's credential travels in: a `browser` session only in the cookie, the others only as bearer. */
export const sessionKinds = ['browser', 'native', 'service'] as const;
export type SessionKind = (typeof sessionKinds)[number];

/** What the edge knows of a session: the content of the `extauthz:session:*` hash. Times are epoch seconds. */
export interface Session {
  readonly userId: string;
  readonly roles: readonly string[];
  readonly permissions: readonly string[];
  readonly createdAt: number;
  /** The idle deadline, never later than the absolute one. */
  readonly expiresAt: number;
  readonly kind: SessionKind;
  /** Grows by one with every change of roles or permissions. */
  readonly permVersion: number;
  /** Present only where `X-User-Email` is switched on. */
  readonly email?: string;
}

/** The credential itself: 256 random bits in base64url. It exists only in a cookie or a bearer header. */
export type SessionId = string & { readonly brand: 'SessionId' };

/** What stands in Redis keys for a session: see {@link sessionHandle}. */
export type SessionHandle = string & { readonly brand: 'SessionHandle' };

/** `hashed`: a copy of Redis, a MONITOR or a log never holds a usable id. `raw`: for sharing the hash with foreign readers. */
export type SessionKeyForm = 'hashed' | 'raw';

const idLength = 43;
const idGrammar = /^[A-Za-z0-9_-]{43}$/;

/** A fresh id from the system's CSPRNG. */
export function newSessionId(): SessionId {
  return freshBytes(32).toString('base64url') as SessionId;
}

/** The text as a session id, or undefined if it cannot be one. */
export function parseSessionId(text: string): SessionId | undefined {
  return text.length === idLength && idGrammar.test(text) ? (text as SessionId) : undefined;
}

/** The id's form in keys: base64url(SHA-256(id)), or the id itself in the `raw` form. */
export function sessionHandle(id: SessionId, form: SessionKeyForm): SessionHandle {
  if (form === 'raw') return id as string as SessionHandle;
  return sessionIdHash(id) as SessionHandle;
}

/** The text as a handle (of either form: both have the id's grammar), or undefined. */
export function parseSessionHandle(text: string): SessionHandle | undefined {
  return parseSessionId(text) as string | undefined as SessionHandle | undefined;
}
