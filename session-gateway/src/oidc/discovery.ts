import { isLoopback } from '@sallyport/shared/runtime';
import * as client from 'openid-client';
import { clientAuthentication } from './client-authentication.js';
import { asIdentityProviderError, IdentityProviderError } from './identity-provider-error.js';
import type { IdpFetch } from './idp-fetch.js';
import { isTlsAuthentication, type IdpRegistration } from './idp-registration.js';
import { misfits } from './suitability.js';

/** A discovery document that was read and will do, as openid-client works with it. */
export interface Discovered {
  readonly configuration: client.Configuration;
  readonly metadata: client.ServerMetadata;
}

/**
 * Reads the provider's metadata (OIDC Discovery 1.0 §4) and holds it against the registration.
 * @throws IdentityProviderError `idp_unreachable`, or `idp_unsuitable` where a document that came back
 * does not fit; `explanation` names the URL that was tried and what came back
 */
export async function discover(
  registration: IdpRegistration,
  fetch: IdpFetch,
): Promise<Discovered> {
  const issuer = new URL(registration.issuer);
  const insecure = issuer.protocol === 'http:' && isLoopback(issuer.hostname);
  const timeout = registration.timeout / 1000;
  const exchange: Exchange = { url: registration.issuer };
  let configuration: client.Configuration;
  try {
    configuration = await client.discovery(
      issuer,
      registration.clientId,
      clientMetadata(registration),
      clientAuthentication(registration),
      {
        timeout,
        [client.customFetch]: watched(fetch, exchange),
        // eslint-disable-next-line @typescript-eslint/no-deprecated -- loopback only
        execute: insecure ? [client.allowInsecureRequests] : [],
      },
    );
  } catch (error) {
    throw explained(error, exchange, registration);
  }
  const metadata = configuration.serverMetadata();
  const wrong = misfits(registration, metadata);
  if (wrong[0] !== undefined) {
    const sentences = wrong.map(({ sentence }) => sentence).join(' Also ');
    throw new IdentityProviderError('idp_unsuitable', wrong[0].detail, {
      explanation: `${exchange.url} does not fit the registration: ${sentences}`,
    });
  }
  return { configuration, metadata };
}

function clientMetadata(registration: IdpRegistration): Partial<client.ClientMetadata> {
  const { idTokenAlgorithm, clientAuthentication: method } = registration;
  return {
    ...(idTokenAlgorithm === undefined ? {} : { id_token_signed_response_alg: idTokenAlgorithm }),
    ...(isTlsAuthentication(method) ? { use_mtls_endpoint_aliases: true } : {}),
  };
}

/** What was asked, and what came back. */
interface Exchange {
  url: string;
  status?: number;
  location?: string | null;
}

function watched(fetch: IdpFetch, exchange: Exchange): IdpFetch {
  return async (url, init) => {
    exchange.url = url;
    const response = await fetch(url, init);
    exchange.status = response.status;
    exchange.location = response.headers.get('location');
    return response;
  };
}

function explained(
  error: unknown,
  { url, status, location }: Exchange,
  { issuer }: IdpRegistration,
): IdentityProviderError {
  const { code, detail } = asIdentityProviderError(error);
  const fail = (kind: 'idp_unreachable' | 'idp_unsuitable', word: string, what: string) =>
    new IdentityProviderError(kind, word, { cause: error, explanation: `${url} ${what}` });
  if (code === 'idp_unreachable') {
    return fail(code, detail, `gave no answer (${detail}). It will be asked again.`);
  }
  if (status !== undefined && status !== 200) {
    const where = location == null ? '' : ` to ${presentable(location)}`;
    return fail(
      'idp_unsuitable',
      noDocument,
      `answered ${String(status)}${where} and no discovery document. Is ${issuer} the issuer, path included?`,
    );
  }
  const claimed = otherIssuer(error);
  if (claimed !== undefined) {
    return fail(
      'idp_unsuitable',
      'other_issuer',
      `names the issuer ${presentable(claimed)}, and ${issuer} is registered. They must be the same, character by character.`,
    );
  }
  return fail(
    'idp_unsuitable',
    noDocument,
    'answered with something that is no discovery document.',
  );
}

/** A page, a redirect, a 404: it may be an outage as well as a mistake of ours. */
export const noDocument = 'no_discovery_document';

function otherIssuer(error: unknown): string | undefined {
  const { cause } = error as { cause?: { attribute?: unknown; body?: { issuer?: unknown } } };
  const claimed = cause?.attribute === 'issuer' ? cause.body?.issuer : undefined;
  return typeof claimed === 'string' ? claimed : undefined;
}

/** Somebody else's text, for our log: an address without its query, or nothing. */
function presentable(text: string): string {
  const [address = ''] = text.split(/[?#]/, 1);
  return /^https?:\/\/[\x21-\x7e]{1,300}$/.test(address) ? address : '(no address)';
}
