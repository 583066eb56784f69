import type { SessionHandle } from '@sallyport/shared';
import type { SessionLookup } from '../check.js';

export type FoundSession = Extract<SessionLookup, { outcome: 'found' }>;

export interface CachedSession extends FoundSession {
  /** When Redis will have let the key expire, on the monotonic clock, ms: sent + PTTL, so never late. */
  readonly deadline: number;
}

interface Slot extends CachedSession {
  /** Used since the hand last came by. */
  hit: boolean;
}

/** How long "no such session" may be remembered, ms. A new session's write invalidates it at once. */
const negativeLifetime = 1_000;
const maxNegatives = 10_000;

/**
 * What this process knows of sessions, bounded exactly.
 *
 * Eviction is SIEVE (Zhang et al., NSDI 2024): a hit only sets a bit, and a hand walks from the
 * oldest entry on, sparing once what was hit since it last came by. Once full, a session is admitted
 * at its second sight only, so that a run over more sessions than fit costs a bit test per miss and
 * evicts nothing that is in use (PERFORMANCE: a naive LRU was 1.5x of no cache there). Unknown ids
 * have a small map of their own: a flood of them evicts no session (ATTACKS 6).
 */
export class SessionCache {
  readonly #maxEntries: number;
  #sessions = new Map<SessionHandle, Slot>();
  #hand = this.#sessions.entries();
  #negatives = new Map<SessionHandle, number>();
  readonly #seen = new Uint32Array(1 << 15);
  #sights = 0;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  get size(): number {
    return this.#sessions.size;
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
    this.#sessions.delete(handle);
    return undefined;
  }

  set(handle: SessionHandle, { session, identity, deadline }: CachedSession): void {
    if (this.#sessions.size >= this.#maxEntries) {
      // One that is there already stays as it is: a change would have taken it out.
      if (!this.#seenBefore(handle)) return;
      if (!this.#sessions.has(handle)) this.#evictOne();
    }
    this.#sessions.set(handle, { outcome: 'found', session, identity, deadline, hit: false });
  }

  setAbsent(handle: SessionHandle, now: number): void {
    if (this.#negatives.size >= maxNegatives) this.#negatives.clear();
    this.#negatives.set(handle, now + negativeLifetime);
  }

  delete(handle: SessionHandle): void {
    this.#sessions.delete(handle);
    this.#negatives.delete(handle);
  }

  clear(): void {
    this.#sessions = new Map();
    this.#hand = this.#sessions.entries();
    this.#negatives = new Map();
  }

  /** The walk ends: a spared entry has lost its bit when the hand comes by again. */
  #evictOne(): void {
    for (;;) {
      const { value, done } = this.#hand.next();
      if (done === true) {
        this.#hand = this.#sessions.entries();
      } else if (value[1].hit) {
        value[1].hit = false;
      } else {
        this.#sessions.delete(value[0]);
        return;
      }
    }
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
