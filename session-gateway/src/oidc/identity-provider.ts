import { createHash } from 'node:crypto';
import type { Clock } from '@sallyport/shared';
import { isLoopback } from '@sallyport/shared/runtime';
import type { JWTVerifyGetKey } from 'jose';
import * as client from 'openid-client';
import type { IdpRegistration } from '../config.js';
import type { Profile } from '../sessions/session-store.js';
import type { AuthorizationRequest } from './authorization-request.js';
import type { CompletedLogin } from './completed-login.js';
import { asIdentityProviderError, IdentityProviderError } from './identity-provider-error.js';
import { idpFetch } from './idp-fetch.js';
import { verifyLogoutToken, type LogoutToken } from './logout-token.js';
import { onDemand } from './on-demand.js';
import { profileFrom } from './profile.js';
import { publishedKeys } from './published-keys.js';
import type { TokenSet } from './token-set.js';

/** ID token algorithms we accept: signatures of the provider's own published keys, nothing shared. */
const asymmetricAlgorithm = /^(?:RS|PS|ES)(?:256|384|512)$|^EdDSA$|^Ed25519$/;

/**
 * One OpenID provider (OIDC Core 1.0, code flow). Its metadata is fetched when first needed: it may be
 * down while we start. Every failure is an IdentityProviderError.
 */
export class IdentityProvider {
  readonly id: string;
  readonly #registration: IdpRegistration;
  readonly #clock: Clock;
  readonly #configuration: () => Promise<client.Configuration>;
  #keys: JWTVerifyGetKey | undefined;

  constructor(registration: IdpRegistration, clock: Clock) {
    this.id = registration.id;
    this.#registration = registration;
    this.#clock = clock;
    this.#configuration = onDemand(() => discover(registration), clock);
  }

  /** Whose keys a token with this `iss` is to be checked with; a slash more or less decides nothing. */
  isIssuer(claimed: string | undefined): boolean {
    return claimed?.replace(/\/$/, '') === this.#registration.issuer.replace(/\/$/, '');
  }

  /** Fetches the metadata if that has not been done. @throws IdentityProviderError */
  async prepare(): Promise<void> {
    await this.#configuration();
  }

  /** Where to send the browser. */
  async begin(request: AuthorizationRequest, state: string): Promise<string> {
    const configuration = await this.#configuration();
    const url = client.buildAuthorizationUrl(configuration, {
      redirect_uri: request.redirectUri,
      scope: this.#registration.scopes,
      response_type: 'code',
      state,
      nonce: request.nonce,
      // RFC 7636 §4.2. Not openid-client's: WebCrypto makes a job for another thread of it.
      code_challenge: createHash('sha256').update(request.codeVerifier).digest('base64url'),
      code_challenge_method: 'S256',
    });
    return url.href;
  }

  /** Trades the authorization response for tokens and asks who the person is. */
  async complete(
    request: AuthorizationRequest,
    state: string,
    response: URLSearchParams,
  ): Promise<CompletedLogin> {
    const configuration = await this.#configuration();
    // openid-client sends this URL as redirect_uri: it must be the one the login began with,
    // whatever host and path the request came in by (ATTACKS 37).
    const url = new URL(request.redirectUri);
    url.search = response.toString();
    try {
      const answer = await client.authorizationCodeGrant(configuration, url, {
        expectedState: state,
        expectedNonce: request.nonce,
        pkceCodeVerifier: request.codeVerifier,
        idTokenExpected: true,
      });
      const claims = answer.claims();
      if (claims === undefined || answer.id_token === undefined) {
        throw new IdentityProviderError('bad_idp_answer', 'no_id_token');
      }
      const userInfo =
        configuration.serverMetadata().userinfo_endpoint === undefined
          ? {}
          : await client.fetchUserInfo(configuration, answer.access_token, claims.sub);
      return {
        profile: profileFrom(this.id, claims, userInfo),
        tokens: this.#tokenSet(answer, answer.id_token),
      };
    } catch (error) {
      throw asIdentityProviderError(error);
    }
  }

  /**
   * Trades the refresh token for new tokens (RFC 6749 §6). It is spent as soon as this is called, if
   * the provider rotates; call {@link prepare} first, so that nothing else can fail before.
   */
  async refresh(
    refreshToken: string,
    old: TokenSet,
    person: Pick<Profile, 'sub' | 'iss'>,
  ): Promise<TokenSet> {
    const configuration = await this.#configuration();
    try {
      const answer = await client.refreshTokenGrant(configuration, refreshToken);
      const claims = answer.claims();
      // openid-client does not compare the subject (OIDC Core 1.0 §12.2).
      if (claims !== undefined && (claims.sub !== person.sub || claims.iss !== person.iss)) {
        if (answer.refresh_token !== undefined) {
          await this.revoke(answer.refresh_token).catch(() => undefined);
        }
        throw new IdentityProviderError('bad_idp_answer', 'other_subject');
      }
      if (this.#registration.userInfoOnRefresh) {
        await this.#checkUserInfo(configuration, answer.access_token, person.sub);
      }
      return { refreshToken, ...this.#tokenSet(answer, answer.id_token ?? old.idToken) };
    } catch (error) {
      throw asIdentityProviderError(error);
    }
  }

  /** Only its word against the session counts: the tokens are there, and no outage may lose them. */
  async #checkUserInfo(
    configuration: client.Configuration,
    accessToken: string,
    sub: string,
  ): Promise<void> {
    if (configuration.serverMetadata().userinfo_endpoint === undefined) return;
    try {
      await client.fetchUserInfo(configuration, accessToken, sub);
    } catch (error) {
      if (codeBehind(error) !== 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED') return;
      throw new IdentityProviderError('bad_idp_answer', 'other_subject', { cause: error });
    }
  }

  /** Where to send the browser after the session has ended here (OIDC RP-Initiated Logout 1.0). */
  async endSession(idToken: string | undefined): Promise<string> {
    const { logoutUrlTemplate, logoutReturnTo, clientId } = this.#registration;
    if (logoutUrlTemplate !== undefined) {
      return fromTemplate(logoutUrlTemplate, { returnTo: logoutReturnTo, clientId });
    }
    const configuration = await this.#configuration().catch(() => undefined);
    if (configuration?.serverMetadata().end_session_endpoint === undefined) return logoutReturnTo;
    return client.buildEndSessionUrl(configuration, {
      post_logout_redirect_uri: logoutReturnTo,
      ...(idToken === undefined ? {} : { id_token_hint: idToken }),
    }).href;
  }

  /** Ends a refresh token at the provider (RFC 7009), where it can be done. */
  async revoke(refreshToken: string): Promise<void> {
    const configuration = await this.#configuration();
    if (configuration.serverMetadata().revocation_endpoint === undefined) return;
    try {
      await client.tokenRevocation(configuration, refreshToken, {
        token_type_hint: 'refresh_token',
      });
    } catch (error) {
      throw asIdentityProviderError(error);
    }
  }

  /** @throws LogoutTokenError, or IdentityProviderError where its keys cannot be had */
  async verifyLogoutToken(token: string): Promise<LogoutToken> {
    const metadata = (await this.#configuration()).serverMetadata();
    const { clientId, strictLogoutTokens: strictType, timeout } = this.#registration;
    if (metadata.jwks_uri === undefined)
      throw new IdentityProviderError('idp_unsuitable', 'no_jwks');
    this.#keys ??= publishedKeys(metadata.jwks_uri, timeout);
    try {
      return await verifyLogoutToken(token, this.#keys, {
        issuer: metadata.issuer,
        clientId,
        algorithms: metadata.id_token_signing_alg_values_supported ?? [],
        strictType,
        now: this.#clock(),
      });
    } catch (error) {
      if ((error as { code?: unknown }).code === 'bad_logout_token') throw error;
      const ours = asIdentityProviderError(error);
      throw ours.code === 'idp_unreachable'
        ? ours
        : new IdentityProviderError('idp_unreachable', 'keys', { cause: error });
    }
  }

  #tokenSet(answer: client.TokenEndpointResponse, idToken: string): TokenSet {
    const now = Math.floor(this.#clock() / 1000);
    return {
      accessToken: answer.access_token,
      idToken,
      ...(answer.refresh_token === undefined ? {} : { refreshToken: answer.refresh_token }),
      ...(answer.scope === undefined ? {} : { scope: answer.scope }),
      ...(answer.expires_in === undefined ? {} : { expiresAt: now + answer.expires_in }),
    };
  }
}

function codeBehind(error: unknown): unknown {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  return code ?? cause?.code;
}

async function discover(registration: IdpRegistration): Promise<client.Configuration> {
  const issuer = new URL(registration.issuer);
  const insecure = issuer.protocol === 'http:' && isLoopback(issuer.hostname);
  const timeout = registration.timeout / 1000;
  try {
    const found = await client.discovery(issuer, registration.clientId, undefined, undefined, {
      timeout,
      [client.customFetch]: idpFetch,
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- loopback only
      execute: insecure ? [client.allowInsecureRequests] : [],
    });
    const metadata = suitable(found.serverMetadata());
    const configuration = new client.Configuration(
      metadata,
      registration.clientId,
      undefined,
      clientAuthentication(metadata, registration.clientSecret),
    );
    configuration.timeout = timeout;
    configuration[client.customFetch] = idpFetch;
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- loopback only
    if (insecure) client.allowInsecureRequests(configuration);
    // Without this the ID token's signature is not verified in the code flow.
    client.enableNonRepudiationChecks(configuration);
    return configuration;
  } catch (error) {
    const { code, detail } = asIdentityProviderError(error);
    // Metadata that does not hold, such as another issuer's, is no failure of whoever logs in.
    const kind = code === 'idp_unreachable' ? code : 'idp_unsuitable';
    throw new IdentityProviderError(kind, detail, { cause: error });
  }
}

/** The metadata, with algorithms that need a shared secret, or none, taken out. */
function suitable(metadata: client.ServerMetadata): client.ServerMetadata {
  const pkce = metadata.code_challenge_methods_supported;
  if (pkce !== undefined && !pkce.includes('S256')) {
    throw new IdentityProviderError('idp_unsuitable', 'no_pkce_s256');
  }
  const algorithms = metadata.id_token_signing_alg_values_supported ?? ['RS256'];
  const accepted = algorithms.filter((algorithm) => asymmetricAlgorithm.test(algorithm));
  if (accepted.length === 0) {
    throw new IdentityProviderError('idp_unsuitable', 'no_asymmetric_id_token');
  }
  return { ...metadata, id_token_signing_alg_values_supported: accepted };
}

/** Basic is the default of RFC 8414 §2; post only where the provider knows nothing else. */
function clientAuthentication(metadata: client.ServerMetadata, secret: string): client.ClientAuth {
  const methods = metadata.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  return methods.includes('client_secret_basic') || !methods.includes('client_secret_post')
    ? client.ClientSecretBasic(secret)
    : client.ClientSecretPost(secret);
}

/** The original's form, for providers without an end_session_endpoint; a doubled slash is folded. */
function fromTemplate(template: string, values: { returnTo: string; clientId: string }): string {
  return template
    .replace(/([^:])\/{2,}/g, '$1/')
    .replaceAll('{returnTo}', () => encodeURIComponent(values.returnTo))
    .replaceAll('{clientId}', () => encodeURIComponent(values.clientId));
}
