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

/** Whose sessions an index holds: a user's, an IdP account's, an IdP session's. */
export type OwnerKind = 'user' | 'sub' | 'sid';

/** An owner of sessions, by the hash of its name: no id is readable in a key, a job or a log. */
export interface SessionOwner {
  readonly kind: OwnerKind;
  readonly tag: string;
}

export function userOwner(userId: string): SessionOwner {
  return { kind: 'user', tag: hashParts(userId) };
}

export function subOwner(iss: string, sub: string): SessionOwner {
  return { kind: 'sub', tag: hashParts(iss, sub) };
}

export function sidOwner(iss: string, sid: string): SessionOwner {
  return { kind: 'sid', tag: hashParts(iss, sid) };
}

/**
 * An owner's sorted set of handles, and the sequence of its last "revoke all". One Cluster slot, so
 * that one script enters a session and looks whether it may.
 */
export function ownerKeys({ kind, tag }: SessionOwner): { index: string; epoch: string } {
  return { index: `gateway:${kind}:{${tag}}`, epoch: `gateway:epoch:${kind}:{${tag}}` };
}

/** When a user's roles were last pushed, in the order of the revocations. */
export function permissionEpochKey(userId: string): string {
  return `gateway:epoch:perm:{${hashParts(userId)}}`;
}

/** The order of all revocations; the one key without a TTL, and never reset (ATTACKS 9). */
export const revokeSeqKey = 'gateway:revoke-seq';

/** Never holds anything; in the slot of {@link revokeSeqKey}, see `lua/revoke-seq.lua`. */
export const revokeSeqSpareKey = `gateway:spare:{${revokeSeqKey}}`;

/** Revocations under way, scored by the end of somebody's lease on them, ms. */
export const revokeDueKey = 'gateway:revoke-due';

/** A logout token that has done its work (OIDC Back-Channel Logout 1.0 §2.6). */
export function logoutTokenKey(iss: string, jti: string): string {
  return `gateway:jti:${hashParts(iss, jti)}`;
}

/** Who may use a session's refresh token, and what became of its last use. */
export function refreshLockKey(handle: SessionHandle): string {
  return `gateway:refresh-lock:${handle}`;
}

/** Sessions by when their tokens or permissions are next due. */
export const refreshDueKey = 'gateway:refresh-due';

/** What is left of a session that ended until the provider has revoked its tokens; in the slot of its records. */
export function leftTokensKey(prefix: string, handle: SessionHandle): string {
  return `gateway:left:{${prefix}${handle}}`;
}

/** Which sessions left tokens: by when somebody is to see to them, and by when they ended; ms, in one slot. */
export const leftTokensPlan = {
  due: 'gateway:left-due:{plan}',
  ended: 'gateway:left-ended:{plan}',
} as const;

/** Why a session was ended by us, for the next answer to whoever still holds its cookie. */
export function endedSessionKey(handle: SessionHandle): string {
  return `gateway:ended:${handle}`;
}

/** What running gateways say of the sessions they write, see `record-contract.ts`. Read by extauthz, too. */
export const contractKey = 'gateway:contract';

/** Exists only within the script that tries what the gateway's Redis user may do. */
export function gatewayProbeKey(tag: string): string {
  return `gateway:probe:{${tag}}`;
}

/**
 * Prefixes of the counters of rate limits: logins begun and callbacks per address, callbacks per login
 * transaction, `POST /auth/refresh` per session, exchanges per address or subject, logout tokens that do
 * not hold per registration.
 */
export const rateLimitPrefixes = {
  start: 'gateway:rl:start:',
  callback: 'gateway:rl:callback:',
  transaction: 'gateway:rl:transaction:',
  refresh: 'gateway:rl:refresh:',
  exchange: 'gateway:rl:exchange:',
  logoutToken: 'gateway:rl:logout-token:',
} as const;

/**
 * SHA-256 of length-prefixed parts, base64url. The prefix keeps ('a,b','c') and ('a','b,c') apart;
 * the hash keeps user ids, issuers and subjects out of key names.
 */
export function hashParts(...parts: readonly string[]): string {
  const prefixed = parts.map((part) => `${Buffer.byteLength(part)}:${part}`);
  return createHash('sha256').update(prefixed.join(''), 'utf8').digest('base64url');
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
