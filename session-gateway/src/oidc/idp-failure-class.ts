import { IdentityProviderError } from './identity-provider-error.js';

/**
 * What went wrong between us and an identity provider, the same seven words in logs and metrics:
 * `timeout` and `connect`: it did not answer; `server_error`: it said that it cannot; `rejected`: it
 * did not accept what we sent; `denied`: it told the browser no; `invalid_answer`: what it said does
 * not hold; `misconfigured`: its metadata or our registration with it will not do.
 */
export type IdpFailureClass =
  | 'timeout'
  | 'connect'
  | 'server_error'
  | 'rejected'
  | 'denied'
  | 'invalid_answer'
  | 'misconfigured';

/** The class of an IdentityProviderError; undefined for anything else. */
export function idpFailureClass(error: unknown): IdpFailureClass | undefined {
  if (!(error instanceof IdentityProviderError)) return undefined;
  switch (error.code) {
    case 'idp_unreachable':
      return unreachable(error.detail);
    case 'idp_unsuitable':
      return 'misconfigured';
    case 'login_denied':
      return 'denied';
    case 'login_refused':
      return 'rejected';
    case 'bad_idp_answer':
      return 'invalid_answer';
  }
}

function unreachable(detail: string): IdpFailureClass {
  if (detail === 'timeout') return 'timeout';
  return /^http_5|^server_error$|^temporarily_unavailable$/.test(detail)
    ? 'server_error'
    : 'connect';
}
