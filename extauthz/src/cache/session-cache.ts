import type { SessionHandle } from '@sallyport/shared';
import type { SessionLookup } from '../check.js';

export type FoundSession = Extract<SessionLookup, { outcome: 'found' }>;

export interface CachedSession extends FoundSession {
  /** When Redis will have let the key expire, on the monotonic clock, ms: sent + PTTL, so never late. */
  readonly deadline: number;
}

/** How long "no such session" may be remembered, ms. A new session's write invalidates it at once. */
const negativeLifetime = 1_000;
const maxNegatives = 10_000;

/**
 * What this process knows of sessions, bounded. Two generations stand in for an LRU: a hit in the
 * old one moves the entry to the young one, and a full young one becomes the old. Once both are
 * full, a session is admitted at its second sight only, so that a run over more sessions than fit
 * costs a bit test per miss and evicts nothing that is in use (PERFORMANCE: a naive LRU was 1.5x of
 * no cache). Unknown ids have a small map of their own: a flood of them evicts no session (ATTACKS 6).
 */
export class SessionCache {
  readonly #half: number;
  #young = new Map<SessionHandle, CachedSession>();
  #old = new Map<SessionHandle, CachedSession>();
  #negatives = new Map<SessionHandle, number>();
  readonly #seen = new Uint32Array(1 << 15);
  #sights = 0;

  constructor(maxEntries: number) {
    this.#half = Math.ceil(maxEntries / 2);
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get negatives(): number {
    return this.#negatives.size;
  }

  /** @param now monotonic, ms */
  get(handle: SessionHandle, now: number): CachedSession | 'absent' | undefined {
    let entry = this.#young.get(handle);
    if (entry === undefined) {
      entry = this.#old.get(handle);
      if (entry === undefined) return this.#negative(handle, now);
      this.#old.delete(handle);
      if (entry.deadline > now) this.#insert(handle, entry);
    }
    if (entry.deadline > now) return entry;
    this.#young.delete(handle);
    return undefined;
  }

  set(handle: SessionHandle, entry: CachedSession): void {
    if (this.#old.size >= this.#half && !this.#seenBefore(handle)) return;
    this.#insert(handle, entry);
  }

  setAbsent(handle: SessionHandle, now: number): void {
    if (this.#negatives.size >= maxNegatives) this.#negatives.clear();
    this.#negatives.set(handle, now + negativeLifetime);
  }

  delete(handle: SessionHandle): void {
    if (!this.#young.delete(handle)) this.#old.delete(handle);
    this.#negatives.delete(handle);
  }

  clear(): void {
    this.#young = new Map();
    this.#old = new Map();
    this.#negatives = new Map();
  }

  #insert(handle: SessionHandle, entry: CachedSession): void {
    if (this.#young.size >= this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(handle, entry);
  }

  #negative(handle: SessionHandle, now: number): 'absent' | undefined {
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
