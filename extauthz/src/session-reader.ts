import type { SessionHandle } from '@sallyport/shared';
import type { SessionLookup } from './check.js';

/** Finds the writer's hash. Never rejects: an error is the outcome `unavailable`. */
export interface SessionReader {
  /** At once where it is known already: no promise on the hot path. */
  find(handle: SessionHandle): SessionLookup | Promise<SessionLookup>;
  /** What `find` would answer at once; undefined where the store would have to be asked. */
  known(handle: SessionHandle): SessionLookup | undefined;
}

export interface TimedLookup {
  readonly lookup: SessionLookup;
  /** Until when a found session may be used without asking again: monotonic, ms. */
  readonly deadline: number;
  /** Answered by another server than the one whose link would report a change: not to be kept. */
  readonly redirected?: true;
}

/** Reads it from the store, every time. Never rejects. */
export interface TimedSessionReader {
  read(handle: SessionHandle): Promise<TimedLookup>;
}
