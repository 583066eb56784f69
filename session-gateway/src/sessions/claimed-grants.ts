import { checkNames } from '@sallyport/shared';
import { z } from 'zod';

/**
 * What the claims of the identity provider grant a person, mapped and checked. `unusable`: a refresh
 * brought claims that may not become roles; the old ones are over, and there are no new ones.
 */
export type ClaimedGrants =
  'unusable' | { readonly roles: readonly string[]; readonly permissions: readonly string[] };

const schema = z.object({ roles: z.array(z.string()), permissions: z.array(z.string()) });

/** As the gateway's record holds it. */
export function encodeClaimedGrants(claimed: ClaimedGrants): string {
  return claimed === 'unusable'
    ? claimed
    : JSON.stringify({ roles: claimed.roles, permissions: claimed.permissions });
}

/** Total: what is not readable grants nothing, and is not taken for "nothing was claimed" either. */
export function decodeClaimedGrants(text: string): ClaimedGrants {
  try {
    const { roles, permissions } = schema.parse(JSON.parse(text));
    checkNames('roles', roles);
    checkNames('permissions', permissions);
    return { roles, permissions };
  } catch {
    return 'unusable';
  }
}

/** Whether both grant the same; the order of names means nothing. */
export function sameClaimedGrants(
  one: ClaimedGrants | undefined,
  other: ClaimedGrants | undefined,
): boolean {
  return canonical(one) === canonical(other);
}

function canonical(claimed: ClaimedGrants | undefined): string | undefined {
  if (claimed === undefined || claimed === 'unusable') return claimed;
  const { roles, permissions } = claimed;
  return encodeClaimedGrants({ roles: [...roles].sort(), permissions: [...permissions].sort() });
}
