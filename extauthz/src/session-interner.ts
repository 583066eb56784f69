import type { Session } from '@sallyport/shared';

interface Names {
  readonly list: readonly string[];
  readonly joined: string;
}

/**
 * One list and one string for all sessions with the same roles or permissions. Most of 100,000
 * sessions share a few of them, and copies would be most of the cache's memory.
 */
export class SessionInterner {
  #names = new Map<string, Names>();
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
    // Forgotten at once rather than one by one: the lists in use live on in their sessions.
    if (this.#names.size >= this.#limit) this.#names = new Map();
    const names = { list, joined };
    this.#names.set(joined, names);
    return names;
  }
}
