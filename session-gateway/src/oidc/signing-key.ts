import { createPrivateKey, type KeyObject } from 'node:crypto';
import { importPKCS8, type CryptoKey } from 'jose';

/** Our private key at a provider, for client assertions (RFC 7523) and request objects (RFC 9101). */
export interface SigningKey {
  readonly key: KeyObject;
  /** JWS `alg`. */
  readonly algorithm: string;
  /** As the provider has it; left out where it has only one key of ours. */
  readonly keyId?: string;
}

const minRsaBits = 2048;
const ecAlgorithms: Readonly<Record<string, string>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};

/**
 * Reads a private key, PEM (PKCS #8, PKCS #1 or SEC 1, not encrypted) or JWK. The algorithm follows
 * from the key unless one that fits it is given; RS256 for RSA.
 * @returns the key, or why it cannot be used; the reason holds nothing of the key
 */
export function parseSigningKey(
  text: string,
  given: { readonly algorithm?: string; readonly keyId?: string } = {},
): { readonly signingKey: SigningKey } | { readonly problem: string } {
  const read = readKey(text);
  if ('problem' in read) return read;
  const { key, jwkId } = read;
  const fitting = algorithmsOf(key);
  if (fitting.length === 0) {
    return { problem: 'is of a kind that signs nothing here. Use RSA, EC (P-256, …) or Ed25519.' };
  }
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < minRsaBits) {
    return { problem: `is an RSA key of ${String(bits)} bits. Use ${String(minRsaBits)} or more.` };
  }
  const { algorithm = fitting[0] ?? '', keyId = jwkId } = given;
  if (!fitting.includes(algorithm)) {
    return { problem: `does not fit the algorithm ${algorithm}. It can do ${fitting.join(', ')}.` };
  }
  return { signingKey: { key, algorithm, ...(keyId === undefined ? {} : { keyId }) } };
}

function readKey(
  text: string,
): { readonly key: KeyObject; readonly jwkId?: string } | { readonly problem: string } {
  const trimmed = text.trim();
  try {
    if (!trimmed.startsWith('{')) return { key: createPrivateKey(trimmed) };
    const jwk = JSON.parse(trimmed) as { kid?: unknown };
    const key = createPrivateKey({ key: jwk, format: 'jwk' });
    return typeof jwk.kid === 'string' ? { key, jwkId: jwk.kid } : { key };
  } catch {
    // The parser's own words could quote the key.
    return { problem: 'is not a private key. Give it as PEM (not encrypted) or as a JWK.' };
  }
}

/** The first one is what is used if nobody says. */
function algorithmsOf(key: KeyObject): readonly string[] {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'rsa') return ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
  if (type === 'ed25519') return ['EdDSA', 'Ed25519'];
  const curve = type === 'ec' ? ecAlgorithms[details?.namedCurve ?? ''] : undefined;
  return curve === undefined ? [] : [curve];
}

/** As openid-client takes it. */
export async function signingCryptoKey({ key, algorithm }: SigningKey): Promise<CryptoKey> {
  return importPKCS8(key.export({ type: 'pkcs8', format: 'pem' }).toString(), algorithm);
}
