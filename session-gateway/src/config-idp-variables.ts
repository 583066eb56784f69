import { flag, whole } from '@sallyport/shared/runtime';
import { z } from 'zod';
import { idpRules } from './config-idp-schema.js';

/** The variables about identity providers: one registration, `idp`, and what all have in common. */
export function idpVariables(given: {
  readonly devInsecure: boolean;
  readonly registrationsFile: boolean;
  readonly usesSecret: boolean;
}) {
  const { devInsecure, registrationsFile, usesSecret } = given;
  const rules = idpRules(devInsecure);
  const unless = (isOptional: boolean, rule: z.ZodType<string, string>) =>
    isOptional ? rule.optional() : rule;
  return {
    IDP_ISSUER_URI: unless(registrationsFile, rules.issuer),
    IDP_CLIENT_ID: unless(registrationsFile, rules.clientId),
    IDP_CLIENT_SECRET: unless(registrationsFile || !usesSecret, rules.secret),
    IDP_REGISTRATIONS_FILE: z.string().optional(),
    IDP_CLIENT_AUTHENTICATION: rules.clientAuthentication.optional(),
    IDP_PRIVATE_KEY: z.string().optional(),
    IDP_PRIVATE_KEY_ID: rules.keyId.optional(),
    IDP_PRIVATE_KEY_ALGORITHM: rules.algorithm.optional(),
    IDP_CLIENT_CERTIFICATE: z.string().optional(),
    IDP_CLIENT_CERTIFICATE_KEY: z.string().optional(),
    IDP_ID_TOKEN_ALGORITHM: rules.idTokenAlgorithm.optional(),
    IDP_PROFILE: rules.profile.optional(),
    IDP_SCOPES: rules.scopes.optional(),
    IDP_AUDIENCE: rules.audience.optional(),
    IDP_MAX_AGE_SECONDS: z
      .string()
      .regex(/^[0-9]{1,8}$/, 'must be a whole number of seconds, 0 to 31536000.')
      .transform(Number)
      .refine((value) => value <= 31_536_000, 'must be a whole number of seconds, 0 to 31536000.')
      .optional(),
    IDP_PAR: flag(false),
    IDP_JAR: flag(false),
    IDP_DPOP: flag(false),
    IDP_CALLBACK_PATH: rules.callbackPath.default('/login/oauth2/code/{idp}'),
    IDP_LOGOUT_RETURN_TO: rules.logoutReturnTo.optional(),
    IDP_LOGOUT_URL_TEMPLATE: rules.logoutUrlTemplate.optional(),
    IDP_LOGOUT_TOKEN_STRICT: flag(false),
    IDP_REVOKE_TOKENS: rules.revokeTokens.default('logout'),
    IDP_USERINFO_ON_REFRESH: flag(false),
    IDP_TIMEOUT_MS: whole(5000, { min: 100, max: 30_000, unit: 'milliseconds' }),
    IDP_METADATA_REFRESH_SECONDS: whole(3600, { min: 1, max: 86_400, unit: 'seconds' }),
  };
}
