import { KeyObject, verify, type webcrypto } from 'node:crypto';
import { types } from 'node:util';
import {
  decodeProtectedHeader,
  type CryptoKey,
  type FlattenedJWSInput,
  type ProtectedHeaderParameters,
} from 'jose';

/** A compact JWS whose header asks for RS256 and for nothing else of the verifier. */
export interface Rs256Jws {
  readonly header: { readonly alg: 'RS256'; readonly typ?: string; readonly kid?: string };
  readonly parts: FlattenedJWSInput & { readonly protected: string };
}

const compactForm = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

/** Undefined for anything else, which is the JOSE library's to judge. */
export function rs256Jws(text: string): Rs256Jws | undefined {
  const [, encoded, payload, signature] = compactForm.exec(text) ?? [];
  if (encoded === undefined || payload === undefined || signature === undefined) return undefined;
  // No bytes have this length; Node leaves the last character out.
  if (payload.length % 4 === 1 || signature.length % 4 === 1) return undefined;
  const header = headerOf(text);
  if (header?.alg !== 'RS256' || 'crit' in header || 'b64' in header) return undefined;
  return {
    header: header as Rs256Jws['header'],
    parts: { protected: encoded, payload, signature },
  };
}

function headerOf(text: string): ProtectedHeaderParameters | undefined {
  try {
    return decodeProtectedHeader(text);
  } catch {
    return undefined;
  }
}

const keyObjects = new WeakMap<CryptoKey, KeyObject>();

/**
 * RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3) by node's own verification. The JOSE library works
 * through WebCrypto, where every signature is a job for another thread: waking it costs several times
 * the verification, a twentieth of a login (docs/performance.md).
 * @returns undefined for a key that is not for this, which is the library's to judge
 */
export function holdsRs256({ parts }: Rs256Jws, key: unknown): boolean | undefined {
  if (!isForRs256(key)) return undefined;
  let object = keyObjects.get(key);
  if (object === undefined) keyObjects.set(key, (object = KeyObject.from(key)));
  const signed = Buffer.from(`${parts.protected}.${parts.payload as string}`, 'ascii');
  return verify('sha256', signed, object, Buffer.from(parts.signature, 'base64url'));
}

function isForRs256(key: unknown): key is CryptoKey {
  if (!types.isCryptoKey(key)) return false;
  const { type, algorithm, usages } = key;
  const { name, hash, modulusLength = 0 } = algorithm as Partial<webcrypto.RsaHashedKeyAlgorithm>;
  const isOfThis = name === 'RSASSA-PKCS1-v1_5' && hash?.name === 'SHA-256';
  // RFC 7518 §3.3: 2048 bits or more.
  return type === 'public' && isOfThis && modulusLength >= 2048 && usages.includes('verify');
}
