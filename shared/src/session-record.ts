import { sessionKinds, type Session, type SessionKind } from './session.js';

/**
 * The `extauthz:session:<h>` hash. These field names and encodings are the wire contract between
 * writer and reader (and of foreign readers of the same hash): they stand here and nowhere else.
 */
export const sessionFields = [
  'user_id',
  'roles',
  'permissions',
  'created_at',
  'expires_at',
  'kind',
  'perm_version',
  'email',
] as const;
export type SessionField = (typeof sessionFields)[number];

/** Limits of what may be written, so that no upstream header is ever trimmed or split. */
export const maxNames = 256;
export const maxJoinedBytes = 8192;
const nameGrammar = /^[A-Za-z0-9._:-]{1,128}$/;
const joinedGrammar = /^(?:[A-Za-z0-9._:-]{1,128}(?:,[A-Za-z0-9._:-]{1,128}){0,255})?$/;
const userIdGrammar = /^[\x21-\x7e]{1,256}$/;
const emailGrammar = /^[\x21-\x7e]{3,254}$/;
const secondsGrammar = /^[1-9][0-9]{0,11}$/;
const versionGrammar = /^(?:0|[1-9][0-9]{0,14})$/;

/** A value that must not become a header or a record. `code` names the rule. */
export class SessionValueError extends Error {
  override readonly name = 'SessionValueError';
  readonly code: 'bad_user_id' | 'bad_name' | 'too_many_names' | 'too_long' | 'bad_email';

  constructor(code: SessionValueError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Roles or permissions, checked for the wire: joined by commas they must split back to the same list.
 * @throws SessionValueError — the value itself is not repeated in the message.
 */
export function checkNames(what: 'roles' | 'permissions', names: readonly string[]): void {
  if (names.length > maxNames) {
    throw new SessionValueError('too_many_names', `${what}: more than ${maxNames} values`);
  }
  names.forEach((name, index) => {
    if (!nameGrammar.test(name)) {
      throw new SessionValueError(
        'bad_name',
        `${what}[${index}]: only letters, digits and . _ : - are allowed, 1 to 128 of them`,
      );
    }
  });
  if (names.join(',').length > maxJoinedBytes) {
    throw new SessionValueError('too_long', `${what}: longer than ${maxJoinedBytes} bytes joined`);
  }
}

/** @throws SessionValueError unless the id is 1 to 256 visible ASCII characters. */
export function checkUserId(userId: string): void {
  if (!userIdGrammar.test(userId)) {
    throw new SessionValueError('bad_user_id', 'userId: must be 1 to 256 visible ASCII characters');
  }
}

/** Whether an address may become a header; others are left out of the record. */
export function isPlainEmail(email: string): boolean {
  return emailGrammar.test(email);
}

/** The hash's fields for a session, all strings. @throws SessionValueError */
export function encodeSession(session: Session): Partial<Record<SessionField, string>> {
  checkUserId(session.userId);
  checkNames('roles', session.roles);
  checkNames('permissions', session.permissions);
  if (session.email !== undefined && !isPlainEmail(session.email)) {
    throw new SessionValueError('bad_email', 'email: must be 3 to 254 visible ASCII characters');
  }
  return {
    user_id: session.userId,
    roles: session.roles.join(','),
    permissions: session.permissions.join(','),
    created_at: String(session.createdAt),
    expires_at: String(session.expiresAt),
    kind: session.kind,
    perm_version: String(session.permVersion),
    ...(session.email === undefined ? {} : { email: session.email }),
  };
}

export type DecodedSession =
  | { readonly outcome: 'found'; readonly session: Session }
  | { readonly outcome: 'absent' }
  /** The hash exists but is not one of ours: never an allow (TRUST R12). */
  | { readonly outcome: 'corrupt'; readonly field: SessionField };

/** Reads the answer of `HMGET key ...sessionFields` (null where a field is missing). Total. */
export function decodeSession(values: readonly (string | null | undefined)[]): DecodedSession {
  const [userId, roles, permissions, createdAt, expiresAt, kind, permVersion, email] = values;
  if (values.every((value) => value === null || value === undefined)) return { outcome: 'absent' };
  if (!matches(userId, userIdGrammar)) return corrupt('user_id');
  if (!matchesJoined(roles)) return corrupt('roles');
  if (!matchesJoined(permissions)) return corrupt('permissions');
  if (!matches(createdAt, secondsGrammar)) return corrupt('created_at');
  if (!matches(expiresAt, secondsGrammar)) return corrupt('expires_at');
  if (!isKind(kind)) return corrupt('kind');
  if (!matches(permVersion, versionGrammar)) return corrupt('perm_version');
  if (email !== null && email !== undefined && !isPlainEmail(email)) return corrupt('email');
  return {
    outcome: 'found',
    session: {
      userId,
      roles: split(roles),
      permissions: split(permissions),
      createdAt: Number(createdAt),
      expiresAt: Number(expiresAt),
      kind,
      permVersion: Number(permVersion),
      ...(email === null || email === undefined ? {} : { email }),
    },
  };
}

function corrupt(field: SessionField): DecodedSession {
  return { outcome: 'corrupt', field };
}

function matches(value: string | null | undefined, grammar: RegExp): value is string {
  return typeof value === 'string' && grammar.test(value);
}

function matchesJoined(value: string | null | undefined): value is string {
  return matches(value, joinedGrammar) && value.length <= maxJoinedBytes;
}

function isKind(value: string | null | undefined): value is SessionKind {
  return sessionKinds.some((kind) => kind === value);
}

function split(joined: string): string[] {
  return joined === '' ? [] : joined.split(',');
}
