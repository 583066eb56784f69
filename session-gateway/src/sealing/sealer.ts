import { hashParts } from '@sallyport/shared';
import {
  decryptCompact,
  encryptCompact,
  protectedHeaderOf,
  type ProtectedHeader,
} from './compact-jwe.js';

/** One key of the ring. */
export interface SealKey {
  readonly kid: string;
  readonly key: Uint8Array;
}

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
  readonly #ring: ReadonlyMap<string, Uint8Array>;
  readonly #first: SealKey;

  constructor(ring: readonly SealKey[]) {
    const [first] = ring;
    if (first === undefined) throw new Error('the key ring is empty');
    this.#first = first;
    this.#ring = new Map(ring.map(({ kid, key }) => [kid, key]));
  }

  seal(text: string, place: SealedPlace): Promise<string> {
    const { kid, key } = this.#first;
    return Promise.resolve(encryptCompact(text, { kid, place: hashParts(...place) }, key));
  }

  /** @throws SealError */
  // eslint-disable-next-line @typescript-eslint/require-await -- whoever opens must not care where
  async open(sealed: string, place: SealedPlace): Promise<string> {
    const header = protectedHeader(sealed);
    const key = typeof header['kid'] === 'string' ? this.#ring.get(header['kid']) : undefined;
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
