import type { SessionHandle } from '@sallyport/shared';
import type { SessionLookup } from './check.js';

/** Reads the writer's hash. Never rejects: an error is the outcome `unavailable`. */
export interface SessionReader {
  find(handle: SessionHandle): Promise<SessionLookup>;
}
