import type { ClaimPath } from './claim-grants.js';
import type { ClientAuthentication, IdpRegistration } from './idp-registration.js';

/**
 * What is known of a product, as data: defaults of a registration that names it. No code asks which
 * product it talks to. What a registration says itself wins.
 */
export interface ProviderProfile {
  /** What an issuer of this product looks like, and the words for somebody whose does not. */
  readonly issuer?: { readonly form: RegExp; readonly hint: string };
  readonly clientAuthentication?: ClientAuthentication;
  readonly scopes?: string;
  /** Where its logout is not OIDC's; see `endSessionUrl` for the placeholders. */
  readonly logoutUrlTemplate?: string;
  /** Where its roles stand by default, for registrations that read claims. */
  readonly rolesClaim?: ClaimPath;
  /** By what name it is told which API the access tokens are for; left out: `audience`. */
  readonly audienceParameter?: 'audience' | 'resource';
}

const standardScopes = 'openid profile email';
/** No refresh token without it; products that give one anyway refuse a scope they do not know. */
const offlineScopes = `${standardScopes} offline_access`;

export const providerProfiles = {
  auth0: {
    issuer: {
      form: /^https:\/\/[^/]+\/$/,
      hint: 'https://TENANT.REGION.auth0.com/, with the slash',
    },
    scopes: offlineScopes,
    logoutUrlTemplate: '{issuer}v2/logout?returnTo={returnTo}&client_id={clientId}',
  },
  entra: {
    // Of `common` and `organizations` the document names a template, and tokens another issuer each.
    issuer: {
      form: /^https:\/\/login\.microsoftonline\.(?:com|us)\/(?!(?:common|organizations|consumers)\/)[^/]+\/v2\.0$/,
      hint: 'https://login.microsoftonline.com/TENANT-ID/v2.0, of one tenant: register one entry for each',
    },
    scopes: offlineScopes,
    rolesClaim: ['roles'],
  },
  cognito: {
    issuer: {
      form: /^https:\/\/cognito-idp\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?\/[\w-]+$/,
      hint: 'https://cognito-idp.REGION.amazonaws.com/POOL-ID',
    },
    scopes: standardScopes,
    // Its login pages have a host of their own, which only the document names.
    logoutUrlTemplate: '{authorizationOrigin}/logout?client_id={clientId}&logout_uri={returnTo}',
    rolesClaim: ['cognito:groups'],
    audienceParameter: 'resource',
  },
  wso2: {
    issuer: {
      form: /^https:\/\/[^/]+(?:\/t\/[^/]+)?\/oauth2\/(?:token|oidcdiscovery)$/,
      hint: 'https://HOST/oauth2/token, or https://HOST/t/TENANT/oauth2/token',
    },
    scopes: standardScopes,
    rolesClaim: ['groups'],
  },
  agglestone: {
    issuer: {
      form: /^https:\/\/[^/]+\/tenant\/[^/]+\/v2\.0\/Auth$/,
      hint: 'https://auth.agglestone.com/tenant/TENANT-ID/v2.0/Auth, capital letter included',
    },
    clientAuthentication: 'none',
    scopes: standardScopes,
  },
} as const satisfies Readonly<Record<string, ProviderProfile>>;

export type ProfileName = keyof typeof providerProfiles;
export const profileNames = Object.keys(providerProfiles) as [ProfileName, ...ProfileName[]];

export function profileOf(name: ProfileName | undefined): ProviderProfile {
  return name === undefined ? {} : providerProfiles[name];
}

/** Its part of a registration. */
export function profileDefaults(name: ProfileName | undefined): Partial<IdpRegistration> {
  const { clientAuthentication, scopes, logoutUrlTemplate, audienceParameter } = profileOf(name);
  return {
    ...(clientAuthentication === undefined ? {} : { clientAuthentication }),
    ...(scopes === undefined ? {} : { scopes }),
    ...(logoutUrlTemplate === undefined ? {} : { logoutUrlTemplate }),
    ...(audienceParameter === undefined ? {} : { audienceParameter }),
  };
}
