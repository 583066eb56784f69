import { userOwner, type SessionHandle } from '@sallyport/shared';
import { auditRef } from '../audit/audit-log.js';
import type { AuditEvent } from '../audit/audit-event.js';
import type { ClosedSession } from '../sessions/session-lifecycle.js';
import { isUnconfirmed, orUnavailable } from '../sessions/store-unavailable.js';
import { sessionNamed } from './named-session.js';
import type { SessionParts } from './session-parts.js';
import { counted, say } from './terminal.js';
import { CommandError } from './usage.js';

type AdminAction = Extract<AuditEvent, { event: 'admin' }>['action'];

export async function revokeUser(parts: SessionParts, userId: string): Promise<void> {
  const ended = await audited(parts, { action: 'revoke_user', userId }, (count) =>
    endAllOf(parts, userId, count),
  );
  say(`${counted(ended, 'session')} of this user ended.`);
}

export async function revokeSession(parts: SessionParts, ref: string): Promise<void> {
  const handle = await sessionNamed(ref, parts);
  const session = auditRef(handle);
  await audited(parts, { action: 'revoke_session', session }, (count) =>
    endOne(parts, handle, count),
  );
  say('The session ended.');
}

/** Rounds through all that lives: people log in meanwhile. */
const rounds = 5;
const atOnce = 8;

/** Ends everybody's sessions, user by user: each as one revocation, so that it holds. */
export async function flushSessions(parts: SessionParts, yes: boolean): Promise<void> {
  const first = await census(parts);
  if (!yes) {
    throw new CommandError(
      `This would end ${counted(first.sessions, 'session')} of ${counted(first.users.length, 'user')}: everybody would have to log in again. Nothing was done. If that is meant: session flush --yes`,
    );
  }
  const ended = await audited(parts, { action: 'flush_sessions' }, async (count) => {
    let unconfirmed: unknown;
    let left = first;
    for (let round = 0; round < rounds && left.sessions > 0; round += 1) {
      const work = [
        ...left.users.map((userId) => () => endAllOf(parts, userId, count)),
        ...left.unreadable.map((handle) => () => endOne(parts, handle, count)),
      ];
      const next = async (): Promise<void> => {
        for (let end = work.pop(); end !== undefined; end = work.pop()) {
          // One replica's silence must not keep the others' sessions alive.
          await end().catch((error: unknown) => {
            if (!isUnconfirmed(error)) throw error;
            unconfirmed = error;
          });
        }
      };
      await Promise.all(Array.from({ length: atOnce }, next));
      left = await census(parts);
    }
    if (unconfirmed !== undefined) throw unconfirmed as Error;
  });
  say(`${counted(ended, 'session')} ended.`);
}

/** Who is logged in, by the list of sessions that are kept fresh, as for `rekey`. */
async function census({ due, store }: SessionParts) {
  const users = new Set<string>();
  const unreadable: SessionHandle[] = [];
  let readable = 0;
  const queue = await orUnavailable(due.all());
  const next = async (): Promise<void> => {
    for (let handle = queue.pop(); handle !== undefined; handle = queue.pop()) {
      const session = await orUnavailable(store.look(handle));
      if (session !== undefined) {
        readable += 1;
        users.add(session.grants.userId);
      } else if (await orUnavailable(store.exists(handle))) unreadable.push(handle);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, next));
  return { sessions: readable + unreadable.length, users: [...users], unreadable };
}

/** With epoch and job: it holds against logins under way, and another process finishes it. */
async function endAllOf(
  { revocations, events, correlation }: SessionParts,
  userId: string,
  count: (ended: number) => void,
): Promise<void> {
  const told = (ended: number): void => {
    count(ended);
    events.revoked({ kind: 'user', cause: 'cli', ended, userId }, correlation);
  };
  await orUnavailable(revocations.revokeAll(userOwner(userId), told, correlation));
}

async function endOne(
  { lifecycle, due, events, correlation }: SessionParts,
  handle: SessionHandle,
  count: (ended: number) => void,
): Promise<void> {
  const told = ({ userId, idp }: ClosedSession): void => {
    count(1);
    const one = { kind: 'user', cause: 'cli', ended: 1, userId, idp, handle } as const;
    events.revoked(one, correlation);
  };
  if ((await lifecycle().close(handle, told, 'device', correlation)) !== undefined) return;
  // What could not be read is gone as well, and nobody knows whose it was.
  await orUnavailable(due.forget(handle));
  count(1);
  events.revoked({ kind: 'user', cause: 'cli', ended: 1, handle }, correlation);
}

/** Does it and writes down that it was done, or was not. @returns how many sessions ended */
async function audited(
  { events, correlation }: Pick<SessionParts, 'events' | 'correlation'>,
  what: { action: AdminAction; userId?: string; session?: string },
  act: (count: (ended: number) => void) => Promise<void>,
): Promise<number> {
  let ended = 0;
  try {
    await act((more) => (ended += more));
    events.adminDone({ ...what, cause: 'cli', outcome: 'success' }, correlation);
    return ended;
  } catch (error) {
    const reason = isUnconfirmed(error) ? 'not_acknowledged' : 'store_unavailable';
    events.adminDone({ ...what, cause: 'cli', outcome: 'failure', reason }, correlation);
    throw isUnconfirmed(error) ? unconfirmedError(ended, error) : error;
  }
}

function unconfirmedError(ended: number, cause: unknown): CommandError {
  return new CommandError(
    `${counted(ended, 'session')} ended, but fewer replicas than REDIS_REVOCATION_ACKS asks for have confirmed it: a failover could bring them back. Run the same command again when the replicas are there.`,
    { cause },
  );
}
