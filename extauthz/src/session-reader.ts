import type { SessionHandle } from '@sallyport/shared';
import type { SessionLookup } from './check.js';

/** Reads the writer's hash. Never rejects: an error is the outcome `unavailable`. */
export interface SessionReader {
  /** At once where it is known already: no promise on the hot path. */
  find(handle: SessionHandle): SessionLookup | Promise<SessionLookup>;
}
