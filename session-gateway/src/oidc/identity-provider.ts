import type { Clock } from '@sallyport/shared';
import * as client from 'openid-client';
import type { Correlation } from '../correlation.js';
import type { AuthorizationRequest } from './authorization-request.js';
import { authorizationUrl, type Wishes } from './authorization-url.js';
import type { CompletedLogin } from './completed-login.js';
import { correlatedCall } from './correlated-call.js';
import { endpointOf } from './endpoint-of.js';
import { endSessionUrl } from './end-session-url.js';
import type { GrantContext } from './granted-tokens.js';
import { asIdentityProviderError } from './identity-provider-error.js';
import type { Credentials, IdpRegistration } from './idp-registration.js';
import { redeemCode } from './login-grant.js';
import { verifyLogoutToken, type ClaimedAddress, type LogoutToken } from './logout-token.js';
import { newProofKey, type ProofKey } from './proof-key.js';
import type { ProviderMetadata } from './provider-metadata.js';
import { redeemRefreshToken, type RefreshedPerson, type RefreshedTokens } from './refresh-grant.js';
import type { TokenSet } from './token-set.js';

export interface IdentityProviderOptions {
  readonly registration: IdpRegistration;
  readonly metadata: ProviderMetadata;
  readonly clock: Clock;
}

/**
 * One OpenID provider (OIDC Core 1.0, code flow). Every failure is an IdentityProviderError. Calls carry
 * the ids of the correlation they are given; its documents and keys are everybody's, and carry none.
 */
export class IdentityProvider {
  readonly id: string;
  /** Path of the redirect URI that is registered with the provider. */
  readonly callbackPath: string;
  readonly #registration: IdpRegistration;
  readonly #metadata: ProviderMetadata;
  readonly #clock: Clock;

  constructor({ registration, metadata, clock }: IdentityProviderOptions) {
    this.id = registration.id;
    this.callbackPath = registration.callbackPath.replace('{idp}', registration.id);
    this.#registration = registration;
    this.#metadata = metadata;
    this.#clock = clock;
  }

  /**
   * Whose keys a token with this `iss` and `aud` is to be checked with; a slash more or less decides
   * nothing, and two registrations may share an issuer.
   */
  isAddressed({ iss, aud }: ClaimedAddress): boolean {
    const { issuer, clientId } = this.#registration;
    return iss.replace(/\/$/, '') === issuer.replace(/\/$/, '') && aud.includes(clientId);
  }

  /**
   * Proves itself with these from the next call on, also in calls of a login under way.
   * @returns why not: what the provider's metadata says against them
   */
  renewCredentials(next: Credentials): readonly string[] {
    const objections = this.#metadata.objections({ ...this.#registration, ...next });
    if (objections.length === 0) Object.assign(this.#registration, next);
    return objections;
  }

  /** Has the metadata at hand, and the keys if they can be had. @throws IdentityProviderError */
  async prepare(): Promise<void> {
    await (await this.#metadata.current()).keys?.prepare().catch(() => undefined);
  }

  /** The key a new login's tokens are to be bound to, if this registration binds them (DPoP). */
  async newProofKey(): Promise<{ readonly proofKey?: ProofKey }> {
    return this.#registration.dpop ? { proofKey: await newProofKey() } : {};
  }

  /** Where to send the browser. @param wishes what the start asked for */
  async begin(
    request: AuthorizationRequest,
    state: string,
    wishes: Wishes = {},
    correlation?: Correlation,
  ): Promise<string> {
    return authorizationUrl(await this.#context(correlation), request, state, wishes);
  }

  /** Trades the authorization response for tokens and asks who the person is. */
  async complete(
    request: AuthorizationRequest,
    state: string,
    response: URLSearchParams,
    correlation?: Correlation,
  ): Promise<CompletedLogin> {
    return redeemCode(await this.#context(correlation), request, state, response);
  }

  /**
   * Trades the refresh token for new tokens (RFC 6749 §6). It is spent as soon as this is called, if
   * the provider rotates; call {@link prepare} first, so that nothing else can fail before.
   */
  async refresh(
    refreshToken: string,
    old: TokenSet,
    person: RefreshedPerson,
    correlation?: Correlation,
  ): Promise<RefreshedTokens> {
    const drop = (token: string) => this.revoke(token, correlation);
    return redeemRefreshToken(await this.#context(correlation), refreshToken, old, person, drop);
  }

  /** Where to send the browser after the session has ended here (OIDC RP-Initiated Logout 1.0). */
  endSession(idToken: string | undefined): Promise<string> {
    const configurationOf = async () => (await this.#metadata.current()).configuration;
    return endSessionUrl(this.#registration, configurationOf, idToken);
  }

  /** Ends a refresh token at the provider (RFC 7009), where it can be done. */
  async revoke(refreshToken: string, correlation?: Correlation): Promise<void> {
    const provider = await this.#metadata.current();
    const endpoint = endpointOf(this.#registration, provider.metadata, 'revocation_endpoint');
    if (endpoint === undefined) return;
    try {
      const hint = { token_type_hint: 'refresh_token' };
      await correlatedCall(provider, correlation, (configuration) =>
        client.tokenRevocation(configuration, refreshToken, hint),
      );
    } catch (error) {
      throw asIdentityProviderError(error);
    }
  }

  /** @throws LogoutTokenError, or IdentityProviderError where its keys cannot be had */
  async verifyLogoutToken(token: string): Promise<LogoutToken> {
    const { metadata, verification } = await this.#metadata.current();
    const { clientId, strictLogoutTokens: strictType } = this.#registration;
    return verifyLogoutToken(token, verification.keyOf, {
      issuer: metadata.issuer,
      clientId,
      algorithms: verification.algorithms,
      strictType,
      now: this.#clock(),
    });
  }

  async #context(correlation: Correlation | undefined): Promise<GrantContext> {
    return {
      provider: await this.#metadata.current(),
      registration: this.#registration,
      now: Math.floor(this.#clock() / 1000),
      correlation,
    };
  }
}
