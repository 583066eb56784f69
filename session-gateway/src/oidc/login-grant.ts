import * as client from 'openid-client';
import type { AuthorizationRequest } from './authorization-request.js';
import { effectiveMaxAge } from './authorization-url.js';
import { claimedGrants } from './claim-grants.js';
import type { CompletedLogin } from './completed-login.js';
import { correlatedCall } from './correlated-call.js';
import { endpointOf } from './endpoint-of.js';
import {
  checkAnsweredIdToken,
  proofWith,
  refuseUnbound,
  tokenSetOf,
  type GrantContext,
} from './granted-tokens.js';
import { checkFreshness } from './id-token.js';
import { asIdentityProviderError, IdentityProviderError } from './identity-provider-error.js';
import { profileFrom } from './profile.js';

/**
 * Trades an authorization response for tokens (OIDC Core 1.0 §3.1.3) and asks who the person is.
 * @throws IdentityProviderError
 */
export async function redeemCode(
  context: GrantContext,
  request: AuthorizationRequest,
  state: string,
  response: URLSearchParams,
): Promise<CompletedLogin> {
  const { provider, registration, now, correlation } = context;
  // openid-client sends this URL as redirect_uri: it must be the one the login began with,
  // whatever host and path the request came in by (ATTACKS 37).
  const url = new URL(request.redirectUri);
  url.search = response.toString();
  const maxAge = effectiveMaxAge(request, registration);
  try {
    const proof = await proofWith(provider, request.proofKey);
    const checks = {
      expectedState: state,
      expectedNonce: request.nonce,
      pkceCodeVerifier: request.codeVerifier,
      idTokenExpected: true,
      ...(maxAge === undefined ? {} : { maxAge }),
    };
    const answer = await correlatedCall(provider, correlation, (configuration) =>
      client.authorizationCodeGrant(configuration, url, checks, undefined, proof),
    );
    const claims = answer.claims();
    const { id_token: idToken } = answer;
    if (claims === undefined || idToken === undefined) {
      throw new IdentityProviderError('bad_idp_answer', 'no_id_token');
    }
    refuseUnbound(answer, request.proofKey);
    await checkAnsweredIdToken(context, answer, claims);
    checkFreshness(claims, now);
    const userInfo =
      endpointOf(registration, provider.metadata, 'userinfo_endpoint') === undefined
        ? {}
        : await correlatedCall(provider, correlation, (configuration) =>
            client.fetchUserInfo(configuration, answer.access_token, claims.sub, proof),
          );
    const profile = profileFrom(registration.id, claims, userInfo);
    const { claims: rules } = registration;
    return {
      profile:
        rules === undefined
          ? profile
          : {
              ...profile,
              claimed: claimedGrants(rules, rules.from === 'id_token' ? claims : userInfo),
            },
      tokens: tokenSetOf(context, answer, { idToken, proofKey: request.proofKey }),
    };
  } catch (error) {
    throw asIdentityProviderError(error);
  }
}
