import type { IdentityProviderErrorCode } from './identity-provider-error.js';

/** What a refresh that failed means for the session. */
export type RefreshVerdict =
  /** The provider, or a changed subject, says that it is over. */
  | { readonly verdict: 'ended'; readonly reason: 'invalid_grant' | 'other_subject' }
  /** The session goes on to its own deadline. `fate` is that of the refresh token. */
  | { readonly verdict: 'kept'; readonly reason: string; readonly fate: 'unspent' | 'unknown' };

/** Network errors of which it is sure that nothing was sent. */
const neverSent = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

/**
 * Only two things end a session: `invalid_grant` (RFC 6749 §5.2) and another person's token. All else
 * may be an outage or our own mistake, and must not log anybody out (TRUST R13, R16).
 */
export function refreshVerdict(error: {
  readonly code: IdentityProviderErrorCode;
  readonly detail: string;
  readonly cause?: unknown;
}): RefreshVerdict {
  const { code, detail } = error;
  if (code === 'login_refused' && detail === 'invalid_grant') {
    return { verdict: 'ended', reason: 'invalid_grant' };
  }
  if (code === 'bad_idp_answer' && detail === 'other_subject') {
    return { verdict: 'ended', reason: 'other_subject' };
  }
  // It spoke RFC 6749's language and took nothing, or was never asked.
  const unspent = code === 'login_refused' || code === 'idp_unsuitable' || isUnsent(error.cause);
  return { verdict: 'kept', reason: code, fate: unspent ? 'unspent' : 'unknown' };
}

/** fetch wraps the network's error, once or twice. */
function isUnsent(cause: unknown): boolean {
  let current = cause as { code?: unknown; cause?: unknown } | undefined;
  for (let depth = 0; depth < 5 && typeof current === 'object'; depth += 1) {
    if (typeof current.code === 'string' && neverSent.has(current.code)) return true;
    current = current.cause as typeof current;
  }
  return false;
}
