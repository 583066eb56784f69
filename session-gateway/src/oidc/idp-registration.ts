import type { ClaimRules } from './claim-grants.js';
import { sameCertificate, type ClientCertificate } from './client-certificate.js';
import type { SigningKey } from './signing-key.js';

/**
 * How we prove at the token endpoint who we are (OIDC Core 1.0 §9). `none`: a public client, whose
 * codes only PKCE protects.
 */
export const clientAuthentications = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
  'none',
] as const;
export type ClientAuthentication = (typeof clientAuthentications)[number];

/** By a certificate in the TLS handshake (RFC 8705 §2); who issued it is the provider's affair. */
export function isTlsAuthentication(method: ClientAuthentication | undefined): boolean {
  return method === 'tls_client_auth' || method === 'self_signed_tls_client_auth';
}

/** ID token signatures with a provider's own published keys. */
export const asymmetricAlgorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
] as const;
/** With the client secret: only for a registration that names one of them. */
export const symmetricAlgorithms = ['HS256', 'HS384', 'HS512'] as const;

/** The callback's addresses; only the one that is sent to the provider is accepted. */
export const callbackPaths = [
  '/login/oauth2/code/{idp}',
  '/auth/callback/{idp}',
  '/auth/callback',
] as const;
export type CallbackPath = (typeof callbackPaths)[number];

/**
 * When a session's refresh token is revoked at the provider. `logout`: by logout, and where all
 * sessions of somebody end on purpose. `always`: also when one of several sessions ends, from the
 * list of devices or for want of room; many providers end those of the others with it.
 */
export const tokenRevocationRules = ['always', 'logout', 'never'] as const;
export type TokenRevocationRule = (typeof tokenRevocationRules)[number];

/**
 * What the gateway needs to know of one identity provider. Nobody keeps a copy of its {@link Credentials}:
 * they are looked at whenever they are used.
 */
export interface IdpRegistration {
  /** The `{idp}` of the routes. */
  readonly id: string;
  readonly issuer: string;
  readonly clientId: string;
  /** Left out: client_secret_basic, or client_secret_post where the provider knows only that. */
  readonly clientAuthentication?: ClientAuthentication;
  readonly clientSecret?: string;
  /** For private_key_jwt and for signed authorization requests. */
  readonly signingKey?: SigningKey;
  /** For TLS client authentication. */
  readonly clientCertificate?: ClientCertificate;
  readonly scopes: string;
  /** The API that access tokens are for, where the provider asks for it by `audience` (Auth0). */
  readonly audience?: string;
  /** Left out: `audience`. */
  readonly audienceParameter?: 'audience' | 'resource';
  /** The only algorithm an ID token or logout token may have; left out: any asymmetric one the provider lists. */
  readonly idTokenAlgorithm?: string;
  /** How long ago the person may have logged in at the provider, seconds (`max_age`). */
  readonly maxAge?: number;
  /** Push authorization requests (RFC 9126). */
  readonly par: boolean;
  /** Sign authorization requests (JAR, RFC 9101). */
  readonly jar: boolean;
  /** Bind tokens to a key of the session (DPoP, RFC 9449). */
  readonly dpop: boolean;
  /** Path of the registered redirect URI; `{idp}` stands for the id. */
  readonly callbackPath: CallbackPath;
  readonly logoutReturnTo: string;
  readonly logoutUrlTemplate?: string;
  /** Accept logout tokens only with `typ: logout+jwt`. */
  readonly strictLogoutTokens: boolean;
  readonly revokeTokens: TokenRevocationRule;
  /** How long any one call may take, ms. */
  readonly timeout: number;
  /** Compare UserInfo's subject after a refresh too. */
  readonly userInfoOnRefresh: boolean;
  /** Left out: claims grant nothing. */
  readonly claims?: ClaimRules;
}

/** What proves us at the provider. Where it comes from files it may be replaced while we run. */
export type Credentials = Pick<
  IdpRegistration,
  'clientSecret' | 'signingKey' | 'clientCertificate'
>;

export function credentialsOf(registration: Credentials): Credentials {
  const { clientSecret, signingKey, clientCertificate } = registration;
  return {
    ...(clientSecret === undefined ? {} : { clientSecret }),
    ...(signingKey === undefined ? {} : { signingKey }),
    ...(clientCertificate === undefined ? {} : { clientCertificate }),
  };
}

export function sameCredentials(one: Credentials, other: Credentials): boolean {
  return (
    one.clientSecret === other.clientSecret &&
    sameSigningKey(one.signingKey, other.signingKey) &&
    sameCertificate(one.clientCertificate, other.clientCertificate)
  );
}

function sameSigningKey(one: SigningKey | undefined, other: SigningKey | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  const { key, algorithm, keyId } = one;
  return algorithm === other.algorithm && keyId === other.keyId && key.equals(other.key);
}

export function isSymmetric(algorithm: string | undefined): boolean {
  return algorithm !== undefined && (symmetricAlgorithms as readonly string[]).includes(algorithm);
}
