import { checkNames } from '@sallyport/shared';
import type { ClaimedGrants } from '../sessions/claimed-grants.js';
import { IdentityProviderError } from './identity-provider-error.js';

/** The names on the way from the token's own members to a claim. */
export type ClaimPath = readonly [string, ...string[]];

/** How a registration turns claims into roles and permissions. */
export interface ClaimRules {
  readonly from: 'id_token' | 'userinfo';
  readonly roles?: ClaimPath;
  readonly permissions?: ClaimPath;
  /** What a value of the roles claim stands for; with a mapping other values stand for nothing. */
  readonly mapping?: ReadonlyMap<string, Granted>;
  /** A claim that is not there: nobody has a role by it, or the login is refused. */
  readonly absent: 'empty' | 'refuse';
  /** Added to what the permission service says, or in its place. */
  readonly permissionService: 'add' | 'replace';
}

interface Granted {
  readonly roles: readonly string[];
  readonly permissions: readonly string[];
}

type Claims = Readonly<Record<string, unknown>>;

/** `groups` and `realm_access.roles`; a name that is a URL has dots of its own and is one step. */
export function claimPathOf(text: string): ClaimPath {
  return /^https?:\/\//.test(text) ? [text] : (text.split('.') as unknown as ClaimPath);
}

/**
 * What these claims grant. Nothing is left out in silence: a value that may not become a header, or
 * a list that is too long for one, refuses the login (TRUST T25).
 * @throws IdentityProviderError
 */
export function claimedGrants(
  rules: ClaimRules,
  claims: Claims,
): Exclude<ClaimedGrants, 'unusable'> {
  const roles = new Set<string>();
  const permissions = new Set<string>();
  for (const value of valuesAt('roles', rules, claims)) {
    const mapped = rules.mapping?.get(value);
    if (rules.mapping === undefined) roles.add(value);
    for (const role of mapped?.roles ?? []) roles.add(role);
    for (const permission of mapped?.permissions ?? []) permissions.add(permission);
  }
  for (const value of valuesAt('permissions', rules, claims)) permissions.add(value);
  return { roles: checked('roles', roles), permissions: checked('permissions', permissions) };
}

function valuesAt(
  what: 'roles' | 'permissions',
  rules: ClaimRules,
  claims: Claims,
): readonly string[] {
  const path = rules[what];
  if (path === undefined) return [];
  const name = path.join('.');
  const found = path.reduce<unknown>(member, claims);
  if (found === undefined || found === null) {
    // Its place is taken by a reference (OIDC Core 1.0 §5.6.2), as where there are too many groups.
    if (member(claims['_claim_names'], path[0]) !== undefined) {
      refuse(
        'distributed',
        `the provider gave a reference in place of the claim ${name}. Have it send fewer values, or application roles in place of groups.`,
      );
    }
    if (rules.absent === 'refuse') {
      refuse(
        'absent',
        `there is no claim ${name} in the ${rules.from}. Have the provider send it, or set absent to empty.`,
      );
    }
    return [];
  }
  const values: unknown[] = Array.isArray(found) ? found : [found];
  if (!values.every((value) => typeof value === 'string')) {
    refuse('bad_shape', `the claim ${name} is neither a text nor a list of texts.`);
  }
  return values;
}

/** Own members only: `constructor` is no claim. */
function member(holder: unknown, name: string): unknown {
  return typeof holder === 'object' && holder !== null && Object.hasOwn(holder, name)
    ? (holder as Claims)[name]
    : undefined;
}

function checked(what: 'roles' | 'permissions', names: ReadonlySet<string>): readonly string[] {
  const list = [...names];
  try {
    checkNames(what, list);
    return list;
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return refuse(
      code,
      `the claims make ${message}. Map them to names that may be ${what}.`,
      error,
    );
  }
}

function refuse(detail: string, explanation: string, cause?: unknown): never {
  throw new IdentityProviderError('bad_idp_answer', `claims_${detail}`, { explanation, cause });
}
