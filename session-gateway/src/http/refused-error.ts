import type { EndReason } from '../sessions/ended-sessions.js';

/** The request is refused for what it is; nothing has been done. The code is the answer's `reason`. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly code: RefusalCode;

  constructor(code: RefusalCode) {
    super(code);
    this.code = code;
  }
}

export type RefusalCode =
  | 'ambiguous_cookie'
  | 'not_a_navigation'
  | 'no_csrf_proof'
  | 'no_session'
  | 'not_found'
  | 'bad_request'
  | 'body_too_large'
  | 'bad_logout_token'
  | 'unknown_caller'
  | 'internal_api_off'
  | 'cross_site'
  | 'rate_limited'
  | 'refresh_pending'
  | EndReason;
