import type { SessionHandle, SessionOwner } from '@sallyport/shared';
import type { IndexEntry, SessionIndex } from './session-index.js';

/** The same contract without Redis: for tests and for embedding. */
export class MemorySessionIndex implements SessionIndex {
  readonly #handles = new Map<string, Set<SessionHandle>>();
  readonly #epochs = new Map<string, number>();

  /** What a revocation of this owner leaves behind. */
  revoke(owner: SessionOwner, seq: number): void {
    this.#epochs.set(keyOf(owner), Math.max(seq, this.#epochOf(owner)));
  }

  enter(owners: readonly SessionOwner[], handle: SessionHandle, seq: number): Promise<boolean> {
    for (const owner of owners) {
      const key = keyOf(owner);
      if (this.#epochOf(owner) > seq) return Promise.resolve(false);
      this.#handles.set(key, (this.#handles.get(key) ?? new Set()).add(handle));
    }
    return Promise.resolve(true);
  }

  leave(owners: readonly SessionOwner[], handles: readonly SessionHandle[]): Promise<void> {
    for (const owner of owners) {
      for (const handle of handles) this.#handles.get(keyOf(owner))?.delete(handle);
    }
    return Promise.resolve();
  }

  size(owner: SessionOwner): Promise<number> {
    return Promise.resolve(this.#handles.get(keyOf(owner))?.size ?? 0);
  }

  page(owner: SessionOwner, first: number, last: number): Promise<IndexEntry[]> {
    const handles = [...(this.#handles.get(keyOf(owner)) ?? [])];
    const page = handles.slice(first, last === -1 ? undefined : last + 1);
    return Promise.resolve(page.map((handle) => ({ handle, settled: false })));
  }

  stands(owners: readonly SessionOwner[], seq: number): Promise<boolean> {
    return Promise.resolve(owners.every((owner) => this.#epochOf(owner) <= seq));
  }

  #epochOf(owner: SessionOwner): number {
    return this.#epochs.get(keyOf(owner)) ?? 0;
  }
}

function keyOf({ kind, tag }: SessionOwner): string {
  return `${kind}:${tag}`;
}
