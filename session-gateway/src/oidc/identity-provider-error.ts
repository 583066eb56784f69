/**
 * `idp_unreachable`: it cannot answer now. `idp_unsuitable`: its metadata or our registration with it
 * will not do. `login_denied`: it told the browser no. `login_required`: it would have had to ask the
 * person, and `prompt=none` forbade that. `login_refused`: it did not accept the code.
 * `bad_idp_answer`: what it said does not hold (issuer, nonce, signature, subject …).
 */
export type IdentityProviderErrorCode =
  | 'idp_unreachable'
  | 'idp_unsuitable'
  | 'login_denied'
  | 'login_required'
  | 'login_refused'
  | 'bad_idp_answer';

export class IdentityProviderError extends Error {
  override readonly name = 'IdentityProviderError';
  readonly code: IdentityProviderErrorCode;
  /** For the log: a protocol error code or a short word of ours, never free text of others. */
  readonly detail: string;
  /** For the log: what was asked, what came back, what to do. Nothing secret in it. */
  readonly explanation?: string;

  constructor(
    code: IdentityProviderErrorCode,
    detail: string,
    options?: ErrorOptions & { readonly explanation?: string },
  ) {
    super(`${code} (${detail})`, options);
    this.code = code;
    this.detail = detail;
    if (options?.explanation !== undefined) this.explanation = options.explanation;
  }
}

/** OIDC Core 1.0 §3.1.2.6 */
const silentErrors = new Set([
  'login_required',
  'interaction_required',
  'consent_required',
  'account_selection_required',
]);
const transientErrors = new Set(['server_error', 'temporarily_unavailable']);
const registrationErrors = new Set(['invalid_client', 'unauthorized_client', 'invalid_scope']);

/** Whatever openid-client threw, as one of our classes. By name and code: see LIBRARIES, two realms. */
export function asIdentityProviderError(error: unknown): IdentityProviderError {
  const ours = ourErrorBehind(error);
  if (ours !== undefined) return ours;
  const { name, code, error: wireError } = error as ThrownByClient;
  const options = { cause: error };
  if (name === 'AuthorizationResponseError' || name === 'ResponseBodyError') {
    const detail = protocolWord(wireError);
    if (transientErrors.has(detail)) {
      return new IdentityProviderError('idp_unreachable', detail, options);
    }
    if (name === 'AuthorizationResponseError') {
      const kind = silentErrors.has(detail) ? 'login_required' : 'login_denied';
      return new IdentityProviderError(kind, detail, options);
    }
    const kind = registrationErrors.has(detail) ? 'idp_unsuitable' : 'login_refused';
    return new IdentityProviderError(kind, detail, options);
  }
  if (code === 'OAUTH_TIMEOUT') {
    return new IdentityProviderError('idp_unreachable', 'timeout', options);
  }
  return new IdentityProviderError('bad_idp_answer', protocolWord(code), options);
}

interface ThrownByClient {
  readonly name?: string;
  readonly code?: unknown;
  readonly error?: unknown;
  readonly cause?: unknown;
}

function ourErrorBehind(error: unknown): IdentityProviderError | undefined {
  let current = error as ThrownByClient | undefined;
  for (let depth = 0; depth < 5 && typeof current === 'object'; depth += 1) {
    if (current instanceof IdentityProviderError) return current;
    current = current.cause as ThrownByClient | undefined;
  }
  return undefined;
}

/** Error codes come from the network: only ones that look like a protocol's own are repeated. */
function protocolWord(value: unknown): string {
  return typeof value === 'string' && /^[A-Za-z_]{1,64}$/.test(value)
    ? value.toLowerCase()
    : 'other';
}
