import type { Session } from '@sallyport/shared';
import { listWeight } from './cache/session-weight.js';

interface Names {
  readonly list: readonly string[];
  readonly joined: string;
}

/** Bytes: many thousands of lists of the common size. */
const maxBytes = 16 * 1024 * 1024;

/**
 * One list and one string for all sessions with the same roles or permissions. Most of 100,000
 * sessions share a few of them, and copies would be most of the cache's memory.
 */
export class SessionInterner {
  #names = new Map<string, Names>();
  #bytes = 0;
  readonly #limit: number;

  constructor(limit = 10_000) {
    this.#limit = limit;
  }

  intern(session: Session): Session {
    const roles = this.#shared(session.roles).list;
    const permissions = this.#shared(session.permissions).list;
    return { ...session, roles, permissions };
  }

  /** The list joined by commas, the same string every time. */
  joined(names: readonly string[]): string {
    return this.#shared(names).joined;
  }

  #shared(list: readonly string[]): Names {
    const joined = list.join(',');
    const known = this.#names.get(joined);
    if (known !== undefined) return known;
    const weight = listWeight(list, joined);
    // Forgotten at once rather than one by one: the lists in use live on in their sessions.
    if (this.#names.size >= this.#limit || this.#bytes + weight > maxBytes) {
      this.#names = new Map();
      this.#bytes = 0;
    }
    this.#bytes += weight;
    const names = { list, joined };
    this.#names.set(joined, names);
    return names;
  }
}
