import { webcrypto } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import { z } from 'zod';

const coordinate = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

/**
 * The private key that a session's tokens are bound to (DPoP, RFC 9449), a P-256 JWK. It belongs to
 * one session: made at the start of its login, sealed beside its tokens, gone with them. So every
 * replica has it that can open the tokens, and no replica has one for all sessions.
 */
export const proofKeySchema = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: coordinate,
  y: coordinate,
  d: coordinate,
});
export type ProofKey = z.output<typeof proofKeySchema>;

export async function newProofKey(): Promise<ProofKey> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return proofKeySchema.parse(await exportJWK(privateKey));
}

/** RFC 7638, for `dpop_jkt`. */
export function thumbprintOf({ kty, crv, x, y }: ProofKey): Promise<string> {
  return calculateJwkThumbprint({ kty, crv, x, y });
}

export async function keyPairOf(key: ProofKey): Promise<webcrypto.CryptoKeyPair> {
  const { kty, crv, x, y } = key;
  const curve = { name: 'ECDSA', namedCurve: crv };
  const [privateKey, publicKey] = await Promise.all([
    webcrypto.subtle.importKey('jwk', key, curve, false, ['sign']),
    webcrypto.subtle.importKey('jwk', { kty, crv, x, y }, curve, true, ['verify']),
  ]);
  return { privateKey, publicKey };
}
