import type { SessionHandle, SessionOwner } from '@sallyport/shared';

/** One entry of an index; whether there is such a session, only its records know. */
export interface IndexEntry {
  readonly handle: SessionHandle;
  /**
   * False while a login may still be about to create it: an entry without records is then no ghost,
   * and taking it out would hide the session that follows.
   */
  readonly settled: boolean;
}

/**
 * Which sessions belong to a user, an IdP account, an IdP session, and whether any of these was
 * revoked. A superset of what is alive: the records decide.
 */
export interface SessionIndex {
  /**
   * Before a session is created, so that no revocation can miss it, and again after: the second time
   * tells whether one came in between, and puts back what a pruning took (ATTACKS 9, 27).
   * @returns false if one of the owners was revoked after `seq`; the entry may then stand in others.
   */
  enter(owners: readonly SessionOwner[], handle: SessionHandle, seq: number): Promise<boolean>;
  leave(owners: readonly SessionOwner[], handles: readonly SessionHandle[]): Promise<void>;
  /** How many entries, ghosts included. */
  size(owner: SessionOwner): Promise<number>;
  /** Entries `first` to `last` (-1: to the end), by absolute expiry. */
  page(owner: SessionOwner, first: number, last: number): Promise<IndexEntry[]>;
  /**
   * Whether none of the owners was revoked after `seq`. Slides and refreshes must ask before they
   * prolong a session, and again after they wrote: the records' slot is not the epochs' (ATTACKS 10).
   */
  stands(owners: readonly SessionOwner[], seq: number): Promise<boolean>;
}
