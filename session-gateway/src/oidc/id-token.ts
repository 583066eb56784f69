import { createHash } from 'node:crypto';
import { decodeJwt, type JWTPayload } from 'jose';
import type { IDToken } from 'openid-client';
import type { Profile } from '../sessions/session-store.js';
import { IdentityProviderError } from './identity-provider-error.js';
import { verifySignature, type Verification } from './signature.js';

/** How far the provider's clock may be from ours, seconds (TRUST R15). */
export const skewSeconds = 30;
/** An ID token of a login was made after the login began: a transaction lives 600 s. */
const oldestSeconds = 600;

export interface IdTokenRules {
  readonly clientId: string;
  readonly accessToken: string;
  readonly verification: Verification;
  /** Epoch seconds. */
  readonly now: number;
}

/**
 * What openid-client leaves to us of OIDC Core 1.0 §3.1.3.7, after it has compared issuer, audience,
 * nonce, `exp`, and `auth_time` with `max_age`: the signature, and whose token it is.
 * @throws IdentityProviderError
 */
export async function checkIdToken(
  idToken: string,
  claims: IDToken,
  rules: IdTokenRules,
): Promise<void> {
  const { alg, typ } = await verifySignature(idToken, rules.verification);
  // A logout token or an access token of the same provider is no proof of a login (RFC 8725 §3.11).
  if (typ !== undefined && !/^(?:application\/)?jwt$/i.test(typ)) refuse('typ');
  if (claims.azp !== undefined && claims.azp !== rules.clientId) refuse('azp');
  if (claims.iat > rules.now + skewSeconds) refuse('iat');
  const { at_hash: hash } = claims;
  if (hash !== undefined && hash !== leftHalf(rules.accessToken, alg)) refuse('at_hash');
}

/** An ID token of a login was made for it. @throws IdentityProviderError */
export function checkFreshness({ iat }: IDToken, now: number): void {
  if (iat < now - oldestSeconds - skewSeconds) refuse('iat');
}

/**
 * That a refresh speaks of the same person and the same login (OIDC Core 1.0 §12.2).
 * @throws IdentityProviderError `other_subject` ends the session
 */
export function checkSamePerson(
  claims: IDToken,
  person: Pick<Profile, 'sub' | 'iss'>,
  firstToken: string,
): void {
  if (claims.sub !== person.sub || claims.iss !== person.iss) refuse('other_subject');
  if (claims.nonce !== undefined && claims.nonce !== claimsOf(firstToken)?.['nonce']) {
    refuse('nonce');
  }
}

/** OIDC Core 1.0 §3.1.3.6: half of the hash that the signature's algorithm uses. */
function leftHalf(accessToken: string, alg: string): string {
  const bits = alg.slice(-3);
  const hash = bits === '256' || bits === '384' ? `sha${bits}` : 'sha512';
  const digest = createHash(hash).update(accessToken, 'ascii').digest();
  return digest.subarray(0, digest.length / 2).toString('base64url');
}

function claimsOf(token: string): JWTPayload | undefined {
  try {
    return decodeJwt(token);
  } catch {
    return undefined;
  }
}

function refuse(detail: string): never {
  throw new IdentityProviderError('bad_idp_answer', detail);
}
