import type { Write } from './write-link.js';

export interface RevocationJournalOptions {
  /** Names the primary that is responsible for a key now. @throws where nobody knows */
  readonly primaryOf: (key: string) => string;
  /** To whoever is responsible now. */
  readonly write: (write: Write) => Promise<unknown>;
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
  /** Who has it; whether replicas have it too is not asked: should another take over, it is said there. */
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
    await this.#repeat();
    this.#repeating = false;
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
    const missing = new Map<string, Entry[]>();
    // The newest first: they are the likeliest to be missing.
    for (const entry of this.#entries.toReversed()) {
      const primary = this.#primaryOf(entry);
      if (primary === undefined || primary === entry.primary) continue;
      const entries = missing.get(primary) ?? [];
      if (entries.push(entry) === 1) missing.set(primary, entries);
    }
    await Promise.all([...missing].map(([primary, entries]) => this.#tell(primary, entries)));
  }

  /** Undefined where nobody knows: the next round asks again. */
  #primaryOf({ write }: Entry): string | undefined {
    try {
      return this.#options.primaryOf(write.key);
    } catch {
      return undefined;
    }
  }

  /** One that is not there, or not whole, keeps no other waiting: the next round tries it again. */
  async #tell(primary: string, entries: readonly Entry[]): Promise<void> {
    for (let first = 0; first < entries.length; first += atOnce) {
      const part = entries.slice(first, first + atOnce);
      const done = await Promise.allSettled(part.map(({ write }) => this.#options.write(write)));
      done.forEach(({ status }, at) => {
        const entry = part[at];
        if (status === 'fulfilled' && entry !== undefined) entry.primary = primary;
      });
      if (done.every(({ status }) => status === 'rejected')) return;
    }
  }
}
