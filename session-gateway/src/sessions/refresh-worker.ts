import type { Clock, SessionHandle } from '@sallyport/shared';
import type { Unit } from '@sallyport/shared/runtime';
import { newCorrelation } from '../correlation.js';
import type { RefreshEvents } from '../refresh-events.js';
import type { Heard, ProviderPlaces } from './provider-places.js';
import type { RefreshDue } from './refresh-due.js';
import type { SessionStore, SessionView } from './session-store.js';
import type { Attended, SessionUpkeep } from './session-upkeep.js';

export interface RefreshWorkerOptions {
  readonly due: Pick<RefreshDue, 'claim' | 'forget'>;
  readonly store: Pick<SessionStore, 'find'>;
  readonly upkeep: Pick<SessionUpkeep, 'areTokensDue' | 'attend' | 'settled'>;
  readonly places: Pick<ProviderPlaces, 'take'>;
  readonly events: RefreshEvents;
  readonly clock: Clock;
  readonly idleSeconds: number;
  /** Longer than attending to a session takes; a replica that dies holds its sessions up for this long. */
  readonly leaseSeconds: number;
  /** From then on nothing new is begun: what a provider has given must be stored before the end. */
  readonly isDraining: () => boolean;
  /** Moves the deadline of a session that was held up back to where its use had brought it. */
  readonly prolong: (handle: SessionHandle, session: SessionView) => Promise<unknown>;
}

/** Sessions one replica attends to at the same time, not counting those that take long. */
const atOnce = 16;
/** After this long one does not count any more, ms: it waits for somebody, and others need not wait too. */
const slowAfter = 1000;
/** So many are claimed together: a claim for each, and the wait for it, was a quarter of its refresh. */
const together = atOnce / 2;
/** How long a free place waits for others, ms: slow ones must not hold up the rest. */
const patience = 20;
const interval = 1000;

/** Keeps sessions that are in use fresh without a browser. Every replica runs one; leases divide the work. */
export function refreshWorker(options: RefreshWorkerOptions): Unit {
  const { due, store, upkeep, places, events, clock, idleSeconds, leaseSeconds } = options;
  const { isDraining, prolong } = options;
  const running = new Set<Promise<void>>();
  /** Those of them that count. */
  const swift = new Set<Promise<void>>();
  const stopping = new AbortController();
  let loop: Promise<void> | undefined;
  let changed: () => void = () => undefined;
  stopping.signal.addEventListener('abort', () => changed());

  const isFull = (most: number): boolean => swift.size >= most && !stopping.signal.aborted;

  /** Resolves once there is room for several, or for one that has waited long enough. */
  const room = async (): Promise<void> => {
    const next = () => new Promise<void>((resolve) => (changed = resolve));
    while (isFull(atOnce)) await next();
    let isLate = false as boolean;
    const timer = setTimeout(() => {
      isLate = true;
      changed();
    }, patience);
    while (isFull(atOnce - together + 1) && !isLate) await next();
    clearTimeout(timer);
  };

  const attend = async (handle: SessionHandle, dueAt: number): Promise<void> => {
    const session = await store.find(handle);
    const isInUse = session !== undefined && session.lastAccessedAt + idleSeconds > clock() / 1000;
    if (!isInUse) {
      await due.forget(handle);
      return;
    }
    // Permissions are nothing of the provider's: for them alone no place is needed.
    const asks = upkeep.areTokensDue(handle, session, dueAt);
    const leave = asks ? places.take(session.profile.idp, handle) : undefined;
    let heard: Heard = 'nothing';
    try {
      const asked = { seen: session, correlation: newCorrelation(), dueAt };
      const sparing = asks && leave === undefined;
      const attended = await upkeep.attend(handle, 'worker', { ...asked, sparing });
      heard = heardIn(attended);
      const { session: now } = attended;
      if (now !== undefined && isHeldUp(now, idleSeconds)) await prolong(handle, now);
    } finally {
      leave?.(heard);
    }
  };

  const start = (handle: SessionHandle, dueAt: number): void => {
    const work = attend(handle, dueAt)
      .then(() => events.backgroundWorked('worker'))
      .catch((error: unknown) => events.backgroundFailed('worker', error))
      .finally(() => {
        clearTimeout(timer);
        swift.delete(work);
        running.delete(work);
        changed();
      });
    running.add(work);
    swift.add(work);
    const timer = setTimeout(() => {
      swift.delete(work);
      changed();
    }, slowAfter);
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted && !isDraining()) {
      const free = atOnce - swift.size;
      const claimed = await due.claim(free, leaseSeconds).catch((error: unknown) => {
        events.backgroundFailed('worker', error);
      });
      const { handles = [], now = 0, lateBy = 0 } = claimed ?? {};
      if (claimed !== undefined) events.workerLate(lateBy);
      for (const handle of handles) start(handle, now);
      // With something to do, the work says whether it went well.
      if (claimed?.handles.length === 0) events.backgroundWorked('worker');
      // A full hand means that more may be waiting; then only until some of these are done.
      if (handles.length === free) await room();
      else await pause(interval * (0.75 + Math.random() / 2), stopping.signal);
    }
  };

  return {
    name: 'refresh worker',
    start: () => {
      loop = run();
      return Promise.resolve();
    },
    stop: async () => {
      stopping.abort();
      await loop;
      await Promise.all(running);
      // Also what requests began: a refresh that was paid for is stored before Redis is let go.
      await upkeep.settled();
    },
  };
}

/**
 * Nothing holds it up any more and its deadline is not what its use asked for: the permissions were
 * overdue for a while, or the answer that said that a cap is lifted was lost.
 */
function isHeldUp(session: SessionView, idleSeconds: number): boolean {
  const { expiresAt, lastAccessedAt, absoluteExpiresAt, cappedAt } = session;
  return (
    cappedAt === undefined && expiresAt < Math.min(lastAccessedAt + idleSeconds, absoluteExpiresAt)
  );
}

function heardIn(attended: Attended): Heard {
  if (attended.outcome === 'refreshed' || attended.outcome === 'ended') return 'answered';
  if (attended.outcome !== 'kept') return 'nothing';
  if (attended.reason === 'idp_unreachable') return 'silent';
  return answers.has(attended.reason) ? 'answered' : 'nothing';
}

/** Refusals are answers too. */
const answers = new Set(['login_refused', 'bad_idp_answer', 'idp_unsuitable']);

/** Ends early when the signal comes. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done, { once: true });
  });
}
