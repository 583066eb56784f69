import { createHash } from 'node:crypto';
import type { SessionHandle } from './session.js';

/** The default of `EXTAUTHZ_SESSION_KEY_PREFIX`. */
export const defaultSessionKeyPrefix = 'extauthz:session:';

/** The stream by which extauthz reports that a session is in use. */
export const activityStreamKey = 'extauthz:activity';

/** The reader's hash of a session. */
export function sessionKey(prefix: string, handle: SessionHandle): string {
  return prefix + handle;
}

/**
 * The gateway's own record. The reader's key is its hash tag, so both live in one Cluster slot and
 * one script may write them together, in either key form.
 */
export function gatewaySessionKey(prefix: string, handle: SessionHandle): string {
  return `gateway:session:{${prefix}${handle}}`;
}

/** A login transaction; `state` itself never becomes part of a key. */
export function loginTransactionKey(state: string): string {
  return `gateway:login:${hashParts(state)}`;
}

/** Who may use a session's refresh token, and what became of its last use. */
export function refreshLockKey(handle: SessionHandle): string {
  return `gateway:refresh-lock:${handle}`;
}

/** Sessions by when their tokens or permissions are next due. */
export const refreshDueKey = 'gateway:refresh-due';

/** Why a session was ended by us, for the next answer to whoever still holds its cookie. */
export function endedSessionKey(handle: SessionHandle): string {
  return `gateway:ended:${handle}`;
}

/** Prefix of the counters of `POST /auth/refresh`, one per session. */
export const refreshRateLimitPrefix = 'gateway:rl:refresh:';

/**
 * SHA-256 of length-prefixed parts, base64url. The prefix keeps ('a,b','c') and ('a','b,c') apart;
 * the hash keeps user ids, issuers and subjects out of key names.
 */
export function hashParts(...parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    const bytes = Buffer.from(part, 'utf8');
    hash.update(`${String(bytes.length)}:`).update(bytes);
  }
  return hash.digest('base64url');
}

/**
 * Why a session key prefix cannot be used, or undefined if it can. Globs would widen the ACL, braces
 * would move the hash tag, a comma or space would break the invalidation messages' reading, and a
 * prefix that overlaps the gateway's own keys would hand them to the reader.
 */
export function sessionKeyPrefixProblem(prefix: string): string | undefined {
  if (prefix === '') return 'is empty';
  if (prefix.length > 64) return 'is longer than 64 characters';
  if (!/^[A-Za-z0-9:._-]+$/.test(prefix)) {
    return 'may hold only letters, digits and : . _ -';
  }
  if (prefix.startsWith('gateway:') || 'gateway:'.startsWith(prefix)) {
    return 'overlaps the gateway’s own keys (gateway:*)';
  }
  if (activityStreamKey.startsWith(prefix))
    return `covers the activity stream (${activityStreamKey})`;
  return undefined;
}
