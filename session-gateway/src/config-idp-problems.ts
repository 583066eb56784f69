import { idpsFrom, type Idps } from './config-idps.js';
import type { GatewayVariables } from './config-schema.js';

/**
 * Of registrations that the variables and the file make. Not judged while a single value is wrong:
 * that one is told first, and what follows from it would mislead.
 */
export function idpProblems(
  part: Partial<GatewayVariables>,
  names: readonly string[],
): readonly string[] {
  const needed = names.filter((name) => /^(?:IDP_|PUBLIC_ORIGIN$|DEV_INSECURE$)/.test(name));
  if (!needed.every((name) => Object.hasOwn(part, name))) return [];
  const value = part as GatewayVariables;
  const idps = idpsFrom(value, new URL(value.PUBLIC_ORIGIN).origin);
  return 'problems' in idps
    ? idps.problems
    : [...reusedSecrets(value, idps), ...withoutSource(value, idps)];
}

/** Roles must come from somewhere. */
function withoutSource(part: Partial<GatewayVariables>, { idps }: Idps): string[] {
  // A value that is not good is told as such.
  if (!Object.hasOwn(part, 'PERMISSION_SERVICE_URL')) return [];
  const asking = idps.find(({ claims }) => claims?.permissionService !== 'replace');
  return part.PERMISSION_SERVICE_URL !== undefined || asking === undefined
    ? []
    : [
        `PERMISSION_SERVICE_URL: is not set, and ${asking.id} needs it. Give the base URL of the permission service, or have the claims replace it.`,
      ];
}

/** The variables' own secret is held against the others by `contradictions`. */
function reusedSecrets(part: Partial<GatewayVariables>, { idps }: Idps): string[] {
  return idps.flatMap(({ id, clientSecret: secret }) => {
    if (secret === undefined || secret === part.IDP_CLIENT_SECRET) return [];
    return (['TOKEN_SEAL_KEYS', 'INTERNAL_API_TOKENS'] as const)
      .filter((variable) => part[variable]?.includes(secret) === true)
      .map((variable) => `${variable}: holds the secret of ${id}. Every secret must be its own.`);
  });
}
