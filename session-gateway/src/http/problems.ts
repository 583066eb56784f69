import type { IdentityProviderErrorCode } from '../oidc/identity-provider-error.js';
import type { PermissionServiceError } from '../permissions/permission-client.js';
import type { SealError } from '../sealing/sealer.js';
import type { RefusalCode } from './refused-error.js';

/** The stable names of what can go wrong: `reason` in answers, in logs and in metric labels. */
export type ProblemCode =
  | RefusalCode
  | IdentityProviderErrorCode
  | PermissionServiceError['code']
  | SealError['code']
  | 'login_revoked'
  | 'store_unavailable'
  | 'internal';

export interface Problem {
  readonly status: 400 | 401 | 403 | 404 | 413 | 429 | 500 | 503;
  readonly title: string;
  readonly detail: string;
}

const laterPlease = 'This is not your mistake and your session is kept. Try again in a moment.';
const sessionStoreDown: Problem = {
  status: 503,
  title: 'Sessions cannot be reached',
  detail: laterPlease,
};
const loginFailed: Problem = {
  status: 401,
  title: 'The login did not succeed',
  detail: 'The identity provider did not confirm the login. Log in again.',
};
const idpDown: Problem = {
  status: 503,
  title: 'The login service does not answer',
  detail: laterPlease,
};
const permissionsMissing: Problem = {
  status: 503,
  title: 'Your permissions could not be looked up',
  detail:
    'The permission service gave no usable answer, so no session was begun. Try again in a moment.',
};

export const problems: Readonly<Record<ProblemCode, Problem>> = {
  ambiguous_cookie: {
    status: 400,
    title: 'More than one session cookie',
    detail: 'The browser sent our session cookie more than once. Delete the cookies of this site.',
  },
  not_a_navigation: {
    status: 403,
    title: 'Not a page visit',
    detail:
      'A login begins and ends only by visiting its address, not from an image, a frame or a script.',
  },
  no_csrf_proof: {
    status: 403,
    title: 'Request from elsewhere',
    detail: 'Send X-CSRF: 1, or send the request from a page of this site.',
  },
  no_session: { status: 401, title: 'Not logged in', detail: 'There is no live session. Log in.' },
  not_found: { status: 404, title: 'Not found', detail: 'There is nothing at this address.' },
  bad_request: {
    status: 400,
    title: 'Not understood',
    detail: 'The request is not of the form that this address takes.',
  },
  body_too_large: { status: 413, title: 'Too large', detail: 'The body is larger than allowed.' },
  bad_logout_token: {
    status: 400,
    title: 'Not a logout token',
    detail: 'The logout token is missing, not of a provider registered here, or does not hold.',
  },
  unknown_caller: {
    status: 401,
    title: 'Unknown caller',
    detail: 'Send a token of INTERNAL_API_TOKENS as bearer.',
  },
  internal_api_off: {
    status: 403,
    title: 'Switched off',
    detail: 'INTERNAL_API_TOKENS is not set, so nobody may call this.',
  },
  login_revoked: {
    status: 401,
    title: 'The login was ended',
    detail: 'Your sessions were ended while you were logging in. Log in again.',
  },
  session_ended_at_idp: {
    status: 401,
    title: 'Logged out by the identity provider',
    detail: 'The identity provider has ended this login. Log in again.',
  },
  session_subject_changed: {
    status: 401,
    title: 'Logged out',
    detail: 'The identity provider answered for another person. Log in again.',
  },
  cross_site: {
    status: 403,
    title: 'Request from elsewhere',
    detail: 'This address answers only pages of this site.',
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    detail: 'So many requests in so short a time are not served. Wait a moment, then try again.',
  },
  refresh_pending: {
    status: 503,
    title: 'Not refreshed yet',
    detail:
      'The identity provider has not answered yet. Your session is kept. Try again in a moment.',
  },
  idp_unreachable: idpDown,
  idp_unsuitable: idpDown,
  login_denied: loginFailed,
  login_required: {
    status: 401,
    title: 'Not logged in at the identity provider',
    detail: 'A login without a question to you was not possible. Log in.',
  },
  login_refused: loginFailed,
  bad_idp_answer: loginFailed,
  permission_service_unavailable: permissionsMissing,
  permission_service_contract: permissionsMissing,
  store_unavailable: sessionStoreDown,
  unknown_seal_key: sessionStoreDown,
  broken_seal: { status: 500, title: 'Something went wrong', detail: 'It has been noted.' },
  internal: { status: 500, title: 'Something went wrong', detail: 'It has been noted.' },
};

/** The code of whatever was thrown; anything unknown is our own fault. */
export function problemCodeOf(error: unknown): ProblemCode {
  const { code, status } = (error ?? {}) as { code?: unknown; status?: unknown };
  if (typeof code === 'string' && Object.hasOwn(problems, code)) return code as ProblemCode;
  // Express says so of a path that it cannot decode.
  return error instanceof URIError && status === 400 ? 'bad_request' : 'internal';
}
