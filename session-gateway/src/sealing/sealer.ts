import { hashParts } from '@sallyport/shared';
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose';

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
    return new CompactEncrypt(new TextEncoder().encode(text))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid, place: hashParts(...place) })
      .encrypt(key);
  }

  /** @throws SealError */
  async open(sealed: string, place: SealedPlace): Promise<string> {
    const header = protectedHeader(sealed);
    const key = typeof header.kid === 'string' ? this.#ring.get(header.kid) : undefined;
    if (key === undefined) throw new SealError('unknown_seal_key');
    // Hashed: in the raw key form a handle is the session id itself.
    if (header['place'] !== hashParts(...place)) throw new SealError('broken_seal');
    try {
      const { plaintext } = await compactDecrypt(sealed, key, {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      });
      return new TextDecoder().decode(plaintext);
    } catch (error) {
      throw new SealError('broken_seal', { cause: error });
    }
  }
}

function protectedHeader(sealed: string): ReturnType<typeof decodeProtectedHeader> {
  try {
    return decodeProtectedHeader(sealed);
  } catch (error) {
    throw new SealError('broken_seal', { cause: error });
  }
}
