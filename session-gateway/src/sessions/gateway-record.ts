import { encodeSession, sessionKinds } from '@sallyport/shared';
import { z } from 'zod';
import { decodeClaimedGrants, encodeClaimedGrants } from './claimed-grants.js';
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
  const email = session.shareEmail === true ? profile.email : undefined;
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
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    ),
  );
}

export type WithoutUndefined<T> = {
  [K in keyof T as undefined extends T[K] ? never : K]: T[K];
} & { [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined> };

/** The same without the keys that hold undefined. */
export function withoutUndefined<T extends object>(fields: T): WithoutUndefined<T> {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as WithoutUndefined<T>;
}

const text = z.string().min(1);
const optionalText = z.string().optional();
const whole = z
  .string()
  .regex(/^(?:0|[1-9][0-9]{0,15})$/)
  .transform(Number);
// Empty: taken back (an update cannot take a field away).
const optionalWhole = whole.or(z.literal('').transform(() => undefined)).optional();
const names = z
  .string()
  .regex(/^[A-Za-z0-9._:,-]*$/)
  .transform((joined) => (joined === '' ? [] : joined.split(',')));
const flag = z.enum(['true', 'false']).transform((value) => value === 'true');

const record = z.object({
  sub: text,
  iss: text,
  idp: text,
  sid: optionalText,
  email: optionalText,
  email_verified: flag.optional(),
  name: optionalText,
  picture: optionalText,
  acr: optionalText,
  auth_time: whole.optional(),
  claimed: z.string().transform(decodeClaimedGrants).optional(),
  user_id: text,
  roles: names,
  permissions: names,
  kind: z.enum(sessionKinds),
  tokens: z.string(),
  token_expires_at: optionalWhole,
  token_version: whole,
  perm_version: whole,
  perm_fresh_until: whole,
  seq: whole,
  device_hint: optionalText,
  ip_prefix: optionalText,
  created_at: whole,
  last_accessed_at: whole,
  expires_at: whole,
  absolute_expires_at: whole,
  tokens_at: optionalWhole,
  cap_at: optionalWhole,
});

/** What the store keeps of a new session, once it has set the times. */
export function newlyStored(
  session: NewSession,
  times: Pick<StoredSession, 'createdAt' | 'expiresAt' | 'absoluteExpiresAt' | 'permFreshUntil'>,
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

export type DecodedRecord =
  | { readonly outcome: 'found'; readonly session: StoredSession }
  | { readonly outcome: 'corrupt'; readonly field: string };

/** Reads the answer of HGETALL. Total: whatever stands there, it does not throw. */
export function decodeGatewayRecord(fields: Pairs): DecodedRecord {
  const result = record.safeParse(fields);
  if (!result.success) {
    return { outcome: 'corrupt', field: String(result.error.issues[0]?.path[0] ?? 'record') };
  }
  const found = result.data;
  return {
    outcome: 'found',
    session: {
      profile: withoutUndefined({
        sub: found.sub,
        iss: found.iss,
        idp: found.idp,
        sid: found.sid,
        email: found.email,
        emailVerified: found.email_verified,
        name: found.name,
        picture: found.picture,
        acr: found.acr,
        authTime: found.auth_time,
        claimed: found.claimed,
      }),
      grants: { userId: found.user_id, roles: found.roles, permissions: found.permissions },
      kind: found.kind,
      sealedTokens: found.tokens,
      seq: found.seq,
      ...withoutUndefined({
        tokenExpiresAt: found.token_expires_at,
        deviceHint: found.device_hint,
        ipPrefix: found.ip_prefix,
        tokensAt: found.tokens_at,
        cappedAt: found.cap_at,
      }),
      createdAt: found.created_at,
      lastAccessedAt: found.last_accessed_at,
      expiresAt: found.expires_at,
      absoluteExpiresAt: found.absolute_expires_at,
      tokenVersion: found.token_version,
      permVersion: found.perm_version,
      permFreshUntil: found.perm_fresh_until,
    },
  };
}
