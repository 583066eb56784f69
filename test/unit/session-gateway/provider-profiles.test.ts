import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../../session-gateway/src/config.js';
import { newAuthorizationRequest } from '../../../session-gateway/src/oidc/authorization-request.js';
import { IdentityProvider } from '../../../session-gateway/src/oidc/identity-provider.js';
import type { IdpFetch } from '../../../session-gateway/src/oidc/idp-fetch.js';
import { profileNames } from '../../../session-gateway/src/oidc/provider-profiles.js';
import { ProviderMetadata } from '../../../session-gateway/src/oidc/provider-metadata.js';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-profiles-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A document of the shape that the product publishes; the values are made up. */
function documentOf(name: string): Record<string, string> {
  const path = join(import.meta.dirname, '../../fixtures/providers', `${name}.json`);
  return JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>;
}

const clientId = 'client-7';
const common = {
  PUBLIC_ORIGIN: 'https://app.acme.test',
  PERMISSION_SERVICE_URL: 'http://127.0.0.1:8086/permission-service',
  TOKEN_SEAL_KEYS: 'k1:q83vASNFZ4mrze8BI0VniavN7xI0VniQrze8EjRWeJA',
};

function registrationOf(profile: string, fields: object = {}) {
  writeFileSync(join(folder, 'secret'), 'a-long-secret-of-the-provider-93');
  const file = join(folder, 'registrations.json');
  const secret = profile === 'agglestone' ? {} : { clientSecretFile: 'secret' };
  const { issuer } = documentOf(profile);
  const entry = { id: 'acme', profile, issuer, clientId, ...secret, ...fields };
  writeFileSync(file, JSON.stringify({ registrations: [entry] }));
  const [registration] = loadConfig({ ...common, IDP_REGISTRATIONS_FILE: file }).config.idps;
  if (registration === undefined) throw new Error('no registration');
  return registration;
}

function providerOf(profile: string, fields: object = {}): IdentityProvider {
  const registration = registrationOf(profile, fields);
  const fetch: IdpFetch = (url) => {
    const { issuer } = documentOf(profile);
    expect(url).toBe(`${String(issuer).replace(/\/$/, '')}/.well-known/openid-configuration`);
    return Promise.resolve(Response.json(documentOf(profile)));
  };
  const metadata = new ProviderMetadata({
    registration,
    clock: Date.now,
    events: { metadataRead: () => undefined, keysFetched: () => undefined },
    fetch,
    provingFetch: fetch,
    rereadEvery: 3_600_000,
  });
  return new IdentityProvider({ registration, metadata, clock: Date.now });
}

async function loginUrl(idp: IdentityProvider): Promise<URL> {
  const redirectUri = 'https://app.acme.test/login/oauth2/code/acme';
  const { request, state } = newAuthorizationRequest(
    { idp: 'acme', redirectUri, returnUrl: '/', seq: 1 },
    Date.now(),
  );
  return new URL(await idp.begin(request, state));
}

const returnTo = encodeURIComponent('https://app.acme.test/');
const offline = 'openid profile email offline_access';
const online = 'openid profile email';

describe('a named profile', () => {
  it.each([
    [
      'auth0',
      offline,
      `https://acme.eu.auth0.com/v2/logout?returnTo=${returnTo}&client_id=client-7`,
    ],
    [
      'entra',
      offline,
      `https://login.microsoftonline.com/6f1c0f5e-3d0b-4a57-9a0e-0d2f6a8b1c11/oauth2/v2.0/logout?post_logout_redirect_uri=${returnTo}&id_token_hint=hint&client_id=client-7`,
    ],
    [
      'cognito',
      online,
      `https://acme.auth.eu-central-1.amazoncognito.com/logout?client_id=client-7&logout_uri=${returnTo}`,
    ],
    [
      'wso2',
      online,
      `https://is.acme.test:9443/oidc/logout?post_logout_redirect_uri=${returnTo}&id_token_hint=hint&client_id=client-7`,
    ],
    [
      'agglestone',
      online,
      `https://auth.agglestone.com/tenant/1b9f6c2e-52f4-4a1c-8a57-6f2b6a0c9d31/v2.0/Auth/logout?post_logout_redirect_uri=${returnTo}&id_token_hint=hint&client_id=client-7`,
    ],
  ])('%s: where a login and a logout go', async (name, scope, logout) => {
    const idp = providerOf(name, { audience: 'https://api.acme.test' });
    const url = await loginUrl(idp);
    expect(url.href.split('?', 1)[0]).toBe(documentOf(name)['authorization_endpoint']);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      client_id: clientId,
      scope,
      [name === 'cognito' ? 'resource' : 'audience']: 'https://api.acme.test',
      code_challenge_method: 'S256',
    });
    expect(await idp.endSession('hint')).toBe(logout);
  });

  it('has its recorded document, each of them', () => {
    for (const name of profileNames) expect(documentOf(name)['issuer']).toMatch(/^https:/);
  });

  it.each([
    ['entra', ['roles']],
    ['cognito', ['cognito:groups']],
    ['wso2', ['groups']],
  ])('%s knows where roles stand, for whoever reads claims', (name, path) => {
    expect(registrationOf(name)).not.toHaveProperty('claims');
    expect(registrationOf(name, { claims: {} }).claims?.roles).toEqual(path);
    expect(registrationOf(name, { claims: { roles: 'x' } }).claims?.roles).toEqual(['x']);
  });

  it('gives way to what the registration says', () => {
    const fields = { scopes: 'openid', logoutUrlTemplate: 'https://acme.test/out' };
    expect(registrationOf('cognito', fields)).toMatchObject(fields);
  });

  it.each([
    ['auth0', 'https://acme.eu.auth0.com', /with the slash/],
    ['entra', 'https://login.microsoftonline.com/common/v2.0', /of one tenant/],
    ['cognito', 'https://acme.auth.eu-central-1.amazoncognito.com', /cognito-idp/],
    ['wso2', 'https://is.acme.test:9443', /oauth2\/token/],
    ['agglestone', 'https://auth.agglestone.com/tenant/1/v2.0/auth', /capital letter/],
  ])('%s refuses an issuer that is none of its own', (profile, issuer, hint) => {
    expect(() => registrationOf(profile, { issuer })).toThrow(hint);
  });

  it('may be named by the variables too, which win where they say something', () => {
    const env = {
      ...common,
      IDP_PROFILE: 'auth0',
      IDP_ISSUER_URI: 'https://acme.eu.auth0.com/',
      IDP_CLIENT_ID: clientId,
      IDP_CLIENT_SECRET: 'a-long-secret-of-the-provider-93',
    };
    const template = '{issuer}v2/logout?returnTo={returnTo}&client_id={clientId}';
    expect(loadConfig(env).config.idps[0]).toMatchObject({ logoutUrlTemplate: template });
    const own = { ...env, IDP_SCOPES: 'openid', IDP_LOGOUT_URL_TEMPLATE: 'https://acme.test/out' };
    expect(loadConfig(own).config.idps[0]).toMatchObject({
      scopes: 'openid',
      logoutUrlTemplate: 'https://acme.test/out',
    });
    expect(() => loadConfig({ ...env, IDP_PROFILE: 'okta' })).toThrow(
      'IDP_PROFILE: must be auth0,',
    );
  });
});
