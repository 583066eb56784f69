import { dirname } from 'node:path';
import type { z } from 'zod';
import {
  commonValues,
  type RegistrationDraft,
  type RegistrationNames,
} from './config-idp-draft.js';
import {
  readCredentials,
  readText,
  type CredentialTexts,
} from './config-registration-credentials.js';
import { doubledNames } from './doubled-json-names.js';
import type { ClaimRules } from './oidc/claim-grants.js';
import { profileDefaults, profileOf } from './oidc/provider-profiles.js';
import { registrationsFileSchema, type RegistrationsFile } from './config-idp-schema.js';
import { placeholderProblem } from './config-rules.js';
import type { GatewayVariables } from './config-schema.js';

export interface ReadRegistrations {
  readonly drafts: readonly RegistrationDraft[];
  readonly defaultIdp?: string;
  /** The paths of the secrets, keys and certificates that it names. */
  readonly secretFiles: readonly string[];
  /** Each with its place in the file. */
  readonly problems: readonly string[];
}

type FileRegistration = RegistrationsFile['registrations'][number];

const variable = 'IDP_REGISTRATIONS_FILE';

/** Reads the file and the secrets it names; their paths may be relative to its folder. */
export function readRegistrationsFile(
  file: string,
  value: GatewayVariables,
  publicOrigin: string,
): ReadRegistrations {
  const text = readText(file);
  if ('problem' in text) return failed([`${variable}: ${text.problem}`]);
  const json = parseJson(text.value);
  if ('problem' in json) return failed([`${variable}: ${json.problem}`]);
  const doubled = doubledNames(text.value);
  if (doubled.length > 0) {
    return failed(
      doubled.map(
        ({ name, line }) =>
          `${variable}: line ${String(line)}: ${presentable(name)} occurs twice in one object. Keep one of them.`,
      ),
    );
  }
  const parsed = registrationsFileSchema(value.DEV_INSECURE).safeParse(json.value);
  if (!parsed.success) {
    return failed(parsed.error.issues.map((issue) => `${variable}: ${described(issue)}`));
  }
  const problems: string[] = [];
  const secretFiles: string[] = [];
  const drafts = parsed.data.registrations.flatMap((registration, at) => {
    const place = (field: string) =>
      `${variable}: registrations[${String(at)}].${field} (${registration.id})`;
    const { texts, paths, problems: unread } = readCredentials(registration, dirname(file), place);
    secretFiles.push(...paths);
    const sample = value.DEV_INSECURE
      ? undefined
      : placeholderProblem(texts.clientSecretFile ?? '');
    const own = [
      ...unread,
      ...(sample === undefined ? [] : [`${place('clientSecretFile')}: ${sample}`]),
    ];
    problems.push(...own);
    // What could not be read must not be missed once more.
    if (own.length > 0) return [];
    return [draftOf(registration, place, texts, value, publicOrigin)];
  });
  const { default: defaultIdp } = parsed.data;
  return { drafts, secretFiles, problems, ...(defaultIdp === undefined ? {} : { defaultIdp }) };
}

function draftOf(
  registration: FileRegistration,
  place: (field: string) => string,
  texts: CredentialTexts,
  value: GatewayVariables,
  publicOrigin: string,
): RegistrationDraft {
  const { privateKeyId: keyId, privateKeyAlgorithm: algorithm } = registration;
  const { clientSecretFile: secret, privateKeyFile: keyText } = texts;
  const own = {
    id: registration.id,
    issuer: registration.issuer,
    clientId: registration.clientId,
    clientAuthentication: registration.clientAuthentication,
    idTokenAlgorithm: registration.idTokenAlgorithm,
    scopes: registration.scopes,
    audience: registration.audience,
    maxAge: registration.maxAgeSeconds,
    par: registration.par,
    jar: registration.jar,
    dpop: registration.dpop,
    callbackPath: registration.callbackPath,
    logoutReturnTo: registration.logoutReturnTo,
    logoutUrlTemplate: registration.logoutUrlTemplate,
    strictLogoutTokens: registration.logoutTokenStrict,
    revokeTokens: registration.revokeTokens,
    userInfoOnRefresh: registration.userInfoOnRefresh,
    claims: claimsOf(registration),
  };
  return {
    names: namesAt(place),
    values: {
      ...commonValues(value, publicOrigin),
      ...profileDefaults(registration.profile),
      ...withoutUndefined(own),
    },
    ...(registration.profile === undefined ? {} : { profile: registration.profile }),
    ...(secret === undefined ? {} : { secret }),
    ...(keyText === undefined
      ? {}
      : { privateKey: { text: keyText, ...withoutUndefined({ algorithm, keyId }) } }),
    ...(texts.clientCertificateFile === undefined
      ? {}
      : { certificate: texts.clientCertificateFile }),
    ...(texts.clientCertificateKeyFile === undefined
      ? {}
      : { certificateKey: texts.clientCertificateKeyFile }),
  };
}

function namesAt(place: (field: string) => string): RegistrationNames {
  return {
    clientAuthentication: place('clientAuthentication'),
    secret: place('clientSecretFile'),
    privateKey: place('privateKeyFile'),
    certificate: place('clientCertificateFile'),
    certificateKey: place('clientCertificateKeyFile'),
    idTokenAlgorithm: place('idTokenAlgorithm'),
    jar: place('jar'),
    issuer: place('issuer'),
    claims: place('claims'),
  };
}

function claimsOf({ claims, profile }: FileRegistration): ClaimRules | undefined {
  const { rolesClaim: roles } = profileOf(profile);
  return roles === undefined || claims === undefined ? claims : { roles, ...claims };
}

type Defined<T> = { [Key in keyof T]: Exclude<T[Key], undefined> };

function withoutUndefined<T extends object>(given: T): Defined<T> {
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  ) as Defined<T>;
}

function parseJson(text: string): { readonly value: unknown } | { readonly problem: string } {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    // The parser's own words quote the file.
    const [, position] = /position ([0-9]+)/.exec((error as Error).message) ?? [];
    const line = text.slice(0, Number(position ?? text.length)).split('\n').length;
    return { problem: `line ${String(line)}: is not JSON. A comma or a bracket is wrong near it.` };
  }
}

function described(issue: z.core.$ZodIssue): string {
  const place = issue.path
    .map((step) => (typeof step === 'number' ? `[${String(step)}]` : `.${String(step)}`))
    .join('')
    .replace(/^\./, '');
  return place === '' ? issue.message : `${place}: ${issue.message}`;
}

/** A secret may stand where a name should. */
function presentable(name: string): string {
  return /^[A-Za-z]{1,32}$/.test(name) ? name : 'a name';
}

function failed(problems: readonly string[]): ReadRegistrations {
  return { drafts: [], secretFiles: [], problems };
}
