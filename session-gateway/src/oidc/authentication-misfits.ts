import { aliasedEndpoints } from './endpoint-of.js';
import { isTlsAuthentication, type IdpRegistration } from './idp-registration.js';
import { list, misfit, type Misfit, type OfferedByProvider } from './misfit.js';

/** How we prove who we are, against what the provider takes. */
export function authentication(
  registration: IdpRegistration,
  offered: OfferedByProvider,
): Misfit[] {
  const { clientAuthentication: method, signingKey } = registration;
  const methods = offered.token_endpoint_auth_methods_supported;
  // Many providers take public clients and do not list `none`.
  if (method === undefined || method === 'none') return [];
  // A provider that looks at no certificate might take us for a public client, unproven. The default of
  // a list that is left out (RFC 8414 §2) is not enough here.
  const listed = methods ?? (isTlsAuthentication(method) ? ['client_secret_basic'] : undefined);
  if (listed !== undefined && !listed.includes(method)) {
    return [
      misfit(
        'client_authentication_not_offered',
        `it does not take ${method}, only ${list(listed)}.`,
      ),
    ];
  }
  const algorithms = offered.token_endpoint_auth_signing_alg_values_supported;
  return method === 'private_key_jwt' &&
    signingKey !== undefined &&
    algorithms?.includes(signingKey.algorithm) === false
    ? [
        misfit(
          'client_authentication_alg_not_offered',
          `it takes no client assertion signed with ${signingKey.algorithm}, only ${list(algorithms)}.`,
        ),
      ]
    : [];
}

/** Where certificates are to be shown (RFC 8705 §5): in plain text there would be none. */
export function aliases(registration: IdpRegistration, offered: OfferedByProvider): Misfit[] {
  const { mtls_endpoint_aliases: named } = offered;
  if (!isTlsAuthentication(registration.clientAuthentication) || named === undefined) return [];
  if (typeof named !== 'object' || named === null) {
    return [misfit('bad_mtls_aliases', 'its mtls_endpoint_aliases is not an object.')];
  }
  return aliasedEndpoints
    .filter((name) => name in named && !isHttps((named as Record<string, unknown>)[name]))
    .map((name) =>
      misfit('mtls_alias_not_https', `its mtls_endpoint_aliases.${name} is no https address.`),
    );
}

function isHttps(url: unknown): boolean {
  return typeof url === 'string' && URL.canParse(url) && new URL(url).protocol === 'https:';
}
