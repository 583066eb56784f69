import type { Clock, SessionHandle } from '@sallyport/shared';
import type { Unit } from '@sallyport/shared/runtime';
import { newCorrelation } from '../correlation.js';
import type { RefreshEvents } from '../refresh-events.js';
import type { RefreshDue } from './refresh-due.js';
import type { SessionStore } from './session-store.js';
import type { SessionUpkeep } from './session-upkeep.js';

export interface RefreshWorkerOptions {
  readonly due: Pick<RefreshDue, 'claim' | 'forget'>;
  readonly store: Pick<SessionStore, 'find'>;
  readonly upkeep: Pick<SessionUpkeep, 'attend' | 'settled'>;
  readonly events: RefreshEvents;
  readonly clock: Clock;
  readonly idleSeconds: number;
}

/** Sessions one replica attends to at the same time. */
const atOnce = 16;
/** So many are claimed together: a claim for each, and the wait for it, was a quarter of its refresh. */
const together = atOnce / 2;
/** How long a free place waits for others, ms: slow ones must not hold up the rest. */
const patience = 20;
const interval = 1000;
/** Longer than attending to a session takes; a replica that dies holds its sessions up for this long. */
const leaseSeconds = 60;

/** Keeps sessions that are in use fresh without a browser. Every replica runs one; leases divide the work. */
export function refreshWorker(options: RefreshWorkerOptions): Unit {
  const { due, store, upkeep, events, clock, idleSeconds } = options;
  const running = new Set<Promise<void>>();
  const stopping = new AbortController();
  let loop: Promise<void> | undefined;
  let changed: () => void = () => undefined;
  stopping.signal.addEventListener('abort', () => changed());

  const isFull = (most: number): boolean => running.size >= most && !stopping.signal.aborted;

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

  const attend = async (handle: SessionHandle): Promise<void> => {
    const session = await store.find(handle);
    const isInUse = session !== undefined && session.lastAccessedAt + idleSeconds > clock() / 1000;
    const correlation = newCorrelation();
    if (isInUse) await upkeep.attend(handle, 'worker', { seen: session, correlation });
    else await due.forget(handle);
  };

  const start = (handle: SessionHandle): void => {
    const work = attend(handle)
      .then(() => events.backgroundWorked('worker'))
      .catch((error: unknown) => events.backgroundFailed('worker', error))
      .finally(() => {
        running.delete(work);
        changed();
      });
    running.add(work);
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const free = atOnce - running.size;
      const claimed = await due.claim(free, leaseSeconds).catch((error: unknown) => {
        events.backgroundFailed('worker', error);
      });
      const handles = claimed ?? [];
      handles.forEach(start);
      // With something to do, the work says whether it went well.
      if (claimed?.length === 0) events.backgroundWorked('worker');
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
