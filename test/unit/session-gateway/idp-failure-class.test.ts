import { describe, expect, it } from '@jest/globals';
import {
  asIdentityProviderError,
  IdentityProviderError,
} from '../../../session-gateway/src/oidc/identity-provider-error.js';
import { idpFailureClass } from '../../../session-gateway/src/oidc/idp-failure-class.js';

describe('idpFailureClass', () => {
  it.each([
    ['timeout', 'idp_unreachable', 'timeout'],
    ['connect', 'idp_unreachable', 'connect'],
    ['connect', 'idp_unreachable', 'keys'],
    ['server_error', 'idp_unreachable', 'http_503'],
    ['server_error', 'idp_unreachable', 'server_error'],
    ['server_error', 'idp_unreachable', 'temporarily_unavailable'],
    ['rejected', 'login_refused', 'invalid_grant'],
    ['denied', 'login_denied', 'access_denied'],
    ['denied', 'login_required', 'login_required'],
    ['invalid_answer', 'bad_idp_answer', 'other_subject'],
    ['misconfigured', 'idp_unsuitable', 'invalid_client'],
  ] as const)('is %s for %s (%s)', (expected, code, detail) => {
    expect(idpFailureClass(new IdentityProviderError(code, detail))).toBe(expected);
  });

  it('is nothing for what is no failure of a provider', () => {
    for (const error of [undefined, new Error('x'), { code: 'idp_unreachable' }]) {
      expect(idpFailureClass(error)).toBeUndefined();
    }
  });
});

describe('the answer to prompt=none', () => {
  const answer = (error: string) =>
    asIdentityProviderError(
      Object.assign(new Error('x'), { name: 'AuthorizationResponseError', error }),
    );

  it.each([
    'login_required',
    'interaction_required',
    'consent_required',
    'account_selection_required',
  ])('%s is told from a denial', (error) => {
    expect(answer(error)).toMatchObject({ code: 'login_required', detail: error });
    expect(answer('access_denied')).toMatchObject({ code: 'login_denied' });
  });
});
