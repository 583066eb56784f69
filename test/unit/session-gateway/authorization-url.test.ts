import { describe, expect, it } from '@jest/globals';
import { Configuration } from 'openid-client';
import {
  authorizationUrl,
  effectiveMaxAge,
} from '../../../session-gateway/src/oidc/authorization-url.js';
import { newAuthorizationRequest } from '../../../session-gateway/src/oidc/authorization-request.js';
import type { IdpRegistration } from '../../../session-gateway/src/oidc/idp-registration.js';

const registration: IdpRegistration = {
  id: 'idp',
  issuer: 'https://login.acme.test',
  clientId: 'sallyport',
  scopes: 'openid',
  audience: 'https://api.acme.test',
  par: false,
  jar: false,
  dpop: false,
  callbackPath: '/login/oauth2/code/{idp}',
  logoutReturnTo: 'https://app.acme.test/',
  strictLogoutTokens: false,
  revokeTokens: 'logout',
  timeout: 1000,
  userInfoOnRefresh: false,
};

describe('authorizationUrl', () => {
  const urlWith = async (wishes: Record<string, string>) => {
    const { request, state } = newAuthorizationRequest(
      {
        idp: 'idp',
        redirectUri: 'https://app.acme.test/login/oauth2/code/idp',
        returnUrl: '/',
        seq: 1,
      },
      Date.now(),
    );
    const configuration = new Configuration(
      { issuer: registration.issuer, authorization_endpoint: `${registration.issuer}/authorize` },
      registration.clientId,
    );
    const fetch = () => Promise.reject(new Error('nobody is asked'));
    const context = { provider: { configuration, fetch }, registration, correlation: undefined };
    const url = await authorizationUrl(context, request, state, wishes);
    return { query: new URL(url).searchParams, state };
  };

  it('carries the audience of the registration, the state and a challenge', async () => {
    const { query, state } = await urlWith({});

    expect(query.get('audience')).toBe('https://api.acme.test');
    expect(query.get('state')).toBe(state);
    expect(query.get('code_challenge_method')).toBe('S256');
    expect(query.get('code_challenge')).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  it('lets a wish replace nothing that must be', async () => {
    const wishes = { audience: 'x', state: 'x', redirect_uri: 'x', scope: 'x', prompt: 'login' };
    const { query, state } = await urlWith(wishes);

    expect(query.get('prompt')).toBe('login');
    expect(query.get('audience')).toBe('https://api.acme.test');
    expect(query.get('scope')).toBe('openid');
    expect(query.get('state')).toBe(state);
    expect(query.get('redirect_uri')).toBe('https://app.acme.test/login/oauth2/code/idp');
  });
});

describe('effectiveMaxAge', () => {
  it.each<[number | undefined, number | undefined, number | undefined]>([
    [undefined, undefined, undefined],
    [60, undefined, 60],
    [undefined, 300, 300],
    [0, 300, 0],
    [999_999, 300, 300],
  ])(
    'of a login that asks for %p at a registration with %p is %p',
    (asked, registered, expected) => {
      const request = asked === undefined ? {} : { maxAge: asked };
      const registration = registered === undefined ? {} : { maxAge: registered };
      expect(effectiveMaxAge(request, registration)).toBe(expected);
    },
  );
});
