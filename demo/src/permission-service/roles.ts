const permissionsByRole = {
  ADMIN: ['notes:read', 'notes:write', 'reports:read', 'users:admin'],
  MANAGER: ['notes:read', 'notes:write', 'reports:read'],
  USER: ['notes:read', 'notes:write'],
} as const;

export type Role = keyof typeof permissionsByRole;

export function permissionsOf(roles: readonly Role[]): readonly string[] {
  return [...new Set(roles.flatMap((role) => permissionsByRole[role]))].sort();
}

/** The roles of a request body `{"roles": […]}`, or undefined if it is not one. */
export function rolesFrom(body: unknown): readonly Role[] | undefined {
  if (typeof body !== 'object' || body === null || !('roles' in body)) return undefined;
  const { roles } = body;
  return Array.isArray(roles) && roles.every(isRole) ? roles : undefined;
}

function isRole(value: unknown): value is Role {
  return typeof value === 'string' && Object.hasOwn(permissionsByRole, value);
}
