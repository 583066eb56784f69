import { hashParts } from '@sallyport/shared';
import {
  decryptCompact,
  encryptCompact,
  protectedHeaderOf,
  type ProtectedHeader,
} from './compact-jwe.js';
import { fromRing, type KeyRing, type SealKey } from './key-ring.js';

/**
 * `unknown_seal_key`: another replica may hold the key, so nothing is known about what was sealed,
 * and no session may end because of it (ATTACKS 32). `broken_seal`: the value is not one of ours, or
 * belongs elsewhere.
 */
export class SealError extends Error {
  override readonly name = 'SealError';
  readonly code: 'unknown_seal_key' | 'broken_seal';

  constructor(code: SealError['code'], options?: ErrorOptions) {
    super(code === 'unknown_seal_key' ? 'the ring has no such key' : 'the seal is broken', options);
    this.code = code;
  }
}

/** Where a sealed value belongs: the record's key or handle, the field, the version of its form. */
export type SealedPlace = readonly [record: string, field: string, version: string];

/**
 * JWE, `dir` and `A256GCM` (RFC 7516). The first key of the ring seals, all open. The protected
 * header, which GCM authenticates, names the place: a value copied elsewhere does not open there.
 */
export class Sealer {
  readonly #keys: () => { first: SealKey; byKid: ReadonlyMap<string, Uint8Array> };

  constructor(ring: KeyRing) {
    this.#keys = fromRing(ring, (keys, first) => ({
      first,
      byKid: new Map(keys.map(({ kid, key }) => [kid, key])),
    }));
  }

  /** Whether it was sealed by what is now the first key. */
  isCurrent(sealed: string): boolean {
    return protectedHeader(sealed)['kid'] === this.#keys().first.kid;
  }

  seal(text: string, place: SealedPlace): Promise<string> {
    const { kid, key } = this.#keys().first;
    return Promise.resolve(encryptCompact(text, { kid, place: hashParts(...place) }, key));
  }

  /** @throws SealError */
  // eslint-disable-next-line @typescript-eslint/require-await -- whoever opens must not care where
  async open(sealed: string, place: SealedPlace): Promise<string> {
    const header = protectedHeader(sealed);
    const key =
      typeof header['kid'] === 'string' ? this.#keys().byKid.get(header['kid']) : undefined;
    if (key === undefined) throw new SealError('unknown_seal_key');
    // Hashed: in the raw key form a handle is the session id itself.
    if (header['place'] !== hashParts(...place)) throw new SealError('broken_seal');
    try {
      return decryptCompact(sealed, key);
    } catch (error) {
      throw new SealError('broken_seal', { cause: error });
    }
  }
}

function protectedHeader(sealed: string): ProtectedHeader {
  try {
    return protectedHeaderOf(sealed);
  } catch (error) {
    throw new SealError('broken_seal', { cause: error });
  }
}
