import * as client from 'openid-client';
import type { IdpRegistration } from './idp-registration.js';

/**
 * Where a browser goes after its session has ended here: the registration's template, or the
 * provider's end_session_endpoint (OIDC RP-Initiated Logout 1.0), or straight to our own return page.
 */
export async function endSessionUrl(
  { issuer, logoutUrlTemplate, logoutReturnTo, clientId }: IdpRegistration,
  configurationOf: () => Promise<client.Configuration>,
  idToken: string | undefined,
): Promise<string> {
  if (logoutUrlTemplate !== undefined) {
    const template = await addressed(logoutUrlTemplate, issuer, configurationOf);
    return template === undefined
      ? logoutReturnTo
      : fromTemplate(template, { returnTo: logoutReturnTo, clientId });
  }
  const configuration = await configurationOf().catch(() => undefined);
  if (configuration?.serverMetadata().end_session_endpoint === undefined) return logoutReturnTo;
  try {
    return client.buildEndSessionUrl(configuration, {
      post_logout_redirect_uri: logoutReturnTo,
      ...(idToken === undefined ? {} : { id_token_hint: idToken }),
    }).href;
  } catch {
    // No address, or not https: the session has ended, and its person must get to a page.
    return logoutReturnTo;
  }
}

/** Profiles know the path and not the host. Undefined while the provider cannot be asked for it. */
async function addressed(
  template: string,
  issuer: string,
  configurationOf: () => Promise<client.Configuration>,
): Promise<string | undefined> {
  const place = '{authorizationOrigin}';
  if (!template.startsWith(place)) return template.replace(/^\{issuer\}/, () => issuer);
  const configuration = await configurationOf().catch(() => undefined);
  const { authorization_endpoint: endpoint } = configuration?.serverMetadata() ?? {};
  return endpoint === undefined
    ? undefined
    : new URL(endpoint).origin + template.slice(place.length);
}

/** The original's form, for providers without an end_session_endpoint; a doubled slash is folded. */
function fromTemplate(template: string, values: { returnTo: string; clientId: string }): string {
  return template
    .replace(/([^:])\/{2,}/g, '$1/')
    .replaceAll('{returnTo}', () => encodeURIComponent(values.returnTo))
    .replaceAll('{clientId}', () => encodeURIComponent(values.clientId));
}
