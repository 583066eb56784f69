import { certificateContradictions, clientCertificateOf } from './config-idp-certificate.js';
import type { GatewayVariables } from './config-schema.js';
import {
  isSymmetric,
  isTlsAuthentication,
  type Credentials,
  type IdpRegistration,
} from './oidc/idp-registration.js';
import { profileOf, type ProfileName } from './oidc/provider-profiles.js';
import { parseSigningKey, type SigningKey } from './oidc/signing-key.js';

/** A registration before its parts have been held against each other. */
export interface RegistrationDraft {
  readonly values: Omit<IdpRegistration, keyof Credentials>;
  readonly profile?: ProfileName;
  readonly secret?: string;
  readonly privateKey?: {
    readonly text: string;
    readonly algorithm?: string;
    readonly keyId?: string;
  };
  readonly certificate?: string;
  readonly certificateKey?: string;
  /** How each part is called where it was set, for the messages. */
  readonly names: RegistrationNames;
}

export interface RegistrationNames {
  readonly clientAuthentication: string;
  readonly secret: string;
  readonly privateKey: string;
  readonly certificate: string;
  readonly certificateKey: string;
  readonly idTokenAlgorithm: string;
  readonly jar: string;
  readonly issuer: string;
  readonly claims: string;
}

/** What the variables say for every registration that says nothing of its own. */
export function commonValues(
  value: GatewayVariables,
  publicOrigin: string,
): Omit<IdpRegistration, 'id' | 'issuer' | 'clientId'> {
  return {
    scopes: value.IDP_SCOPES ?? 'openid profile email offline_access',
    par: value.IDP_PAR,
    jar: value.IDP_JAR,
    dpop: value.IDP_DPOP,
    callbackPath: value.IDP_CALLBACK_PATH,
    logoutReturnTo: value.IDP_LOGOUT_RETURN_TO ?? `${publicOrigin}/`,
    strictLogoutTokens: value.IDP_LOGOUT_TOKEN_STRICT,
    revokeTokens: value.IDP_REVOKE_TOKENS,
    timeout: value.IDP_TIMEOUT_MS,
    userInfoOnRefresh: value.IDP_USERINFO_ON_REFRESH,
    ...(value.IDP_CLIENT_AUTHENTICATION === undefined
      ? {}
      : { clientAuthentication: value.IDP_CLIENT_AUTHENTICATION }),
    ...(value.IDP_ID_TOKEN_ALGORITHM === undefined
      ? {}
      : { idTokenAlgorithm: value.IDP_ID_TOKEN_ALGORITHM }),
    ...(value.IDP_AUDIENCE === undefined ? {} : { audience: value.IDP_AUDIENCE }),
    ...(value.IDP_MAX_AGE_SECONDS === undefined ? {} : { maxAge: value.IDP_MAX_AGE_SECONDS }),
    ...(value.IDP_LOGOUT_URL_TEMPLATE === undefined
      ? {}
      : { logoutUrlTemplate: value.IDP_LOGOUT_URL_TEMPLATE }),
  };
}

/** Holds the parts of a registration against each other. @returns it, with every contradiction */
export function finishRegistration(draft: RegistrationDraft): {
  readonly registration: IdpRegistration;
  readonly problems: readonly string[];
} {
  const { values, secret } = draft;
  const key = signingKeyOf(draft);
  const certificate = clientCertificateOf(draft);
  return {
    problems: [
      ...[key, certificate].filter((part) => typeof part === 'string'),
      ...contradictions(draft),
      ...certificateContradictions(draft),
      ...ofIssuer(draft),
      ...ofClaims(draft),
    ],
    registration: {
      ...values,
      ...(secret === undefined ? {} : { clientSecret: secret }),
      ...(key === undefined || typeof key === 'string' ? {} : { signingKey: key }),
      ...(certificate === undefined || typeof certificate === 'string'
        ? {}
        : { clientCertificate: certificate }),
    },
  };
}

function ofIssuer({ values, profile, names }: RegistrationDraft): string[] {
  const { issuer } = profileOf(profile);
  return issuer === undefined || issuer.form.test(values.issuer)
    ? []
    : [`${names.issuer}: is no issuer of ${String(profile)}. It looks like ${issuer.hint}.`];
}

function ofClaims({ values: { claims }, names }: RegistrationDraft): string[] {
  if (claims === undefined || claims.roles !== undefined) return [];
  if (claims.permissions === undefined) {
    return [`${names.claims}: names no claim. Give roles, permissions, or both.`];
  }
  return claims.mapping === undefined
    ? []
    : [`${names.claims}: has a mapping and no roles. It is of the values of the roles claim.`];
}

/** @returns the key, or why there is none */
function signingKeyOf({ privateKey, names }: RegistrationDraft): SigningKey | string | undefined {
  if (privateKey === undefined) return undefined;
  const parsed = parseSigningKey(privateKey.text, privateKey);
  return 'problem' in parsed ? `${names.privateKey}: ${parsed.problem}` : parsed.signingKey;
}

/** How long a shared key must be (RFC 7518 §3.2), bytes. */
const hmacBytes: Readonly<Record<string, number>> = { HS256: 32, HS384: 48, HS512: 64 };

function contradictions({ values, secret, privateKey, names }: RegistrationDraft): string[] {
  const { clientAuthentication: method, idTokenAlgorithm, jar } = values;
  const found: string[] = [];
  const bySecret =
    method !== 'none' && method !== 'private_key_jwt' && !isTlsAuthentication(method);
  const isShared = isSymmetric(idTokenAlgorithm);
  if (bySecret && secret === undefined) {
    found.push(`${names.secret}: is not set. ${method ?? 'client_secret_basic'} needs it.`);
  }
  if (!bySecret && secret !== undefined && !isShared) {
    found.push(
      `${names.secret}: is set, and with ${names.clientAuthentication} ${method} nobody needs it. Remove one of them.`,
    );
  }
  if (method === 'private_key_jwt' && privateKey === undefined) {
    found.push(`${names.privateKey}: is not set. private_key_jwt needs it.`);
  }
  if (jar && privateKey === undefined) {
    found.push(`${names.privateKey}: is not set. ${names.jar} signs with it.`);
  }
  if (privateKey !== undefined && method !== 'private_key_jwt' && !jar) {
    found.push(
      `${names.privateKey}: is set, and nothing is signed with it. Set ${names.clientAuthentication} to private_key_jwt, or ${names.jar}, or remove it.`,
    );
  }
  const needed = hmacBytes[idTokenAlgorithm ?? ''] ?? 0;
  if (isShared && Buffer.byteLength(secret ?? '') < needed) {
    found.push(
      `${names.idTokenAlgorithm}: needs a client secret of ${String(needed)} bytes or more (RFC 7518 §3.2). Register an asymmetric algorithm instead.`,
    );
  }
  return found;
}
