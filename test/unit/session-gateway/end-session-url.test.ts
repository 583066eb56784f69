import { describe, expect, it } from '@jest/globals';
import { Configuration, type ServerMetadata } from 'openid-client';
import { endSessionUrl } from '../../../session-gateway/src/oidc/end-session-url.js';
import { endpointOf } from '../../../session-gateway/src/oidc/endpoint-of.js';
import type { IdpRegistration } from '../../../session-gateway/src/oidc/idp-registration.js';
import type { OfferedByProvider } from '../../../session-gateway/src/oidc/misfit.js';
import { misfits } from '../../../session-gateway/src/oidc/suitability.js';

const issuer = 'https://idp.example';
const registration = {
  issuer,
  clientId: 'client',
  logoutReturnTo: 'https://app.example/',
} as IdpRegistration;
const urlWith = (end_session_endpoint: unknown): Promise<string> => {
  const metadata = { issuer, end_session_endpoint } as ServerMetadata;
  return endSessionUrl(
    registration,
    () => Promise.resolve(new Configuration(metadata, 'client')),
    undefined,
  );
};

describe('endSessionUrl', () => {
  it('is the provider’s, with where to come back to', async () => {
    expect(await urlWith(`${issuer}/end`)).toBe(
      `${issuer}/end?post_logout_redirect_uri=https%3A%2F%2Fapp.example%2F&client_id=client`,
    );
  });

  it.each([[undefined], [null], [''], ['end'], ['http://idp.example/end'], [7]])(
    'is our own return page where the provider says %p',
    async (endpoint) => {
      expect(await urlWith(endpoint)).toBe('https://app.example/');
    },
  );
});

describe('misfits', () => {
  it.each([[undefined], [null], [''], ['token'], [7]])(
    'say that there is no endpoint where the provider says %p',
    (address) => {
      const offered = { token_endpoint: address, authorization_endpoint: address };
      const details = misfits(registration, offered as OfferedByProvider).map(
        ({ detail }) => detail,
      );
      expect(details).toEqual(
        expect.arrayContaining(['no_authorization_endpoint', 'no_token_endpoint']),
      );
    },
  );
});

describe('endpointOf', () => {
  it.each([[undefined], [null], [''], ['userinfo'], [7]])(
    'is none where the provider says %p',
    (userinfo_endpoint) => {
      const metadata = { userinfo_endpoint } as { userinfo_endpoint?: string };
      expect(endpointOf({}, metadata, 'userinfo_endpoint')).toBeUndefined();
    },
  );
});
