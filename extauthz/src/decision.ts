import type { Session } from '@sallyport/shared';
import type { Identity } from './identity.js';

/**
 * Why a request is denied. The names are stable: they stand in the answer's `reason`, in metric
 * labels and in logs. The status says which of the four outcomes of DESIGN §3 it is:
 * 401 proved, 400/403 ambiguous or forbidden, 503 cannot know.
 */
export const denyReasons = {
  no_credential: {
    status: 401,
    detail: 'The request carries no session cookie and no bearer token. Log in first.',
  },
  malformed_credential: {
    status: 401,
    detail: 'The credential cannot be a session of ours. Log in again.',
  },
  unknown_session: {
    status: 401,
    detail: 'The session does not exist, has ended or has expired. Log in again.',
  },
  expired_session: {
    status: 401,
    detail: 'The session has expired. Log in again.',
  },
  corrupt_session: {
    status: 401,
    detail: 'The session’s record is damaged and cannot be used. Log in again.',
  },
  wrong_lane: {
    status: 401,
    detail: 'A browser session travels only in its cookie, any other only as a bearer token.',
  },
  ambiguous_credential: {
    status: 400,
    detail: 'The request carries more than one session credential. Send exactly one.',
  },
  oversized_credential: {
    status: 400,
    detail: 'The Cookie or Authorization header is larger than 8192 bytes.',
  },
  imitated_identity: {
    status: 400,
    detail: 'The request carries a header that imitates an identity header.',
  },
  overloaded: {
    status: 503,
    detail: 'The check has more to do than it can. You are still logged in; try again.',
  },
  deadline_passed: {
    status: 503,
    detail: 'The check took too long to be trusted. You are still logged in; try again.',
  },
  store_unavailable: {
    status: 503,
    detail: 'The session cannot be checked right now. You are still logged in; try again.',
  },
} as const satisfies Record<string, { status: 400 | 401 | 403 | 503; detail: string }>;

export type DenyReason = keyof typeof denyReasons;

export interface Allow {
  readonly outcome: 'allow';
  readonly session: Session;
  readonly identity: Identity;
  /** The policy rule that allowed it, where there is one. */
  readonly rule?: string;
}

export interface Deny {
  readonly outcome: 'deny';
  readonly reason: DenyReason;
}

export type Decision = Allow | Deny;

export function deny(reason: DenyReason): Deny {
  return { outcome: 'deny', reason };
}
