import { userOwner, type SessionHandle } from '@sallyport/shared';
import { auditRef } from '../audit/audit-log.js';
import type { SessionView } from '../sessions/session-store.js';
import { orUnavailable } from '../sessions/store-unavailable.js';
import { sessionNamed } from './named-session.js';
import type { SessionParts } from './session-parts.js';
import { columns, counted, humanTime, isoTime, say, sayJson } from './terminal.js';
import { CommandError } from './usage.js';

/** No token, no id, no handle: with `SESSION_KEY_FORM=raw` the handle would be the cookie's value. */
type Reading = Pick<SessionParts, 'store' | 'due' | 'refs' | 'clock' | 'lifecycle'>;

export async function listSessions(
  { lifecycle, refs, clock }: Reading,
  { userId, json }: { userId: string; json: boolean },
): Promise<void> {
  const sessions = (await lifecycle().allOf(userOwner(userId))).sort(
    (one, other) => other.session.lastAccessedAt - one.session.lastAccessedAt,
  );
  if (json) {
    const facts = sessions.map(({ handle, session }) => factsOf(session, refs.of(handle)));
    sayJson({ userId, sessions: facts });
    return;
  }
  if (sessions.length === 0) {
    say('This user has no session.');
    return;
  }
  const now = clock();
  const rows = sessions.map(({ handle, session }) => [
    refs.of(handle),
    session.kind,
    session.deviceHint ?? '-',
    session.ipPrefix ?? '-',
    humanTime(session.createdAt, now),
    humanTime(session.lastAccessedAt, now),
    humanTime(session.expiresAt, now),
  ]);
  const head = ['REF', 'KIND', 'DEVICE', 'FROM', 'LOGGED IN', 'LAST SEEN', 'ENDS IF IDLE'];
  say(columns([head, ...rows]));
  say(`${counted(sessions.length, 'session')}. Times are UTC.`);
}

export async function showSession(
  parts: Reading,
  { ref, json }: { ref: string; json: boolean },
): Promise<void> {
  const handle = await sessionNamed(ref, parts);
  const session = await orUnavailable(parts.store.look(handle));
  if (session === undefined) {
    throw new CommandError(
      'The records of this session are damaged, or of a newer version. "session revoke REF" ends it.',
    );
  }
  const facts = { ...factsOf(session, parts.refs.of(handle)), ...detailsOf(session, handle) };
  if (json) {
    sayJson(facts);
    return;
  }
  const now = parts.clock();
  const isTime = new Set<string>(times);
  const rows = Object.entries(facts).map(([name, value]) => [
    name,
    isTime.has(name) ? humanTime(Date.parse(String(value)) / 1000, now) : text(value),
  ]);
  say(columns(rows));
  say('Times are UTC.');
}

const times = [
  ...['createdAt', 'lastAccessedAt', 'expiresAt', 'absoluteExpiresAt', 'cappedAt'],
  ...['permissionsFreshUntil', 'tokensExpireAt', 'tokensRenewedAt'],
] as const;

/** As `/auth/sessions` names them. */
function factsOf(session: SessionView, ref: string) {
  return {
    ref,
    kind: session.kind,
    ...(session.deviceHint === undefined ? {} : { device: session.deviceHint }),
    ...(session.ipPrefix === undefined ? {} : { ipPrefix: session.ipPrefix }),
    createdAt: isoTime(session.createdAt),
    lastAccessedAt: isoTime(session.lastAccessedAt),
    expiresAt: isoTime(session.expiresAt),
    absoluteExpiresAt: isoTime(session.absoluteExpiresAt),
  };
}

/** Chosen one by one: a field that a later version adds is not printed because it is there. */
function detailsOf(session: SessionView, handle: SessionHandle) {
  const { cappedAt, tokenExpiresAt, tokensAt, grants } = session;
  return {
    ...(cappedAt === undefined ? {} : { cappedAt: isoTime(cappedAt) }),
    auditName: auditRef(handle),
    userId: grants.userId,
    roles: grants.roles,
    permissions: grants.permissions,
    permissionsFreshUntil: isoTime(session.permFreshUntil),
    identityProvider: session.profile.idp,
    ...(tokenExpiresAt === undefined ? {} : { tokensExpireAt: isoTime(tokenExpiresAt) }),
    ...(tokensAt === undefined ? {} : { tokensRenewedAt: isoTime(tokensAt) }),
  };
}

function text(value: string | readonly string[]): string {
  return typeof value === 'string' ? value : value.join(',') || '(none)';
}
