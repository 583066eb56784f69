import type { Session } from '@sallyport/shared';
import type { Identity } from '../identity.js';

export interface Weighed {
  readonly session: Session;
  readonly identity: Identity;
}

// Bytes, and always from above (measured: docs/decisions.md).
/** Map entry (of a map that has just grown), slot, record, identity, handle, header of the user id. */
const eachSession = 560;
const eachEmail = 24;
/** Map entries, the array, the headers of its texts. */
const eachList = 224;
/** A slice of the list's text, and its place in the array. */
const eachName = 44;

/**
 * What a list of names takes, bytes: its text twice, joined and as Redis sent it, for the names are
 * slices of that.
 */
export function listWeight(names: readonly string[], joined: string): number {
  return eachList + eachName * names.length + 2 * joined.length;
}

function ownWeight({ session: { userId, email } }: Weighed): number {
  return eachSession + userId.length + (email === undefined ? 0 : eachEmail + email.length);
}

/**
 * How many bytes the sessions that are kept take. A list that many of them share, as the interner has
 * it, is there once and weighs once.
 */
export class SessionWeights {
  #uses = new Map<readonly string[], number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** With nothing else there. */
  alone(one: Weighed): number {
    return ownWeight(one) + eachListOf(one, listWeight);
  }

  /** What it would add. */
  added(one: Weighed): number {
    return (
      ownWeight(one) +
      eachListOf(one, (list, joined) => (this.#uses.has(list) ? 0 : listWeight(list, joined)))
    );
  }

  add(one: Weighed): void {
    this.#total += ownWeight(one);
    this.#total += eachListOf(one, (list, joined) => {
      const uses = this.#uses.get(list) ?? 0;
      this.#uses.set(list, uses + 1);
      return uses === 0 ? listWeight(list, joined) : 0;
    });
  }

  remove(one: Weighed): void {
    this.#total -= ownWeight(one);
    this.#total -= eachListOf(one, (list, joined) => {
      const uses = this.#uses.get(list) ?? 0;
      if (uses > 1) {
        this.#uses.set(list, uses - 1);
        return 0;
      }
      this.#uses.delete(list);
      return listWeight(list, joined);
    });
  }

  clear(): void {
    this.#uses = new Map();
    this.#total = 0;
  }
}

function eachListOf(
  { session, identity: { values } }: Weighed,
  weigh: (list: readonly string[], joined: string) => number,
): number {
  const [, roles, permissions] = values;
  return weigh(session.roles, roles) + weigh(session.permissions, permissions);
}
