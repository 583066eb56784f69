import { z } from 'zod';
import { claimsSchema } from './config-claims-schema.js';
import {
  issuerProblem,
  placeholderProblem,
  secureUrlProblem,
  type Problem,
} from './config-rules.js';
import {
  asymmetricAlgorithms,
  callbackPaths,
  clientAuthentications,
  symmetricAlgorithms,
  tokenRevocationRules,
} from './oidc/idp-registration.js';
import { profileNames } from './oidc/provider-profiles.js';

/** Rules for single values of a registration, the same for a variable and for a field of the file. */
export function idpRules(devInsecure: boolean) {
  const text = (whatToGive: string, rule: (value: string) => Problem) =>
    z.string(whatToGive).superRefine((value, context) => {
      const message = rule(value);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    });
  const ownValue = (value: string) => (devInsecure ? undefined : placeholderProblem(value));
  const secureUrl = (value: string) => secureUrlProblem(value, devInsecure);
  return {
    issuer: text('Give the issuer of your identity provider.', (value) =>
      issuerProblem(value, devInsecure),
    ),
    clientId: text('Give the client id that the identity provider registered.', ownValue),
    secret: text('Set it or IDP_CLIENT_SECRET_FILE.', ownValue),
    clientAuthentication: z.enum(clientAuthentications, {
      error: `must be ${clientAuthentications.join(', ')}.`,
    }),
    keyId: z.string().regex(/^[\x21-\x7e]{1,255}$/, 'must be a key id without spaces.'),
    algorithm: z.enum(asymmetricAlgorithms, {
      error: `must be one of ${asymmetricAlgorithms.join(', ')}.`,
    }),
    idTokenAlgorithm: z.enum([...asymmetricAlgorithms, ...symmetricAlgorithms], {
      error: `must be one of ${[...asymmetricAlgorithms, ...symmetricAlgorithms].join(', ')}.`,
    }),
    profile: z.enum(profileNames, { error: `must be ${profileNames.join(', ')}.` }),
    scopes: z
      .string()
      .regex(
        /^(?=(?:.* )?openid(?: |$))[\x21-\x7e]+(?: [\x21-\x7e]+)*$/,
        'must be scopes with single spaces between them, openid among them.',
      ),
    audience: z
      .string()
      .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 characters without spaces.'),
    callbackPath: z.enum(callbackPaths, { error: `must be ${callbackPaths.join(', ')}.` }),
    revokeTokens: z.enum(tokenRevocationRules, {
      error: `must be ${tokenRevocationRules.join(', ')}.`,
    }),
    logoutReturnTo: text('', secureUrl),
    logoutUrlTemplate: text('', secureUrl),
  };
}

const onOff = z.boolean({ error: 'must be true or false.' });
const path = z.string('must be the path of a file.').min(1, 'must be the path of a file.');

/** IDP_REGISTRATIONS_FILE. What a registration leaves out is as the variable of that name says. */
export function registrationsFileSchema(devInsecure: boolean) {
  const rules = idpRules(devInsecure);
  const registration = z.strictObject(
    {
      id: z
        .string('must be the {idp} of the login address.')
        .regex(
          /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/,
          'must be 1 to 32 lower-case letters, digits and inner hyphens: it is the {idp} of the login address.',
        ),
      profile: rules.profile.optional(),
      issuer: rules.issuer,
      clientId: rules.clientId,
      clientAuthentication: rules.clientAuthentication.optional(),
      clientSecretFile: path.optional(),
      privateKeyFile: path.optional(),
      privateKeyId: rules.keyId.optional(),
      privateKeyAlgorithm: rules.algorithm.optional(),
      clientCertificateFile: path.optional(),
      clientCertificateKeyFile: path.optional(),
      idTokenAlgorithm: rules.idTokenAlgorithm.optional(),
      scopes: rules.scopes.optional(),
      audience: rules.audience.optional(),
      maxAgeSeconds: z
        .int('must be a whole number of seconds.')
        .min(0, 'must be 0 or more seconds.')
        .max(31_536_000, 'must be a year at most, in seconds.')
        .optional(),
      par: onOff.optional(),
      jar: onOff.optional(),
      dpop: onOff.optional(),
      callbackPath: rules.callbackPath.optional(),
      logoutReturnTo: rules.logoutReturnTo.optional(),
      logoutUrlTemplate: rules.logoutUrlTemplate.optional(),
      logoutTokenStrict: onOff.optional(),
      revokeTokens: rules.revokeTokens.optional(),
      userInfoOnRefresh: onOff.optional(),
      claims: claimsSchema.optional(),
    },
    { error: unknownField },
  );
  return z.strictObject(
    {
      default: z.string('must be the id of a registration.').optional(),
      registrations: z
        .array(registration, 'must be a list of registrations.')
        .min(1, 'must hold at least one registration.'),
    },
    { error: unknownField },
  );
}

export type RegistrationsFile = z.output<ReturnType<typeof registrationsFileSchema>>;

/** Fields in which people would look for what we keep elsewhere. */
const elsewhere: Readonly<Record<string, string>> = {
  clientSecret: 'Secrets stand in files of their own: give clientSecretFile.',
  clientCertificate: 'Certificates stand in files of their own: give clientCertificateFile.',
  clientCertificateKey: 'Keys stand in files of their own: give clientCertificateKeyFile.',
  privateKey: 'Keys stand in files of their own: give privateKeyFile.',
};

function unknownField(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== 'unrecognized_keys') return 'must be an object.';
  const keys = (issue as { keys?: string[] }).keys ?? [];
  return keys
    .map((key) => `has a field ${key} that is not known. ${elsewhere[key] ?? 'Is it misspelt?'}`)
    .join(' Also ');
}
