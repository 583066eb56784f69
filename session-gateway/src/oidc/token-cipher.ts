import type { SessionHandle } from '@sallyport/shared';
import type { SealedPlace, Sealer } from '../sealing/sealer.js';
import { parseTokenSet, type TokenSet } from './token-set.js';

const schemaVersion = '1';

/** TokenSet ⇄ its sealed form, which opens only for the session it was sealed for. */
export class TokenCipher {
  readonly #sealer: Sealer;

  constructor(sealer: Sealer) {
    this.#sealer = sealer;
  }

  seal(tokens: TokenSet, handle: SessionHandle): Promise<string> {
    return this.#sealer.seal(JSON.stringify(tokens), placeOf(handle));
  }

  /** Whether they are sealed by what is now the ring's first key. @throws SealError */
  isCurrent(sealed: string): boolean {
    return this.#sealer.isCurrent(sealed);
  }

  /** The same text, sealed by the first key: also what a newer version put in. @throws SealError */
  async reseal(sealed: string, handle: SessionHandle): Promise<string> {
    const place = placeOf(handle);
    return this.#sealer.seal(await this.#sealer.open(sealed, place), place);
  }

  /** @throws SealError */
  async open(sealed: string, handle: SessionHandle): Promise<TokenSet> {
    return parseTokenSet(await this.#sealer.open(sealed, placeOf(handle)));
  }
}

function placeOf(handle: SessionHandle): SealedPlace {
  return [handle, 'tokens', schemaVersion];
}
