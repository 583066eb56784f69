import { compactVerify, errors, type JWTVerifyGetKey } from 'jose';
import { IdentityProviderError } from './identity-provider-error.js';
import { isSymmetric, type IdpRegistration } from './idp-registration.js';
import type { KeySet } from './key-set.js';
import { holdsRs256, rs256Jws } from './rs256.js';

/** With what a provider's tokens are verified. One algorithm family, one kind of key: never both. */
export interface Verification {
  readonly keyOf: JWTVerifyGetKey;
  readonly algorithms: readonly string[];
}

/**
 * The registered algorithm decides which key is looked at, never the token (RFC 8725 §3.1): a public
 * key cannot be taken for a shared secret.
 */
export function verificationFor(
  registration: Pick<IdpRegistration, 'idTokenAlgorithm' | 'clientSecret'>,
  algorithms: readonly string[],
  keys: KeySet | undefined,
): Verification {
  const published: JWTVerifyGetKey = (header, token) => {
    if (keys === undefined) throw new IdentityProviderError('idp_unsuitable', 'no_jwks');
    return keys.keyOf(header, token);
  };
  if (!isSymmetric(registration.idTokenAlgorithm)) return { keyOf: published, algorithms };
  const secret = () => new TextEncoder().encode(registration.clientSecret);
  return { keyOf: secret, algorithms };
}

/**
 * @returns the protected header
 * @throws IdentityProviderError `bad_idp_answer` if the signature does not hold, `idp_unreachable` if
 * that cannot be known now
 */
export async function verifySignature(
  jws: string,
  { keyOf, algorithms }: Verification,
): Promise<{ readonly alg: string; readonly typ?: string }> {
  try {
    const { alg, typ } = await headerOfVerified(jws, { keyOf, algorithms });
    return { alg, ...(typ === undefined ? {} : { typ }) };
  } catch (error) {
    if ((error as { name?: unknown }).name === 'IdentityProviderError') throw error;
    const { code } = error as { code?: unknown };
    const detail = typeof code === 'string' ? code.toLowerCase() : 'signature';
    throw new IdentityProviderError('bad_idp_answer', detail, { cause: error });
  }
}

/** What nearly every provider signs with does not take the library's way; a test holds both to one answer. */
async function headerOfVerified(
  jws: string,
  { keyOf, algorithms }: Verification,
): Promise<{ readonly alg: string; readonly typ?: string }> {
  const plain = algorithms.includes('RS256') ? rs256Jws(jws) : undefined;
  if (plain !== undefined) {
    const key = await keyOf(plain.header, plain.parts);
    const holds = holdsRs256(plain, key);
    if (holds === true) return plain.header;
    if (holds === false) throw new errors.JWSSignatureVerificationFailed();
  }
  const { protectedHeader } = await compactVerify(jws, keyOf, { algorithms: [...algorithms] });
  return protectedHeader;
}
