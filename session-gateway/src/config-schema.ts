import {
  cookieNameProblem,
  defaultSessionCookieName,
  defaultSessionKeyPrefix,
  sessionKeyPrefixProblem,
} from '@sallyport/shared';
import { flag, logFormats, port, redisVariables, whole } from '@sallyport/shared/runtime';
import { z } from 'zod';
import { idpVariables } from './config-idp-variables.js';
import { parseCallers } from './http/callers.js';
import {
  commonPasswordProblem,
  originProblem,
  parseSealKeys,
  passwordIn,
  serviceUrlProblem,
  trustedProxiesProblem,
  type Problem,
} from './config-rules.js';

/** Switches that other variables' rules depend on. */
export interface Leniency {
  readonly devInsecure: boolean;
  readonly production: boolean;
  readonly permissionPlaintext: boolean;
  /** IDP_REGISTRATIONS_FILE is given: the variables need not make a registration. */
  readonly registrationsFile: boolean;
  /** IDP_CLIENT_AUTHENTICATION is one that needs a secret. */
  readonly usesSecret: boolean;
}

const seconds = { min: 60, max: 86_400, unit: 'seconds' };

/** Every variable, each with its own rule, so that one wrong value never hides another. */
export function gatewayVariables(leniency: Leniency) {
  const { devInsecure, production, permissionPlaintext } = leniency;
  const text = (whatToGive: string, rule: (value: string) => Problem) =>
    z.string(whatToGive).superRefine((value, context) => {
      const message = rule(value);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    });
  const unless = (isOptional: boolean, rule: z.ZodType<string, string>) =>
    isOptional ? rule.optional() : rule;
  return z.object({
    GATEWAY_PORT: port(8081),
    GATEWAY_MANAGEMENT_PORT: port(8091),
    PUBLIC_ORIGIN: text(
      'Give the origin that browsers see, such as https://app.acme.com.',
      (value) => originProblem(value, devInsecure),
    ),
    ...idpVariables(leniency),
    // With a file it may not be needed: see `withoutSource`.
    PERMISSION_SERVICE_URL: unless(
      leniency.registrationsFile,
      text('Give the base URL of the permission service.', (value) =>
        serviceUrlProblem(value, permissionPlaintext),
      ),
    ),
    PERMISSION_SERVICE_PLAINTEXT: z
      .enum(['acknowledged'], { error: 'may only be "acknowledged".' })
      .optional(),
    PERMISSION_SERVICE_TIMEOUT_MS: whole(2000, { min: 50, max: 30_000, unit: 'milliseconds' }),
    REFRESH_BEFORE_EXPIRY_SECONDS: whole(300, { min: 1, max: 3600, unit: 'seconds' }),
    // 0: chosen to suit IDP_TIMEOUT_MS.
    REFRESH_RETRY_AFTER: whole(0, { min: 0, max: 300_000, unit: 'milliseconds' }),
    PERMISSION_MAX_STALE_SECONDS: whole(900, { min: 1, max: 900, unit: 'seconds' }),
    TOKEN_SEAL_KEYS: text(
      'Set it or TOKEN_SEAL_KEYS_FILE: kid:key, 32 bytes in base64url.',
      (value) => parseSealKeys(value, devInsecure).problems.join(' Also ') || undefined,
    ),
    EXTAUTHZ_SESSION_TTL_SECONDS: whole(1800, seconds),
    SESSION_ABSOLUTE_TTL_SECONDS: whole(43_200, seconds),
    SESSION_LIMIT_PER_USER: whole(10, { min: 0, max: 1000, unit: 'sessions (0: any number)' }),
    EXTAUTHZ_SEND_EMAIL: flag(false),
    INTERNAL_API_TOKENS: text(
      '',
      (value) => parseCallers(value).problems.join(' Also ') || undefined,
    ).optional(),
    REDIS_REVOCATION_ACKS: z
      .string()
      .regex(/^[0-9]$/, 'must be a number of replicas, 0 to 9.')
      .transform(Number)
      .optional(),
    GATEWAY_TRUSTED_PROXIES: z
      .string()
      .default('127.0.0.0/8,::1')
      .superRefine((value, context) => {
        const message = trustedProxiesProblem(value);
        if (message !== undefined) context.addIssue({ code: 'custom', message });
      }),
    GATEWAY_CONFIRM_CROSS_SITE_LOGIN: flag(true),
    GATEWAY_LOGIN_RATE_LIMIT: whole(300, {
      min: 0,
      max: 1_000_000,
      unit: 'requests a minute (0: any number)',
    }),
    EXTAUTHZ_SESSION_KEY_PREFIX: text('', (value) =>
      sentence(sessionKeyPrefixProblem(value)),
    ).default(defaultSessionKeyPrefix),
    SESSION_KEY_FORM: z
      .enum(['hashed', 'raw'], { error: 'must be hashed or raw.' })
      .default('hashed'),
    SESSION_COOKIE_NAME: text('', (value) => sentence(cookieNameProblem(value))).default(
      defaultSessionCookieName,
    ),
    GATEWAY_REDIS_TIMEOUT_MS: whole(1000, { min: 50, max: 10_000, unit: 'milliseconds' }),
    GATEWAY_REDIS_PATIENCE_MS: whole(30_000, { min: 100, max: 30_000, unit: 'milliseconds' }),
    GATEWAY_ACTIVITY_CLAIM_AFTER_MS: whole(30_000, {
      min: 100,
      max: 600_000,
      unit: 'milliseconds',
    }),
    GATEWAY_DRAIN_WAIT_MS: whole(5000, { min: 0, max: 60_000, unit: 'milliseconds' }),
    GATEWAY_DRAIN_DEADLINE_MS: whole(20_000, { min: 100, max: 120_000, unit: 'milliseconds' }),
    LOG_LEVEL: z
      .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
        error: 'must be fatal, error, warn, info, debug, trace or silent.',
      })
      .default('info'),
    LOG_FORMAT: z
      .enum(logFormats, { error: `must be ${logFormats.join(' or ')}.` })
      .default('json'),
    AUDIT_LOG_FILE: text('', (value) =>
      value.startsWith('/') ? undefined : 'must be an absolute path.',
    ).optional(),
    DEV_INSECURE: flag(false).refine(
      (on) => !(on && production),
      'is refused with NODE_ENV=production. Unset it.',
    ),
    ...redisVariables,
    REDIS_PASSWORD: text('', (value) =>
      devInsecure ? undefined : commonPasswordProblem(value),
    ).optional(),
    REDIS_URL: text('', (value) =>
      devInsecure ? undefined : commonPasswordProblem(passwordIn(value)),
    ).optional(),
  });
}

export type GatewayVariables = z.output<ReturnType<typeof gatewayVariables>>;

function sentence(problem: string | undefined): Problem {
  return problem === undefined ? undefined : `${problem}.`;
}
