import { describe, expect, it } from '@jest/globals';
import {
  asIdentityProviderError,
  IdentityProviderError,
} from '../../../session-gateway/src/oidc/identity-provider-error.js';
import { refreshVerdict } from '../../../session-gateway/src/oidc/refresh-verdict.js';

/** As openid-client throws what the token endpoint answers. */
function answered(error: string) {
  return { name: 'ResponseBodyError', error };
}

/** As our fetch throws what the network does. */
function network(code: string) {
  const cause = Object.assign(new TypeError('fetch failed'), { cause: { code } });
  return new IdentityProviderError('idp_unreachable', 'connect', { cause });
}

const ended = (reason: string) => ({ verdict: 'ended', reason });
const kept = (fate: 'unspent' | 'unknown') => expect.objectContaining({ verdict: 'kept', fate });

describe('a refresh that fails', () => {
  it.each([
    ['invalid_grant', answered('invalid_grant'), ended('invalid_grant')],
    [
      'the token of another person',
      new IdentityProviderError('bad_idp_answer', 'other_subject'),
      ended('other_subject'),
    ],
    ['invalid_request', answered('invalid_request'), kept('unspent')],
    ['invalid_client', answered('invalid_client'), kept('unspent')],
    ['unauthorized_client', answered('unauthorized_client'), kept('unspent')],
    ['unsupported_grant_type', answered('unsupported_grant_type'), kept('unspent')],
    ['invalid_scope', answered('invalid_scope'), kept('unspent')],
    ['access_denied', answered('access_denied'), kept('unspent')],
    ['slow_down', answered('slow_down'), kept('unspent')],
    ['interaction_required', answered('interaction_required'), kept('unspent')],
    ['a made-up error', answered('<script>'), kept('unspent')],
    ['temporarily_unavailable', answered('temporarily_unavailable'), kept('unknown')],
    ['server_error', answered('server_error'), kept('unknown')],
    ['http 500', new IdentityProviderError('idp_unreachable', 'http_500'), kept('unknown')],
    ['http 502', new IdentityProviderError('idp_unreachable', 'http_502'), kept('unknown')],
    ['http 503', new IdentityProviderError('idp_unreachable', 'http_503'), kept('unknown')],
    ['a timeout of ours', { code: 'OAUTH_TIMEOUT' }, kept('unknown')],
    ['a timeout', new IdentityProviderError('idp_unreachable', 'timeout'), kept('unknown')],
    ['a connection refused', network('ECONNREFUSED'), kept('unspent')],
    ['a name nobody knows', network('ENOTFOUND'), kept('unspent')],
    ['a name server that is down', network('EAI_AGAIN'), kept('unspent')],
    ['a host that cannot be reached', network('EHOSTUNREACH'), kept('unspent')],
    ['a connect timeout', network('UND_ERR_CONNECT_TIMEOUT'), kept('unspent')],
    ['an expired certificate', network('CERT_HAS_EXPIRED'), kept('unspent')],
    ['a connection reset midway', network('ECONNRESET'), kept('unknown')],
    ['a connection closed midway', network('UND_ERR_SOCKET'), kept('unknown')],
    ['an answer that is no JSON', { code: 'OAUTH_PARSE_ERROR' }, kept('unknown')],
    ['a page instead', { code: 'OAUTH_RESPONSE_IS_NOT_JSON' }, kept('unknown')],
    ['a form that is not RFC 6749’s', { code: 'OAUTH_INVALID_RESPONSE' }, kept('unknown')],
    ['a status nobody expects', { code: 'OAUTH_RESPONSE_IS_NOT_CONFORM' }, kept('unknown')],
    ['a challenge', { code: 'OAUTH_WWW_AUTHENTICATE_CHALLENGE' }, kept('unknown')],
    ['a bad signature', { code: 'OAUTH_KEY_SELECTION_FAILED' }, kept('unknown')],
    [
      'an answer that is too large',
      new IdentityProviderError('bad_idp_answer', 'too_large'),
      kept('unknown'),
    ],
    [
      'metadata that will not do',
      new IdentityProviderError('idp_unsuitable', 'x'),
      kept('unspent'),
    ],
    ['a fault of ours', new TypeError('x is undefined'), kept('unknown')],
    ['nothing at all', {}, kept('unknown')],
  ])('by %s', (_what, error, verdict) => {
    expect(refreshVerdict(asIdentityProviderError(error))).toEqual(verdict);
  });
});
