/** So many at once of one provider. */
const atOnce = 4;

/** Work for one provider, a few pieces at a time: one that is silent must not hold up the others. */
export class Lane {
  readonly #queue: (() => Promise<void>)[] = [];
  readonly #running = new Set<Promise<void>>();

  get waiting(): number {
    return this.#queue.length;
  }

  get size(): number {
    return this.#queue.length + this.#running.size;
  }

  get running(): Iterable<Promise<void>> {
    return this.#running;
  }

  /** @param begin must not reject */
  add(begin: () => Promise<void>): void {
    this.#queue.push(begin);
    this.#next();
  }

  /** @returns how many were never begun */
  clear(): number {
    return this.#queue.splice(0).length;
  }

  #next(): void {
    while (this.#running.size < atOnce) {
      const begin = this.#queue.shift();
      if (begin === undefined) return;
      const work = begin().finally(() => {
        this.#running.delete(work);
        this.#next();
      });
      this.#running.add(work);
    }
  }
}
