import { isLoopback } from '@sallyport/shared/runtime';
import { aliases, authentication } from './authentication-misfits.js';
import { isAddress } from './endpoint-of.js';
import { asymmetricAlgorithms, isSymmetric, type IdpRegistration } from './idp-registration.js';
import { list, misfit, type Misfit, type OfferedByProvider } from './misfit.js';

export const proofAlgorithm = 'ES256';

/** ID token algorithms that are accepted from this provider (never `none`; HS* only if registered). */
export function acceptedAlgorithms(
  { idTokenAlgorithm }: Pick<IdpRegistration, 'idTokenAlgorithm'>,
  offered: Pick<OfferedByProvider, 'id_token_signing_alg_values_supported'>,
): readonly string[] {
  if (idTokenAlgorithm !== undefined) return [idTokenAlgorithm];
  const listed = offered.id_token_signing_alg_values_supported ?? ['RS256'];
  return listed.filter((name) => (asymmetricAlgorithms as readonly string[]).includes(name));
}

/** Everything in which a provider's metadata contradicts the registration; empty if it will do. */
export function misfits(registration: IdpRegistration, offered: OfferedByProvider): Misfit[] {
  return [
    ...missingEndpoints(registration, offered),
    ...unsafe(registration, offered),
    ...pushedRequests(registration, offered),
    ...signedRequests(registration, offered),
    ...proofs(registration, offered),
    ...authentication(registration, offered),
    ...aliases(registration, offered),
  ];
}

function missingEndpoints(registration: IdpRegistration, offered: OfferedByProvider): Misfit[] {
  const needed = ['authorization_endpoint', 'token_endpoint'] as const;
  const missing: Misfit[] = needed
    .filter((name) => !isAddress(offered[name]))
    .map((name) => misfit(`no_${name}`, `it names no ${name}.`));
  if (registration.claims?.from === 'userinfo' && !isAddress(offered.userinfo_endpoint)) {
    missing.push(
      misfit(
        'no_userinfo_endpoint',
        'claims are to be read from UserInfo, and it names no userinfo_endpoint.',
      ),
    );
  }
  if (offered.jwks_uri === undefined) {
    if (!isSymmetric(registration.idTokenAlgorithm)) {
      missing.push(misfit('no_jwks', 'it names no jwks_uri, so no ID token can be verified.'));
    }
  } else if (!isSafe(offered.jwks_uri, registration.issuer)) {
    missing.push(misfit('jwks_not_https', 'its jwks_uri is not https.'));
  }
  return missing;
}

function isSafe(url: string, issuer: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(issuer);
  return new URL(url).protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
}

function unsafe(registration: IdpRegistration, offered: OfferedByProvider): Misfit[] {
  const found: Misfit[] = [];
  const pkce = offered.code_challenge_methods_supported;
  if (pkce !== undefined && !pkce.includes('S256')) {
    found.push(misfit('no_pkce_s256', 'it offers PKCE without S256 (RFC 7636).'));
  }
  const listed = offered.id_token_signing_alg_values_supported ?? ['RS256'];
  const accepted = acceptedAlgorithms(registration, offered);
  if (accepted.length === 0) {
    found.push(
      misfit(
        'no_asymmetric_id_token',
        'it signs ID tokens with nothing but a shared secret, or not at all. Register an asymmetric algorithm there.',
      ),
    );
  } else if (!accepted.some((name) => listed.includes(name))) {
    found.push(
      misfit(
        'id_token_alg_not_offered',
        `it does not sign ID tokens with ${accepted.join(', ')}, only with ${list(listed)}.`,
      ),
    );
  }
  return found;
}

function pushedRequests({ par }: IdpRegistration, offered: OfferedByProvider): Misfit[] {
  if (par && offered.pushed_authorization_request_endpoint === undefined) {
    return [
      misfit(
        'no_par_endpoint',
        'pushed authorization requests (PAR) are switched on, and it names no pushed_authorization_request_endpoint. Switch them on there, or off here.',
      ),
    ];
  }
  return !par && offered.require_pushed_authorization_requests === true
    ? [misfit('par_required', 'it requires pushed authorization requests (PAR). Switch them on.')]
    : [];
}

function signedRequests(
  { jar, signingKey }: IdpRegistration,
  offered: OfferedByProvider,
): Misfit[] {
  if (!jar) {
    return offered.require_signed_request_object === true
      ? [misfit('jar_required', 'it requires signed authorization requests (JAR). Switch them on.')]
      : [];
  }
  const listed = offered.request_object_signing_alg_values_supported;
  if (offered.request_parameter_supported === false) {
    return [
      misfit(
        'no_jar',
        'signed authorization requests (JAR) are switched on, and it takes no request objects. Switch them on there, or off here.',
      ),
    ];
  }
  return signingKey !== undefined && listed !== undefined && !listed.includes(signingKey.algorithm)
    ? [
        misfit(
          'jar_alg_not_offered',
          `it takes no request objects signed with ${signingKey.algorithm}, only ${list(listed)}.`,
        ),
      ]
    : [];
}

function proofs({ dpop }: IdpRegistration, offered: OfferedByProvider): Misfit[] {
  // Without the list it gives bearer tokens in silence (RFC 9449 §5.1).
  return dpop && offered.dpop_signing_alg_values_supported?.includes(proofAlgorithm) !== true
    ? [
        misfit(
          'no_dpop',
          `DPoP is switched on, and its dpop_signing_alg_values_supported does not list ${proofAlgorithm}. Switch it on there, or off here.`,
        ),
      ]
    : [];
}
