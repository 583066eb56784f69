import type { ServerMetadata } from 'openid-client';
import { isTlsAuthentication, type IdpRegistration } from './idp-registration.js';

/** Endpoints at which a client may have to show its certificate. */
export const aliasedEndpoints = [
  'token_endpoint',
  'revocation_endpoint',
  'pushed_authorization_request_endpoint',
  'userinfo_endpoint',
] as const;

/**
 * Where this registration asks. With TLS client authentication that may be an address of its own, at
 * which the provider looks for certificates (RFC 8705 §5); openid-client chooses in the same way.
 */
export function endpointOf(
  registration: Pick<IdpRegistration, 'clientAuthentication'>,
  metadata: Readonly<
    Pick<ServerMetadata, (typeof aliasedEndpoints)[number] | 'mtls_endpoint_aliases'>
  >,
  name: (typeof aliasedEndpoints)[number],
): string | undefined {
  const alias = isTlsAuthentication(registration.clientAuthentication)
    ? metadata.mtls_endpoint_aliases?.[name]
    : undefined;
  const address = alias ?? metadata[name];
  return isAddress(address) ? address : undefined;
}

/** A provider's document may have anything in place of an address: null, '', a path. */
export function isAddress(value: unknown): value is string {
  return typeof value === 'string' && URL.canParse(value);
}
