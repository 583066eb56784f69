import type { Origins } from './csrf.js';

/** One rule of the policy file, as the decision reads it. */
export interface Rule {
  /** Stands in 403 bodies, metric labels and dynamic metadata. */
  readonly id: string;
  /** Upper case; undefined is every method. */
  readonly methods: ReadonlySet<string> | undefined;
  readonly paths: readonly string[];
  readonly allow: Requirement;
  /** The origins an unsafe request with a cookie must prove; undefined switches the guard off. */
  readonly csrf: Origins | undefined;
  /** Whether a CORS preflight passes without identity. */
  readonly preflight: boolean;
  /** Judged and counted, but never enforced: the rules behind it decide. */
  readonly shadow: boolean;
}

export type Requirement = 'public' | 'authenticated' | Grants;

/** What a session must hold; all that is given must hold. */
export interface Grants {
  readonly roles?: AnyAll;
  readonly permissions?: AnyAll;
}

export interface AnyAll {
  readonly any?: readonly string[];
  readonly all?: readonly string[];
}

/** The rule's id where none of a file applies. No file may use it. */
export const defaultRuleId = 'default';

/** For what no rule covers: it needs a session, and no more. */
export function sessionRule(origins: Origins): Rule {
  return {
    id: defaultRuleId,
    methods: undefined,
    paths: [],
    allow: 'authenticated',
    csrf: origins,
    preflight: false,
    shadow: false,
  };
}

/**
 * The clause that a session does not satisfy, or undefined where it may pass. A permission is met by
 * itself or by its `:any` form (`transactions:read:any` holds whatever `transactions:read` does).
 */
export function missingGrant(
  allow: Requirement,
  session: { readonly roles: readonly string[]; readonly permissions: readonly string[] },
): 'missing_role' | 'missing_permission' | undefined {
  if (typeof allow === 'string') return undefined;
  if (allow.roles !== undefined && !satisfies(allow.roles, session.roles, includes))
    return 'missing_role';
  if (allow.permissions !== undefined && !satisfies(allow.permissions, session.permissions, grants))
    return 'missing_permission';
  return undefined;
}

type Holds = (held: readonly string[], wanted: string) => boolean;

function satisfies({ any, all }: AnyAll, held: readonly string[], holds: Holds): boolean {
  return (
    (any === undefined || any.some((wanted) => holds(held, wanted))) &&
    (all === undefined || all.every((wanted) => holds(held, wanted)))
  );
}

function includes(held: readonly string[], wanted: string): boolean {
  return held.includes(wanted);
}

/** Compared in place: no `wanted + ':any'` is built per check. */
function grants(held: readonly string[], wanted: string): boolean {
  return held.some(
    (name) =>
      name === wanted ||
      (name.length === wanted.length + 4 && name.endsWith(':any') && name.startsWith(wanted)),
  );
}
