/** What stands in a {@link SieveQueue}; the links are the queue's own. */
export interface SieveNode<N> {
  /** Used since the hand last came by. */
  hit: boolean;
  older: N | undefined;
  newer: N | undefined;
}

/**
 * In what order to evict: SIEVE (Zhang et al., NSDI 2024). A hit only sets a bit; a hand walks from the
 * oldest entry to the newest, sparing once what was hit since it last came by.
 *
 * Linked by hand rather than by the order of a Map: an iterator over a Map that stands still keeps every
 * table which the Map has outgrown, and with it all that was ever deleted (V8, OrderedHashTable).
 */
export class SieveQueue<N extends SieveNode<N>> {
  #oldest: N | undefined;
  #newest: N | undefined;
  #hand: N | undefined;

  /** As the newest; it must be in no queue. */
  add(node: N): void {
    node.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = node;
    else this.#newest.newer = node;
    this.#newest = node;
  }

  /** It must be in this queue. */
  remove(node: N): void {
    const { older, newer } = node;
    if (this.#hand === node) this.#hand = newer;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    // Whoever still holds it must not hold its neighbours, and theirs.
    node.older = node.newer = undefined;
  }

  clear(): void {
    this.#oldest = this.#newest = this.#hand = undefined;
  }

  /** Whose turn it is to go; undefined only where there is nobody. What it spares has lost its bit. */
  next(): N | undefined {
    let node = this.#hand ?? this.#oldest;
    while (node?.hit === true) {
      node.hit = false;
      node = node.newer ?? this.#oldest;
    }
    this.#hand = node;
    return node;
  }
}
