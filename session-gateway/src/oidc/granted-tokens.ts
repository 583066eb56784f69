import * as client from 'openid-client';
import type { Correlation } from '../correlation.js';
import { checkIdToken } from './id-token.js';
import { IdentityProviderError } from './identity-provider-error.js';
import type { IdpRegistration } from './idp-registration.js';
import { keyPairOf, type ProofKey } from './proof-key.js';
import type { DescribedProvider } from './provider-metadata.js';
import type { TokenSet } from './token-set.js';

/** What a request at the token endpoint is made with. */
export interface GrantContext {
  readonly provider: DescribedProvider;
  readonly registration: IdpRegistration;
  /** Epoch seconds. */
  readonly now: number;
  /** What it is done for. */
  readonly correlation: Correlation | undefined;
}

/** The session's key as openid-client takes it; nothing for bearer tokens. */
export async function proofWith(
  { configuration }: Pick<DescribedProvider, 'configuration'>,
  proofKey: ProofKey | undefined,
): Promise<client.DPoPOptions> {
  if (proofKey === undefined) return {};
  return { DPoP: client.getDPoPHandle(configuration, await keyPairOf(proofKey)) };
}

/** A bearer token in the place of a bound one is a downgrade (RFC 9449 §5). @throws IdentityProviderError */
export function refuseUnbound(
  { token_type: type }: client.TokenEndpointResponse,
  proofKey: ProofKey | undefined,
): void {
  if (proofKey !== undefined && type !== 'dpop') {
    throw new IdentityProviderError('bad_idp_answer', 'not_dpop_bound');
  }
}

/** @throws IdentityProviderError */
export function checkAnsweredIdToken(
  { provider, registration, now }: GrantContext,
  answer: client.TokenEndpointResponse,
  claims: client.IDToken,
): Promise<void> {
  return checkIdToken(answer.id_token ?? '', claims, {
    clientId: registration.clientId,
    accessToken: answer.access_token,
    verification: provider.verification,
    now,
  });
}

/** No provider means more than ten years, and the records have whole seconds of few digits. */
const longestLife = 10 * 365 * 86_400;

export function tokenSetOf(
  { now }: Pick<GrantContext, 'now'>,
  answer: client.TokenEndpointResponse,
  kept: { readonly idToken: string; readonly proofKey: ProofKey | undefined },
): TokenSet {
  const { idToken, proofKey } = kept;
  return {
    accessToken: answer.access_token,
    idToken,
    ...(answer.refresh_token === undefined ? {} : { refreshToken: answer.refresh_token }),
    ...(answer.scope === undefined ? {} : { scope: answer.scope }),
    ...(answer.expires_in === undefined
      ? {}
      : { expiresAt: now + Math.min(Math.floor(answer.expires_in), longestLife) }),
    ...(proofKey === undefined ? {} : { proofKey }),
  };
}
