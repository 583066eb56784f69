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
  ambiguous_path: {
    status: 400,
    detail:
      'The path could be read as another one on its way. Send it normalised and encoded once.',
  },
  bad_method: {
    status: 400,
    detail: 'The method is not written in upper-case letters.',
  },
  csrf: {
    status: 403,
    detail: 'A request that changes something by cookie must come from this site’s own pages.',
  },
  no_rule: {
    status: 403,
    detail: 'No rule of the policy allows this path and method.',
  },
  missing_role: {
    status: 403,
    detail: 'The session lacks a role that the rule demands.',
  },
  missing_permission: {
    status: 403,
    detail: 'The session lacks a permission that the rule demands.',
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

/** Why a request is allowed: like the reasons above, stable and a metric label. */
export const allowBases = {
  session: 'A live session of the right kind holds all that the rule demands.',
  public: 'The rule makes the path public; nobody looked for a session.',
  preflight: 'A CORS preflight that the rule lets pass, without identity.',
} as const;

export type AllowBasis = keyof typeof allowBases;

export interface Allow {
  readonly outcome: 'allow';
  readonly basis: AllowBasis;
  /** Undefined where nobody looked for one. */
  readonly session: Session | undefined;
  /** Empty values where there is no session: a forged header must still be overwritten. */
  readonly identity: Identity;
  /** The id of the rule that allowed it. */
  readonly rule: string;
  readonly shadow?: ShadowVerdict;
}

export interface Deny {
  readonly outcome: 'deny';
  readonly reason: DenyReason;
  /** The id of the policy file's rule that denied it. */
  readonly rule?: string;
  /**
   * Whose live session it is that the rule does not let pass: for Envoy's metadata, never for the
   * client. Missing wherever no session was found good.
   */
  readonly holder?: Session;
  readonly shadow?: ShadowVerdict;
}

/** What a rule on trial would have made of the request. */
export interface ShadowVerdict {
  readonly rule: string;
  readonly change: 'none' | 'would_allow' | 'would_deny';
}

export type Decision = Allow | Deny;

export function deny(reason: DenyReason, rule?: string): Deny {
  return rule === undefined ? { outcome: 'deny', reason } : { outcome: 'deny', reason, rule };
}

const nobody: Identity = { values: ['', '', ''] };

export function allowNobody(basis: 'public' | 'preflight', rule: string): Allow {
  return { outcome: 'allow', basis, session: undefined, identity: nobody, rule };
}
