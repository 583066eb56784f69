import { compactVerify, type JWTVerifyGetKey } from 'jose';
import { IdentityProviderError } from './identity-provider-error.js';
import { isSymmetric, type IdpRegistration } from './idp-registration.js';
import type { KeySet } from './key-set.js';

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
    const { protectedHeader } = await compactVerify(jws, keyOf, { algorithms: [...algorithms] });
    const { alg, typ } = protectedHeader;
    return { alg, ...(typ === undefined ? {} : { typ }) };
  } catch (error) {
    if ((error as { name?: unknown }).name === 'IdentityProviderError') throw error;
    const { code } = error as { code?: unknown };
    const detail = typeof code === 'string' ? code.toLowerCase() : 'signature';
    throw new IdentityProviderError('bad_idp_answer', detail, { cause: error });
  }
}
