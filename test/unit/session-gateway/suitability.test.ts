import { describe, expect, it } from '@jest/globals';
import type { IdpRegistration } from '../../../session-gateway/src/oidc/idp-registration.js';
import type { OfferedByProvider } from '../../../session-gateway/src/oidc/misfit.js';
import { misfits } from '../../../session-gateway/src/oidc/suitability.js';

const registration: IdpRegistration = {
  id: 'acme',
  issuer: 'https://login.acme.test/',
  clientId: 'sallyport',
  clientAuthentication: 'tls_client_auth',
  scopes: 'openid',
  par: false,
  jar: false,
  dpop: false,
  callbackPath: '/auth/callback',
  logoutReturnTo: 'https://app.acme.test/',
  strictLogoutTokens: false,
  revokeTokens: 'logout',
  timeout: 5000,
  userInfoOnRefresh: false,
};
const offered: OfferedByProvider = {
  authorization_endpoint: 'https://login.acme.test/authorize',
  token_endpoint: 'https://login.acme.test/token',
  jwks_uri: 'https://login.acme.test/keys',
  token_endpoint_auth_methods_supported: ['tls_client_auth', 'client_secret_basic'],
};
const detailsOf = (change: Partial<OfferedByProvider>, own: Partial<IdpRegistration> = {}) =>
  misfits({ ...registration, ...own }, { ...offered, ...change }).map(({ detail }) => detail);

describe('a provider’s metadata and TLS client authentication', () => {
  it('fits where it is listed, with aliases or without', () => {
    expect(detailsOf({})).toEqual([]);
    const token_endpoint = 'https://mtls.acme.test/token';
    expect(detailsOf({ mtls_endpoint_aliases: { token_endpoint } })).toEqual([]);
  });

  it.each([
    ['not listed', ['client_secret_basic', 'none']],
    ['only the other one is listed', ['self_signed_tls_client_auth']],
    ['nothing is listed: the default is another', undefined],
  ])('does not fit where it is %s', (_what, token_endpoint_auth_methods_supported) => {
    // Absent, not undefined: as a document has it.
    const document = JSON.parse(
      JSON.stringify({ ...offered, token_endpoint_auth_methods_supported }),
    ) as OfferedByProvider;
    expect(misfits(registration, document).map(({ detail }) => detail)).toEqual([
      'client_authentication_not_offered',
    ]);
  });

  it.each([
    ['http', { token_endpoint: 'http://mtls.acme.test/token' }, 'mtls_alias_not_https'],
    ['no address', { userinfo_endpoint: null }, 'mtls_alias_not_https'],
    ['no object', 'https://mtls.acme.test', 'bad_mtls_aliases'],
    ['null', null, 'bad_mtls_aliases'],
  ])('does not fit where an alias is %s', (_what, mtls_endpoint_aliases, detail) => {
    expect(detailsOf({ mtls_endpoint_aliases })).toEqual([detail]);
    // Who shows no certificate never looks at them.
    const methods = { token_endpoint_auth_methods_supported: ['client_secret_post'] };
    expect(
      detailsOf(
        { mtls_endpoint_aliases, ...methods },
        { clientAuthentication: 'client_secret_post' },
      ),
    ).toEqual([]);
  });
});
