/**
 * The identity headers an upstream may trust, and nothing else. An allow always carries all three,
 * empty if need be: Envoy lets a client's own copy through where the answer omits one (TRUST §0,
 * fact 1, measured).
 */
export const identityHeaders = ['x-user-id', 'x-roles', 'x-permissions'] as const;
export type IdentityHeader = (typeof identityHeaders)[number];

/** Every name that must be taken off an inbound request on every route; optional ones included. */
export const inboundHeadersToStrip = [
  ...identityHeaders,
  'x-user-email',
  'x-session-kind',
  'x-identity-jwt',
] as const;
