import type { SessionHandle } from '@sallyport/shared';
import type { SessionLookup } from '../check.js';
import { SessionWeights } from './session-weight.js';
import { SieveQueue, type SieveNode } from './sieve-queue.js';

export type FoundSession = Extract<SessionLookup, { outcome: 'found' }>;

export interface CachedSession extends FoundSession {
  /** When Redis will have let the key expire, on the monotonic clock, ms: sent + PTTL, so never late. */
  readonly deadline: number;
}

interface Slot extends CachedSession, SieveNode<Slot> {
  readonly handle: SessionHandle;
}

/** How long "no such session" may be remembered, ms. A new session's write invalidates it at once. */
const negativeLifetime = 1_000;
const maxNegatives = 10_000;
/**
 * What the sessions may take on average, bytes: twice what one does that has a handful of names of its
 * own. A record may take 54 KB, and 100,000 of those were out of memory.
 */
const bytesEach = 2_048;

/**
 * What this process knows of sessions, bounded in their number and in the bytes they take.
 *
 * Who goes is {@link SieveQueue}'s to say. Once full, a session is admitted at its second sight only, so
 * that a run over more sessions than fit costs a bit test per miss and evicts nothing that is in use
 * (PERFORMANCE: a naive LRU was 1.5x of no cache there). Unknown ids have a small map of their own: a
 * flood of them evicts no session (ATTACKS 6).
 */
export class SessionCache {
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #weights = new SessionWeights();
  #sessions = new Map<SessionHandle, Slot>();
  readonly #queue = new SieveQueue<Slot>();
  #negatives = new Map<SessionHandle, number>();
  readonly #seen = new Uint32Array(1 << 15);
  #sights = 0;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxEntries * bytesEach;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Estimated, from above. */
  get bytes(): number {
    return this.#weights.total;
  }

  get negatives(): number {
    return this.#negatives.size;
  }

  /** @param now monotonic, ms */
  get(handle: SessionHandle, now: number): CachedSession | 'absent' | undefined {
    const slot = this.#sessions.get(handle);
    if (slot === undefined) return this.#negative(handle, now);
    if (slot.deadline > now) {
      slot.hit = true;
      return slot;
    }
    this.#remove(slot);
    return undefined;
  }

  set(handle: SessionHandle, { session, identity, deadline }: CachedSession): void {
    const old = this.#sessions.get(handle);
    if (old !== undefined) this.#remove(old);
    const slot: Slot = {
      outcome: 'found',
      session,
      identity,
      deadline,
      handle,
      hit: false,
      older: undefined,
      newer: undefined,
    };
    if (this.#isFullFor(slot)) {
      // One that does not fit at all must not push the others out.
      if (this.#weights.alone(slot) > this.#maxBytes || !this.#seenBefore(handle)) return;
      while (this.#isFullFor(slot)) this.#evictOne();
    }
    this.#sessions.set(handle, slot);
    this.#queue.add(slot);
    this.#weights.add(slot);
  }

  setAbsent(handle: SessionHandle, now: number): void {
    if (this.#negatives.size >= maxNegatives) this.#negatives.clear();
    this.#negatives.set(handle, now + negativeLifetime);
  }

  delete(handle: SessionHandle): void {
    const slot = this.#sessions.get(handle);
    if (slot !== undefined) this.#remove(slot);
    this.#negatives.delete(handle);
  }

  clear(): void {
    this.#sessions = new Map();
    this.#queue.clear();
    this.#weights.clear();
    this.#negatives = new Map();
  }

  #remove(slot: Slot): void {
    this.#sessions.delete(slot.handle);
    this.#queue.remove(slot);
    this.#weights.remove(slot);
  }

  #isFullFor(slot: Slot): boolean {
    return (
      this.#sessions.size >= this.#maxEntries ||
      this.#weights.total + this.#weights.added(slot) > this.#maxBytes
    );
  }

  #evictOne(): void {
    const slot = this.#queue.next();
    if (slot !== undefined) this.#remove(slot);
  }

  #negative(handle: SessionHandle, now: number): 'absent' | undefined {
    if (this.#negatives.size === 0) return undefined;
    const until = this.#negatives.get(handle);
    if (until === undefined) return undefined;
    if (until > now) return 'absent';
    this.#negatives.delete(handle);
    return undefined;
  }

  /** One bit per handle in a filter that is emptied before it fills. A false yes costs one admission. */
  #seenBefore(handle: SessionHandle): boolean {
    const bits = this.#seen.length * 32;
    const bit = fingerprint(handle) % bits;
    const word = bit >>> 5;
    const mask = 1 << (bit & 31);
    if (((this.#seen[word] ?? 0) & mask) !== 0) return true;
    this.#sights += 1;
    if (this.#sights > bits / 4) {
      this.#seen.fill(0);
      this.#sights = 0;
    }
    this.#seen[word] = (this.#seen[word] ?? 0) | mask;
    return false;
  }
}

/** Handles are SHA-256 (or random ids): any of their characters will do. */
function fingerprint(handle: string): number {
  let value = 0;
  for (let index = 0; index < 6; index += 1) value = (value * 67 + handle.charCodeAt(index)) >>> 0;
  return value;
}
