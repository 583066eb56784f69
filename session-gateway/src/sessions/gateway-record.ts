import { encodeSession, isPlainEmail } from '@sallyport/shared';
import { encodeClaimedGrants } from './claimed-grants.js';
import type { NewSession, StoredSession } from './session-store.js';

/**
 * The gateway's own hash of a session. Its names stand here and in `lua/`, and nowhere else. A field
 * this version does not know is left alone: during a rolling update two versions share the records.
 */
export const firstVersion = 1;

/** How long roles and permissions may be used without asking again, where the login does not say. */
export const defaultPermFreshSeconds = 900;

type Pairs = Readonly<Record<string, string>>;

/** What stands in the reader's hash besides its times, which the store sets. @throws SessionValueError */
export function encodeReaderRecord(session: NewSession): Pairs {
  const { profile, grants, kind } = session;
  // An international address fits no header, and is no reason to keep its owner out.
  const email =
    session.shareEmail === true && isPlainEmail(profile.email ?? '') ? profile.email : undefined;
  const fields = encodeSession({
    ...grants,
    kind,
    // Placeholders: the store sets both times, these only have to be well-formed.
    createdAt: 1,
    expiresAt: 1,
    permVersion: firstVersion,
    ...(email === undefined ? {} : { email }),
  });
  return present({ ...fields, created_at: undefined, expires_at: undefined });
}

/** What stands in the gateway's hash besides its times. Call {@link encodeReaderRecord} first: it checks. */
export function encodeGatewayRecord(session: NewSession): Pairs {
  const { profile, grants } = session;
  return present({
    sub: profile.sub,
    iss: profile.iss,
    idp: profile.idp,
    sid: profile.sid,
    email: profile.email,
    email_verified: profile.emailVerified,
    name: profile.name,
    picture: profile.picture,
    acr: profile.acr,
    auth_time: profile.authTime,
    claimed: profile.claimed === undefined ? undefined : encodeClaimedGrants(profile.claimed),
    user_id: grants.userId,
    roles: grants.roles.join(','),
    permissions: grants.permissions.join(','),
    kind: session.kind,
    tokens: session.sealedTokens,
    token_expires_at: session.tokenExpiresAt,
    token_version: firstVersion,
    perm_version: firstVersion,
    seq: session.seq,
    device_hint: session.deviceHint,
    ip_prefix: session.ipPrefix,
  });
}

function present(fields: Record<string, string | number | boolean | undefined>): Pairs {
  const pairs: Record<string, string> = {};
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (value !== undefined) pairs[name] = String(value);
  }
  return pairs;
}

export type WithoutUndefined<T> = {
  [K in keyof T as undefined extends T[K] ? never : K]: T[K];
} & { [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined> };

/** The same without the keys that hold undefined. */
export function withoutUndefined<T extends object>(fields: T): WithoutUndefined<T> {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as WithoutUndefined<T>;
}

/** What the store keeps of a new session, once it has set the times. */
export function newlyStored(
  session: NewSession,
  times: Pick<
    StoredSession,
    'createdAt' | 'createdMicros' | 'expiresAt' | 'absoluteExpiresAt' | 'permFreshUntil'
  >,
): StoredSession {
  const { profile, grants, kind, sealedTokens, seq, ...optional } = session;
  const { tokenExpiresAt, deviceHint, ipPrefix } = optional;
  return {
    ...{ profile, grants, kind, sealedTokens, seq },
    ...withoutUndefined({ tokenExpiresAt, deviceHint, ipPrefix }),
    ...times,
    lastAccessedAt: times.createdAt,
    tokenVersion: firstVersion,
    permVersion: firstVersion,
  };
}
