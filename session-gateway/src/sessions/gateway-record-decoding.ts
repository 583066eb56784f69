import { sessionKinds, type SessionKind } from '@sallyport/shared';
import { decodeClaimedGrants } from './claimed-grants.js';
import type { Profile, SessionView, StoredSession } from './session-store.js';

/** The fields of the gateway's hash but its tokens, in the order of `lua/look.lua`. */
export const viewFields = [
  ...['sub', 'iss', 'idp', 'sid', 'email', 'email_verified', 'name', 'picture', 'acr', 'auth_time'],
  ...['user_id', 'roles', 'permissions', 'kind', 'seq', 'device_hint', 'ip_prefix'],
  ...['token_expires_at', 'tokens_at', 'token_version', 'perm_version', 'perm_fresh_until'],
  ...['cap_at', 'created_at', 'last_accessed_at', 'expires_at', 'absolute_expires_at'],
  ...['claimed', 'created_micros'],
] as const;

/** What stands in each of {@link viewFields}; nothing where the hash has no such field. */
export type FieldValues = readonly (string | null | undefined)[];

export type DecodedRecord<T> =
  | { readonly outcome: 'found'; readonly session: T }
  | { readonly outcome: 'corrupt'; readonly field: string };

/**
 * Reads what HMGET answered. Total: whatever stands there, it does not throw. By hand: every
 * heartbeat does this, and a schema library takes longer over it than Redis over the whole read.
 */
export function decodeView(values: FieldValues): DecodedRecord<SessionView> {
  try {
    return { outcome: 'found', session: view(values) };
  } catch (error) {
    if (!(error instanceof CorruptField)) throw error;
    return { outcome: 'corrupt', field: error.field };
  }
}

/** Reads the answer of HGETALL, as its flat pairs. */
export function decodeRecord(pairs: readonly string[]): DecodedRecord<StoredSession> {
  const values: (string | undefined)[] = [];
  let tokens: string | undefined;
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const name = pairs[at] ?? '';
    if (name === 'tokens') tokens = pairs[at + 1];
    else {
      const position = positions.get(name);
      if (position !== undefined) values[position] = pairs[at + 1];
    }
  }
  const decoded = decodeView(values);
  if (decoded.outcome === 'corrupt') return decoded;
  if (tokens === undefined) return { outcome: 'corrupt', field: 'tokens' };
  return { outcome: 'found', session: { ...decoded.session, sealedTokens: tokens } };
}

const positions = new Map<string, number>(viewFields.map((name, index) => [name, index]));

class CorruptField extends Error {
  readonly field: string;

  constructor(at: number) {
    super('corrupt');
    this.field = viewFields[at] ?? '';
  }
}

function view(values: FieldValues): SessionView {
  const session: Writable<SessionView> = {
    profile: profile(values),
    grants: {
      userId: text(values, 10),
      roles: names(values, 11),
      permissions: names(values, 12),
    },
    kind: kind(values, 13),
    seq: whole(values, 14),
    tokenVersion: whole(values, 19),
    permVersion: whole(values, 20),
    permFreshUntil: whole(values, 21),
    createdAt: whole(values, 23),
    lastAccessedAt: whole(values, 24),
    expiresAt: whole(values, 25),
    absoluteExpiresAt: whole(values, 26),
  };
  const [deviceHint, ipPrefix] = [values[15], values[16]];
  if (typeof deviceHint === 'string') session.deviceHint = deviceHint;
  if (typeof ipPrefix === 'string') session.ipPrefix = ipPrefix;
  const tokenExpiresAt = takenBack(values, 17);
  if (tokenExpiresAt !== undefined) session.tokenExpiresAt = tokenExpiresAt;
  const tokensAt = takenBack(values, 18);
  if (tokensAt !== undefined) session.tokensAt = tokensAt;
  const cappedAt = takenBack(values, 22);
  if (cappedAt !== undefined) session.cappedAt = cappedAt;
  const createdMicros = takenBack(values, 28);
  if (createdMicros !== undefined) session.createdMicros = createdMicros;
  return session;
}

function profile(values: FieldValues): Profile {
  const person: Writable<Profile> = {
    sub: text(values, 0),
    iss: text(values, 1),
    idp: text(values, 2),
  };
  const [sid, email, verified, name, picture, acr] = values.slice(3, 9);
  if (typeof sid === 'string') person.sid = sid;
  if (typeof email === 'string') person.email = email;
  if (typeof verified === 'string') person.emailVerified = flag(verified, 5);
  if (typeof name === 'string') person.name = name;
  if (typeof picture === 'string') person.picture = picture;
  if (typeof acr === 'string') person.acr = acr;
  if (typeof values[9] === 'string') person.authTime = whole(values, 9);
  if (typeof values[27] === 'string') person.claimed = decodeClaimedGrants(values[27]);
  return person;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function text(values: FieldValues, at: number): string {
  const value = values[at];
  if (typeof value !== 'string' || value === '') throw new CorruptField(at);
  return value;
}

function whole(values: FieldValues, at: number): number {
  const value = values[at];
  if (typeof value !== 'string' || !/^(?:0|[1-9][0-9]{0,15})$/.test(value)) {
    throw new CorruptField(at);
  }
  return Number(value);
}

/** Empty: taken back (an update cannot take a field away). */
function takenBack(values: FieldValues, at: number): number | undefined {
  const value = values[at];
  return typeof value !== 'string' || value === '' ? undefined : whole(values, at);
}

function names(values: FieldValues, at: number): string[] {
  const value = values[at];
  if (typeof value !== 'string' || !/^[A-Za-z0-9._:,-]*$/.test(value)) throw new CorruptField(at);
  return value === '' ? [] : value.split(',');
}

function flag(value: string, at: number): boolean {
  if (value !== 'true' && value !== 'false') throw new CorruptField(at);
  return value === 'true';
}

function kind(values: FieldValues, at: number): SessionKind {
  const found = sessionKinds.find((known) => known === values[at]);
  if (found === undefined) throw new CorruptField(at);
  return found;
}
