import * as client from 'openid-client';
import type { Profile } from '../sessions/session-store.js';
import {
  checkAnsweredIdToken,
  proofWith,
  refuseUnbound,
  tokenSetOf,
  type GrantContext,
} from './granted-tokens.js';
import { checkSamePerson } from './id-token.js';
import { asIdentityProviderError, IdentityProviderError } from './identity-provider-error.js';
import type { TokenSet } from './token-set.js';

/** Whose tokens are refreshed. */
export type RefreshedPerson = Pick<Profile, 'sub' | 'iss'>;

/**
 * Trades a refresh token for new tokens (RFC 6749 §6, OIDC Core 1.0 §12).
 * @param drop ends a new refresh token that will not be used
 * @throws IdentityProviderError
 */
export async function redeemRefreshToken(
  context: GrantContext,
  refreshToken: string,
  old: TokenSet,
  person: RefreshedPerson,
  drop: (refreshToken: string) => Promise<void>,
): Promise<TokenSet> {
  const { provider, registration } = context;
  const { configuration } = provider;
  try {
    const proof = await proofWith(provider, old.proofKey);
    const answer = await client.refreshTokenGrant(configuration, refreshToken, undefined, proof);
    try {
      refuseUnbound(answer, old.proofKey);
      const idToken = await newestIdToken(context, answer, old, person);
      if (registration.userInfoOnRefresh) {
        await checkUserInfo(context, answer.access_token, person, proof);
      }
      const kept = { idToken, proofKey: old.proofKey };
      return { refreshToken, ...tokenSetOf(context, answer, kept) };
    } catch (error) {
      // Nobody may be left with what is not taken over.
      if (answer.refresh_token !== undefined) {
        await drop(answer.refresh_token).catch(() => undefined);
      }
      throw error;
    }
  } catch (error) {
    throw asIdentityProviderError(error);
  }
}

/** The new ID token, checked; the old one where there is none, or none that can be checked now. */
async function newestIdToken(
  context: GrantContext,
  answer: client.TokenEndpointResponse & client.TokenEndpointResponseHelpers,
  old: TokenSet,
  person: RefreshedPerson,
): Promise<string> {
  const claims = answer.claims();
  if (claims === undefined || answer.id_token === undefined) return old.idToken;
  // openid-client does not compare the subject (OIDC Core 1.0 §12.2).
  checkSamePerson(claims, person, old.idToken);
  try {
    await checkAnsweredIdToken(context, answer, claims);
    return answer.id_token;
  } catch (error) {
    // It came straight from the token endpoint (OIDC Core 1.0 §3.1.3.7 no. 6), and the old refresh
    // token is spent: keys that cannot be had now must not cost the session.
    if ((error as IdentityProviderError).code === 'idp_unreachable') return old.idToken;
    throw error;
  }
}

/** Only its word against the session counts: the tokens are there, and no outage may lose them. */
async function checkUserInfo(
  { provider: { configuration, metadata } }: GrantContext,
  accessToken: string,
  { sub }: RefreshedPerson,
  proof: client.DPoPOptions,
): Promise<void> {
  if (metadata.userinfo_endpoint === undefined) return;
  try {
    await client.fetchUserInfo(configuration, accessToken, sub, proof);
  } catch (error) {
    if (codeBehind(error) !== 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED') return;
    throw new IdentityProviderError('bad_idp_answer', 'other_subject', { cause: error });
  }
}

function codeBehind(error: unknown): unknown {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  return code ?? cause?.code;
}
