import { createHash } from 'node:crypto';
import * as client from 'openid-client';
import type { AuthorizationRequest } from './authorization-request.js';
import { named } from './client-authentication.js';
import { correlatedCall, type CallableProvider } from './correlated-call.js';
import { proofWith, type GrantContext } from './granted-tokens.js';
import { asIdentityProviderError, IdentityProviderError } from './identity-provider-error.js';
import type { IdpRegistration } from './idp-registration.js';
import { thumbprintOf } from './proof-key.js';
import { signingCryptoKey } from './signing-key.js';

/** What the start of a login asks for beside what must be (OIDC Core 1.0 §3.1.2.1); it cannot replace that. */
export type Wishes = Readonly<Record<string, string>>;

/** The stricter of what the login asked for and what the registration says: a link cannot soften it. */
export function effectiveMaxAge(
  request: Pick<AuthorizationRequest, 'maxAge'>,
  registration: Pick<IdpRegistration, 'maxAge'>,
): number | undefined {
  const given = [request.maxAge, registration.maxAge].filter((age) => age !== undefined);
  return given.length === 0 ? undefined : Math.min(...given);
}

/**
 * Where the browser is sent: the parameters in the address, or signed in a request object (JAR,
 * RFC 9101), or behind a reference after they were pushed (PAR, RFC 9126), or both.
 * @throws IdentityProviderError
 */
export async function authorizationUrl(
  {
    provider,
    registration,
    correlation,
  }: Pick<GrantContext, 'registration' | 'correlation'> & { readonly provider: CallableProvider },
  request: AuthorizationRequest,
  state: string,
  wishes: Wishes,
): Promise<string> {
  const { configuration } = provider;
  const parameters = await parametersOf(registration, request, state, wishes);
  try {
    const signed = registration.jar
      ? await signedParameters(configuration, registration, parameters)
      : parameters;
    if (!registration.par) return client.buildAuthorizationUrl(configuration, signed).href;
    const proof = await proofWith(provider, request.proofKey);
    const url = await correlatedCall(provider, correlation, () =>
      client.buildAuthorizationUrlWithPAR(configuration, signed, proof),
    );
    return url.href;
  } catch (error) {
    throw refusedRequest(error);
  }
}

async function parametersOf(
  registration: IdpRegistration,
  request: AuthorizationRequest,
  state: string,
  wishes: Wishes,
): Promise<Record<string, string>> {
  const maxAge = effectiveMaxAge(request, registration);
  return {
    ...wishes,
    redirect_uri: request.redirectUri,
    scope: registration.scopes,
    response_type: 'code',
    state,
    nonce: request.nonce,
    // RFC 7636 §4.2. Not openid-client's: WebCrypto makes a job for another thread of it.
    code_challenge: createHash('sha256').update(request.codeVerifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...(registration.audience === undefined
      ? {}
      : { [registration.audienceParameter ?? 'audience']: registration.audience }),
    ...(maxAge === undefined ? {} : { max_age: String(maxAge) }),
    // The code is worth nothing without the session's key (RFC 9449 §10).
    ...(request.proofKey === undefined ? {} : { dpop_jkt: await thumbprintOf(request.proofKey) }),
  };
}

async function signedParameters(
  configuration: client.Configuration,
  { signingKey }: IdpRegistration,
  parameters: Record<string, string>,
): Promise<Record<string, string>> {
  if (signingKey === undefined) throw new Error('the registration has no signing key');
  const { keyId, algorithm } = signingKey;
  const key = await signingCryptoKey(signingKey);
  const url = await client.buildAuthorizationUrlWithJAR(
    configuration,
    parameters,
    keyId === undefined ? key : { key, kid: keyId },
    { [client.modifyAssertion]: named(algorithm) },
  );
  return { request: url.searchParams.get('request') ?? '' };
}

/** Nobody has logged in yet: a request that is refused was made wrongly, here or at the registration. */
function refusedRequest(error: unknown): IdentityProviderError {
  const ours = asIdentityProviderError(error);
  return ours.code === 'login_refused'
    ? new IdentityProviderError('idp_unsuitable', ours.detail, { cause: error })
    : ours;
}
