import type { SessionHandle } from '@sallyport/shared';

/** What a provider did while a session was attended to. `nothing`: it was not asked, or not by us. */
export type Heard = 'answered' | 'silent' | 'nothing';

export interface ProviderPlacesOptions {
  /** Ids of the registrations. */
  readonly idps: Iterable<string>;
  /** Told when a provider has only its last place left, and when it has all of them again. */
  readonly onChange?: (idp: string, state: 'silent' | 'answering') => void;
}

/** Refreshes of one provider that a replica's worker may have under way; more than it does at a time. */
const most = 32;

interface Places {
  taken: number;
  limit: number;
  isSilent: boolean;
  /** Sessions whose silence has been counted since all places were there: as many as halve them to one. */
  readonly unanswered: Set<SessionHandle>;
}

/**
 * How many refreshes the worker may have under way at each provider. One that does not answer would
 * otherwise have all the worker's places, for as long as each call may take, and the sessions of the others
 * would neither get new tokens nor new permissions. Each silence halves the number, down to one; each
 * answer doubles it, so a provider that is back is found by the next that is due. A session that it never
 * answers, where it answers others, counts once and not each time it is tried.
 */
export class ProviderPlaces {
  readonly #places: ReadonlyMap<string, Places>;
  readonly #onChange: ProviderPlacesOptions['onChange'];

  constructor({ idps, onChange }: ProviderPlacesOptions) {
    this.#places = new Map(
      [...idps].map((idp) => [
        idp,
        { taken: 0, limit: most, isSilent: false, unanswered: new Set() },
      ]),
    );
    this.#onChange = onChange;
  }

  /**
   * @returns gives the place back, to be called once, with what was heard; undefined: there is none
   */
  take(idp: string, handle: SessionHandle): ((heard: Heard) => void) | undefined {
    const places = this.#places.get(idp);
    // Not configured any more: nobody is called.
    if (places === undefined) return () => undefined;
    if (places.taken >= places.limit) return undefined;
    places.taken += 1;
    return (heard) => {
      places.taken -= 1;
      if (heard === 'silent' && places.limit > 1 && !places.unanswered.has(handle)) {
        places.unanswered.add(handle);
        places.limit >>= 1;
      }
      if (heard === 'answered') places.limit = Math.min(most, places.limit * 2);
      if (places.limit === most) places.unanswered.clear();
      const isSilent = places.isSilent ? places.limit < most : places.limit === 1;
      if (isSilent === places.isSilent) return;
      places.isSilent = isSilent;
      this.#onChange?.(idp, isSilent ? 'silent' : 'answering');
    };
  }
}
