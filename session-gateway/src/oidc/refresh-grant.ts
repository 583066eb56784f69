import * as client from 'openid-client';
import type { ClaimedGrants } from '../sessions/claimed-grants.js';
import type { Profile } from '../sessions/session-store.js';
import { claimedGrants } from './claim-grants.js';
import { correlatedCall } from './correlated-call.js';
import { endpointOf } from './endpoint-of.js';
import {
  checkAnsweredIdToken,
  proofWith,
  refuseUnbound,
  tokenSetOf,
  type GrantContext,
} from './granted-tokens.js';
import { checkSamePerson } from './id-token.js';
import { asIdentityProviderError, IdentityProviderError } from './identity-provider-error.js';
import type { IdpRegistration } from './idp-registration.js';
import type { TokenSet } from './token-set.js';

/** Whose tokens are refreshed. */
export type RefreshedPerson = Pick<Profile, 'sub' | 'iss'>;

/** `claimed`: what the new claims grant; left out where none came, or none are read. */
export type RefreshedTokens = TokenSet & { readonly claimed?: ClaimedGrants };

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
): Promise<RefreshedTokens> {
  const { provider, registration, correlation } = context;
  try {
    const proof = await proofWith(provider, old.proofKey);
    const answer = await correlatedCall(provider, correlation, (configuration) =>
      client.refreshTokenGrant(configuration, refreshToken, undefined, proof),
    );
    try {
      refuseUnbound(answer, old.proofKey);
      const { idToken, claims } = await newestIdToken(context, answer, old, person);
      const { claims: rules } = registration;
      const userInfo =
        registration.userInfoOnRefresh || rules?.from === 'userinfo'
          ? await checkedUserInfo(context, answer.access_token, person, proof)
          : undefined;
      const kept = { idToken, proofKey: old.proofKey };
      return {
        refreshToken,
        ...tokenSetOf(context, answer, kept),
        ...newClaims(registration, rules?.from === 'userinfo' ? userInfo : claims),
      };
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
): Promise<{ readonly idToken: string; readonly claims?: client.IDToken }> {
  const claims = answer.claims();
  if (claims === undefined || answer.id_token === undefined) return { idToken: old.idToken };
  // openid-client does not compare the subject (OIDC Core 1.0 §12.2).
  checkSamePerson(claims, person, old.idToken);
  try {
    await checkAnsweredIdToken(context, answer, claims);
    return { idToken: answer.id_token, claims };
  } catch (error) {
    // It came straight from the token endpoint (OIDC Core 1.0 §3.1.3.7 no. 6), and the old refresh
    // token is spent: keys that cannot be had now must not cost the session.
    if ((error as IdentityProviderError).code === 'idp_unreachable') {
      return { idToken: old.idToken };
    }
    throw error;
  }
}

/** Only its word against the session counts: the tokens are there, and no outage may lose them. */
async function checkedUserInfo(
  { registration, provider, correlation }: GrantContext,
  accessToken: string,
  { sub }: RefreshedPerson,
  proof: client.DPoPOptions,
): Promise<client.UserInfoResponse | undefined> {
  if (endpointOf(registration, provider.metadata, 'userinfo_endpoint') === undefined) {
    return undefined;
  }
  try {
    return await correlatedCall(provider, correlation, (configuration) =>
      client.fetchUserInfo(configuration, accessToken, sub, proof),
    );
  } catch (error) {
    if (codeBehind(error) !== 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED') return undefined;
    throw new IdentityProviderError('bad_idp_answer', 'other_subject', { cause: error });
  }
}

/** The tokens are paid for and must be kept: claims that may not become roles end the roles alone. */
function newClaims(
  { claims: rules }: Pick<IdpRegistration, 'claims'>,
  claims: Readonly<Record<string, unknown>> | undefined,
): { readonly claimed?: ClaimedGrants } {
  if (rules === undefined || claims === undefined) return {};
  try {
    return { claimed: claimedGrants(rules, claims) };
  } catch {
    return { claimed: 'unusable' };
  }
}

function codeBehind(error: unknown): unknown {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  return code ?? cause?.code;
}
