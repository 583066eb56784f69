import { checkNames, checkUserId } from '@sallyport/shared';
import type { Correlation } from '../correlation.js';
import type { ClaimRules } from '../oidc/claim-grants.js';
import type { Grants, Profile } from '../sessions/session-store.js';
import { PermissionServiceError, type PermissionClient } from './permission-client.js';

export type Person = Pick<Profile, 'idp' | 'sub' | 'email' | 'name' | 'claimed'>;

/** Where a person's roles come from: the permission service, the provider's claims, or both. */
export class GrantSources {
  readonly #service: Pick<PermissionClient, 'grantsOf'> | undefined;
  readonly #rules: ReadonlyMap<string, ClaimRules>;

  /** @param rules by registration; one that is not there has the permission service alone */
  constructor(
    service: Pick<PermissionClient, 'grantsOf'> | undefined,
    rules: ReadonlyMap<string, ClaimRules>,
  ) {
    this.#service = service;
    this.#rules = rules;
  }

  /** @throws PermissionServiceError; never less than what there is. */
  async grantsOf(person: Person, correlation?: Correlation): Promise<Grants> {
    const rules = this.#rules.get(person.idp);
    const { claimed = { roles: [], permissions: [] } } = person;
    if (rules !== undefined && claimed === 'unusable') return refuse('claims_unusable');
    if (rules?.permissionService === 'replace' && claimed !== 'unusable') {
      return checked({ userId: ownUserId(person), ...claimed });
    }
    if (this.#service === undefined) throw new Error('there is no permission service');
    const grants = await this.#service.grantsOf(person, correlation);
    if (rules === undefined || claimed === 'unusable') return grants;
    return checked({
      userId: grants.userId,
      roles: union(grants.roles, claimed.roles),
      permissions: union(grants.permissions, claimed.permissions),
    });
  }
}

/**
 * Nobody else names the person: a subject is unique at its issuer only (OIDC Core 1.0 §5.7), and a
 * registration's id has no colon. So nobody is somebody else's user by a subject of their own choice.
 */
function ownUserId({ idp, sub }: Person): string {
  return `${idp}:${sub}`;
}

function union(some: readonly string[], others: readonly string[]): readonly string[] {
  return [...new Set([...some, ...others])];
}

/** Each source kept the limits; together they may not. */
function checked(grants: Grants): Grants {
  try {
    checkUserId(grants.userId);
    checkNames('roles', grants.roles);
    checkNames('permissions', grants.permissions);
    return grants;
  } catch (error) {
    return refuse((error as { code: string }).code, error);
  }
}

function refuse(detail: string, cause?: unknown): never {
  throw new PermissionServiceError('permission_service_contract', detail, { cause });
}
