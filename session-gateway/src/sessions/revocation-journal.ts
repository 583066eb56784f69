import type { Write } from './write-link.js';

export interface RevocationJournalOptions {
  /** Names the primary that is responsible for a key now. @throws where nobody knows */
  readonly primaryOf: (key: string) => string;
  readonly write: (writes: readonly Write[]) => Promise<unknown>;
}

/** Longer than a partition goes unnoticed plus a failover, with the times that people configure, ms. */
const memory = 300_000;
/** The oldest are forgotten first: this bounds what a flood of logouts can hold in memory. */
const maxEntries = 20_000;
const interval = 250;
const atOnce = 500;

interface Entry {
  readonly write: Write;
  readonly at: number;
  /** Who has it. */
  primary: string;
}

/**
 * What this process ended lately, in order. Where a failover makes another server responsible, which
 * may not have it, it is written there too. Every write of a revocation can be repeated: ids of
 * sessions never return, epochs and the sequence only grow, a job that was finished ends nothing.
 * It dies with the process.
 */
export class RevocationJournal {
  readonly #options: RevocationJournalOptions;
  #entries: Entry[] = [];
  #timer: NodeJS.Timeout | undefined;
  #repeating = false;

  constructor(options: RevocationJournalOptions) {
    this.#options = options;
  }

  remember(primary: string, writes: readonly Write[]): void {
    const at = performance.now();
    this.#entries.push(...writes.map((write) => ({ write, at, primary })));
    if (this.#entries.length > maxEntries) this.#entries.splice(0, maxEntries / 10);
    this.#timer ??= setInterval(() => void this.#look(), interval).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#entries = [];
  }

  async #look(): Promise<void> {
    if (this.#repeating) return;
    this.#repeating = true;
    try {
      await this.#repeat();
    } catch {
      // The other primary is not there yet, or not whole: the next round tries again.
    } finally {
      this.#repeating = false;
    }
  }

  async #repeat(): Promise<void> {
    const oldest = performance.now() - memory;
    if ((this.#entries[0]?.at ?? Infinity) < oldest) {
      this.#entries = this.#entries.filter(({ at }) => at >= oldest);
    }
    if (this.#entries.length === 0) {
      this.close();
      return;
    }
    const elsewhere = this.#entries.flatMap((entry) => {
      const primary = this.#options.primaryOf(entry.write.key);
      return primary === entry.primary ? [] : [{ entry, primary }];
    });
    for (let first = 0; first < elsewhere.length; first += atOnce) {
      const part = elsewhere.slice(first, first + atOnce);
      await this.#options.write(part.map(({ entry }) => entry.write));
      for (const { entry, primary } of part) entry.primary = primary;
    }
  }
}
