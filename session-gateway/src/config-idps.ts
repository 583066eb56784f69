import {
  commonValues,
  finishRegistration,
  type RegistrationDraft,
  type RegistrationNames,
} from './config-idp-draft.js';
import { readRegistrationsFile } from './config-registrations-file.js';
import type { GatewayVariables } from './config-schema.js';
import type { IdpRegistration } from './oidc/idp-registration.js';
import { profileDefaults } from './oidc/provider-profiles.js';

/** Every registration, and the one a browser without a choice is sent to. */
export interface Idps {
  readonly idps: readonly IdpRegistration[];
  readonly defaultIdp: string;
  /** Paths of the secrets, keys and certificates that the registrations file names. */
  readonly secretFiles: readonly string[];
}

const idOfVariables = 'idp';

const namesOfVariables: RegistrationNames = {
  clientAuthentication: 'IDP_CLIENT_AUTHENTICATION',
  secret: 'IDP_CLIENT_SECRET',
  privateKey: 'IDP_PRIVATE_KEY',
  certificate: 'IDP_CLIENT_CERTIFICATE',
  certificateKey: 'IDP_CLIENT_CERTIFICATE_KEY',
  idTokenAlgorithm: 'IDP_ID_TOKEN_ALGORITHM',
  jar: 'IDP_JAR',
  issuer: 'IDP_ISSUER_URI',
  claims: 'claims',
};

/** The registrations of the variables and of the file. @returns them, or every problem at once */
export function idpsFrom(
  value: GatewayVariables,
  publicOrigin: string,
): Idps | { readonly problems: readonly string[] } {
  const ownDraft = draftOfVariables(value, publicOrigin);
  const drafts = ownDraft === undefined ? [] : [ownDraft];
  const problems: string[] = [];
  let chosen: string | undefined;
  let secretFiles: readonly string[] = [];
  if (value.IDP_REGISTRATIONS_FILE !== undefined) {
    const file = readRegistrationsFile(value.IDP_REGISTRATIONS_FILE, value, publicOrigin);
    drafts.push(...file.drafts);
    problems.push(...file.problems);
    chosen = file.defaultIdp;
    secretFiles = file.secretFiles;
  }
  const idps = drafts.map((draft) => {
    const { registration, problems: own } = finishRegistration(draft);
    problems.push(...own);
    return registration;
  });
  problems.push(...doubled(idps), ...halves(value));
  const defaultIdp = chosen ?? defaultOf(idps);
  if (problems.length === 0 && !idps.some(({ id }) => id === defaultIdp)) {
    problems.push('IDP_REGISTRATIONS_FILE: default: is the id of no registration.');
  }
  return problems.length > 0 || defaultIdp === undefined
    ? { problems }
    : { idps, defaultIdp, secretFiles };
}

function defaultOf(idps: readonly IdpRegistration[]): string | undefined {
  return (idps.find(({ id }) => id === idOfVariables) ?? idps[0])?.id;
}

function draftOfVariables(
  value: GatewayVariables,
  publicOrigin: string,
): RegistrationDraft | undefined {
  const { IDP_ISSUER_URI: issuer, IDP_CLIENT_ID: clientId } = value;
  if (issuer === undefined || clientId === undefined) return undefined;
  return {
    names: namesOfVariables,
    values: {
      ...commonValues(value, publicOrigin),
      ...unlessSaid(value),
      ...{ id: idOfVariables, issuer, clientId },
    },
    ...(value.IDP_PROFILE === undefined ? {} : { profile: value.IDP_PROFILE }),
    ...(value.IDP_CLIENT_SECRET === undefined ? {} : { secret: value.IDP_CLIENT_SECRET }),
    ...(value.IDP_PRIVATE_KEY === undefined
      ? {}
      : {
          privateKey: {
            text: value.IDP_PRIVATE_KEY,
            ...(value.IDP_PRIVATE_KEY_ID === undefined ? {} : { keyId: value.IDP_PRIVATE_KEY_ID }),
            ...(value.IDP_PRIVATE_KEY_ALGORITHM === undefined
              ? {}
              : { algorithm: value.IDP_PRIVATE_KEY_ALGORITHM }),
          },
        }),
    ...(value.IDP_CLIENT_CERTIFICATE === undefined
      ? {}
      : { certificate: value.IDP_CLIENT_CERTIFICATE }),
    ...(value.IDP_CLIENT_CERTIFICATE_KEY === undefined
      ? {}
      : { certificateKey: value.IDP_CLIENT_CERTIFICATE_KEY }),
  };
}

/** What the profile says, where no variable does. */
function unlessSaid(value: GatewayVariables): Partial<IdpRegistration> {
  const { scopes, clientAuthentication, logoutUrlTemplate, ...rest } = profileDefaults(
    value.IDP_PROFILE,
  );
  return {
    ...rest,
    ...(scopes === undefined || value.IDP_SCOPES !== undefined ? {} : { scopes }),
    ...(clientAuthentication === undefined || value.IDP_CLIENT_AUTHENTICATION !== undefined
      ? {}
      : { clientAuthentication }),
    ...(logoutUrlTemplate === undefined || value.IDP_LOGOUT_URL_TEMPLATE !== undefined
      ? {}
      : { logoutUrlTemplate }),
  };
}

function doubled(idps: readonly IdpRegistration[]): string[] {
  const ids = idps.map(({ id }) => id);
  const clients = idps.map(({ issuer, clientId }) => JSON.stringify([issuer, clientId]));
  return [
    ...[...new Set(ids.filter((id, at) => ids.indexOf(id) !== at))].map(
      (id) =>
        `IDP_REGISTRATIONS_FILE: the id ${id} occurs twice. IDP_ISSUER_URI makes one of that name: ${idOfVariables}.`,
    ),
    // A logout token could not be told whose it is.
    ...idps
      .filter((_, at) => clients.indexOf(clients[at] ?? '') !== at)
      .map(({ id }) => `IDP_REGISTRATIONS_FILE: ${id} has issuer and clientId of another one.`),
  ];
}

/** Variables that belong to a registration which the others do not make. */
function halves(value: GatewayVariables): string[] {
  if (value.IDP_ISSUER_URI !== undefined && value.IDP_CLIENT_ID !== undefined) return [];
  const parts = [
    'IDP_ISSUER_URI',
    'IDP_CLIENT_ID',
    'IDP_CLIENT_SECRET',
    'IDP_PRIVATE_KEY',
    'IDP_CLIENT_CERTIFICATE',
    'IDP_CLIENT_CERTIFICATE_KEY',
  ] as const;
  return parts
    .filter((name) => value[name] !== undefined)
    .map(
      (name) =>
        `${name}: makes no registration without both IDP_ISSUER_URI and IDP_CLIENT_ID. Set them, or remove it.`,
    );
}
