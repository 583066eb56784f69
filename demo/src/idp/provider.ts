import { generateKeyPair as generateKeyPairCallback, randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Configuration, JWK, KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { IdpConfig } from './config.js';
import { createMemoryAdapter } from './memory-adapter.js';
import { messagePage, signOutPage } from './pages.js';
import { findPerson } from './people.js';

const generateKeyPair = promisify(generateKeyPairCallback);

export async function createProvider(config: IdpConfig): Promise<Provider> {
  const { default: OidcProvider } = await import('oidc-provider');
  const provider = new OidcProvider(config.issuer, await providerConfiguration(config));
  const { recordFile } = config;
  if (recordFile !== undefined) {
    provider.on('grant.success', (ctx) => {
      appendFileSync(recordFile, JSON.stringify([ctx.oidc.params, ctx.body]) + '\n');
    });
  }
  provider.on('server_error', (_ctx, error) => console.error(`server error: ${error.message}`));
  return provider;
}

async function providerConfiguration(config: IdpConfig): Promise<Configuration> {
  const { client, lifetimes } = config;
  return {
    adapter: createMemoryAdapter(),
    jwks: { keys: [await signingKey()] },
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        redirect_uris: [...client.redirectUris],
        post_logout_redirect_uris: [...client.postLogoutRedirectUris],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        id_token_signed_response_alg: 'RS256',
        ...(client.backchannelLogoutUri === undefined
          ? {}
          : {
              backchannel_logout_uri: client.backchannelLogoutUri,
              backchannel_logout_session_required: true,
            }),
      },
    ],
    findAccount: (_ctx, sub) => {
      const person = findPerson(sub);
      if (person === undefined) return undefined;
      return {
        accountId: sub,
        claims: () => ({
          sub,
          name: person.name,
          preferred_username: sub,
          email: person.email,
          email_verified: true,
        }),
      };
    },
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
    },
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    pkce: { required: () => true },
    issueRefreshToken: (_ctx, of) => of.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: true },
      revocation: { enabled: true },
      introspection: { enabled: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => respond(ctx, signOutPage(form)),
        postLogoutSuccessSource: (ctx) =>
          respond(ctx, messagePage('Signed out', 'You are signed out of the demo provider.')),
      },
    },
    renderError: (ctx, out) =>
      respond(ctx, messagePage('That did not work', out.error_description ?? out.error)),
    // The library's dispatcher refuses loopback (its SSRF guard); here everything is on loopback.
    fetch: (input, init) => globalThis.fetch(input, withoutDispatcher(init)),
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    ttl: {
      AccessToken: lifetimes.accessToken,
      IdToken: lifetimes.accessToken,
      RefreshToken: lifetimes.refreshToken,
      Session: lifetimes.session,
      Grant: lifetimes.session,
      AuthorizationCode: 60,
      Interaction: 600,
    },
  };
}

function withoutDispatcher(init: RequestInit = {}): RequestInit {
  return Object.fromEntries(Object.entries(init).filter(([name]) => name !== 'dispatcher'));
}

function respond(ctx: KoaContextWithOIDC, page: string): undefined {
  ctx.type = 'html';
  ctx.body = page;
}

async function signingKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('rsa', { modulusLength: 2048 });
  return {
    ...(privateKey.export({ format: 'jwk' }) as JWK),
    kid: randomBytes(8).toString('hex'),
    use: 'sig',
    alg: 'RS256',
  };
}
