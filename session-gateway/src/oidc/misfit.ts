/** What of a discovery document (OIDC Discovery 1.0 §3, RFC 8414 §2) decides whether we can use it. */
export interface OfferedByProvider {
  readonly authorization_endpoint?: string;
  readonly token_endpoint?: string;
  readonly userinfo_endpoint?: string;
  readonly jwks_uri?: string;
  readonly pushed_authorization_request_endpoint?: string;
  readonly require_pushed_authorization_requests?: boolean;
  readonly request_parameter_supported?: boolean;
  readonly require_signed_request_object?: boolean;
  readonly request_object_signing_alg_values_supported?: readonly string[];
  readonly dpop_signing_alg_values_supported?: readonly string[];
  readonly code_challenge_methods_supported?: readonly string[];
  readonly id_token_signing_alg_values_supported?: readonly string[];
  readonly token_endpoint_auth_methods_supported?: readonly string[];
  readonly token_endpoint_auth_signing_alg_values_supported?: readonly string[];
  readonly mtls_endpoint_aliases?: unknown;
}

/** A short word for metrics, and a sentence for whoever runs the gateway. */
export interface Misfit {
  readonly detail: string;
  readonly sentence: string;
}

export function misfit(detail: string, sentence: string): Misfit {
  return { detail, sentence };
}

/** Their words, for our log: only what looks like a protocol's own. */
export function list(words: readonly string[]): string {
  const known = words.filter((word) => /^[A-Za-z0-9_-]{1,40}$/.test(word)).slice(0, 12);
  return known.length === 0 ? 'nothing' : known.join(', ');
}
