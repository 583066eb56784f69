import { BlockList } from 'node:net';
import type { SessionKeyForm } from '@sallyport/shared';
import {
  ConfigError,
  nodeProblems,
  parseEnv,
  redisAliases,
  redisConfig,
  redisVariables,
  type LogFormat,
  type RedisConfig,
} from '@sallyport/shared/runtime';
import { z } from 'zod';
import { idpsFrom, type Idps } from './config-idps.js';
import { parseSealKeys } from './config-rules.js';
import { cautions, contradictions, retryAfter } from './config-contradictions.js';
import { gatewayVariables, type GatewayVariables } from './config-schema.js';
import { parseCallers, type Caller } from './http/callers.js';
import { parseTrustedProxies } from './http/device.js';
import type { IdpRegistration } from './oidc/idp-registration.js';
import { profileNames, profileOf } from './oidc/provider-profiles.js';
import type { SealKey } from './sealing/key-ring.js';
import type { RefreshTiming } from './sessions/refresh-schedule.js';
import type { SessionLifetimes } from './sessions/session-store.js';

/** Every setting of the gateway. Durations without a unit in their name are milliseconds. */
export interface Config {
  readonly port: number;
  readonly managementPort: number;
  readonly publicOrigin: string;
  readonly idps: readonly IdpRegistration[];
  /** The id of the one that a browser without a choice is sent to. */
  readonly defaultIdp: string;
  /** How old a provider's metadata may become. */
  readonly idpMetadataRefresh: number;
  /** Left out where every registration has its roles from claims alone. */
  readonly permissionServiceUrl?: string;
  readonly permissionTimeout: number;
  readonly sealKeys: readonly SealKey[];
  /** Where they may be replaced while we run. */
  readonly sealKeysFile?: string;
  /** Where audit events go; standard error if left out. */
  readonly auditLogFile?: string;
  readonly lifetimes: SessionLifetimes;
  /** Per user and kind; 0: any number. */
  readonly sessionLimit: number;
  /** Give the reader the email, for X-User-Email. */
  readonly shareEmail: boolean;
  /** How many replicas must have a revocation before it counts as done. */
  readonly revocationAcks: number;
  /** Who may call the management port's `/internal`. */
  readonly internalCallers: readonly Caller[];
  readonly trustedProxies: BlockList;
  /** Ask a person whom another site sent before a login begins. */
  readonly confirmCrossSiteLogin: boolean;
  /** Starts and callbacks of one client address in a minute; 0: any number. */
  readonly loginRateLimit: number;
  readonly refresh: RefreshTiming & {
    /** How long a refresh token that may be spent is left alone. */
    readonly retryAfter: number;
  };
  readonly keyPrefix: string;
  readonly keyForm: SessionKeyForm;
  readonly cookieName: string;
  readonly redis: RedisConfig;
  readonly redisTimeout: number;
  /** How long the start may wait for Redis. */
  readonly redisPatience: number;
  /** After how long a replica's unfinished activity reports are taken over. */
  readonly activityClaimAfter: number;
  readonly drainWait: number;
  readonly drainDeadline: number;
  readonly logLevel: string;
  readonly logFormat: LogFormat;
  readonly devInsecure: boolean;
}

const redisRules = {
  aliases: redisAliases,
  secrets: ['REDIS_PASSWORD', 'REDIS_SENTINEL_PASSWORD', 'REDIS_URL'],
};

const rules = {
  aliases: {
    ...redisAliases,
    AUTH0_CLIENT_ID: 'IDP_CLIENT_ID',
    AUTH0_CLIENT_SECRET: 'IDP_CLIENT_SECRET',
    AUTH0_ISSUER_URI: 'IDP_ISSUER_URI',
    SESSION_KEY_PREFIX: 'EXTAUTHZ_SESSION_KEY_PREFIX',
    SESSION_TTL_SECONDS: 'EXTAUTHZ_SESSION_TTL_SECONDS',
  },
  secrets: [
    'IDP_CLIENT_SECRET',
    'IDP_PRIVATE_KEY',
    'TOKEN_SEAL_KEYS',
    'INTERNAL_API_TOKENS',
    ...redisRules.secrets,
  ],
  ownPrefixes: ['SESSION_', 'EXTAUTHZ_', 'IDP_', 'GATEWAY_', 'REDIS_', 'PERMISSION_SERVICE_'],
  // The reader's, often set for both services in one place.
  alsoKnown: [
    'EXTAUTHZ_HTTP_PORT',
    'EXTAUTHZ_GRPC_PORT',
    'EXTAUTHZ_GRPC_REFLECTION',
    'EXTAUTHZ_HEALTH_PORT',
    'EXTAUTHZ_REDIS_DEADLINE_MS',
    'EXTAUTHZ_CHECK_DEADLINE_MS',
    'EXTAUTHZ_MAX_CONCURRENT_CHECKS',
    'EXTAUTHZ_DRAIN_WAIT_MS',
    'EXTAUTHZ_DRAIN_DEADLINE_MS',
    'EXTAUTHZ_TLS_CERT',
    'EXTAUTHZ_TLS_KEY',
    'EXTAUTHZ_TLS_CLIENT_CA',
    'EXTAUTHZ_TLS_RELOAD_MS',
    'EXTAUTHZ_POLICY_FILE',
    'EXTAUTHZ_TRUSTED_ORIGINS',
    'EXTAUTHZ_LOGIN_URL',
    'EXTAUTHZ_LOG_ALLOWS',
    'EXTAUTHZ_SEND_KIND',
    'REDIS_ADDR',
    'REDIS_EXT_AUTHZ_PASSWORD',
  ],
};

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws ConfigError with every problem at once. */
export function loadConfig(env: Environment = process.env): {
  config: Config;
  warnings: readonly string[];
} {
  const schema = gatewayVariables({
    devInsecure: /^(?:1|true|yes)$/.test(env['DEV_INSECURE'] ?? ''),
    production: env['NODE_ENV'] === 'production',
    permissionPlaintext: env['PERMISSION_SERVICE_PLAINTEXT'] === 'acknowledged',
    registrationsFile: (env['IDP_REGISTRATIONS_FILE'] ?? '') !== '',
    usesSecret: usesSecret(env),
  });
  const { value, warnings } = parseEnv(schema, env, rules, (part) => [
    ...contradictions(part),
    ...idpProblems(part, Object.keys(schema.shape)),
    ...redisProblems(env),
    ...nodeProblems(env),
  ]);
  const redis = redisConfig(value);
  const publicOrigin = new URL(value.PUBLIC_ORIGIN).origin;
  const idps = idpsFrom(value, publicOrigin);
  if ('problems' in redis) throw new ConfigError(redis.problems);
  if ('problems' in idps) throw new ConfigError(idps.problems);
  return {
    warnings: [...warnings, ...cautions(env, publicOrigin)],
    config: shape(value, redis.config, {
      idps,
      publicOrigin,
      sealKeysFile: env['TOKEN_SEAL_KEYS_FILE'],
    }),
  };
}

function usesSecret(env: Environment): boolean {
  const name = profileNames.find((one) => one === env['IDP_PROFILE']);
  const method = env['IDP_CLIENT_AUTHENTICATION'] || profileOf(name).clientAuthentication;
  return method === undefined || method.startsWith('client_secret_');
}

/**
 * Redis's settings as they are now: a secret's or a certificate's file may have been replaced since
 * the start. Undefined while they cannot be read, as in the middle of a rotation.
 */
export function currentRedisConfig(env: Environment = process.env): RedisConfig | undefined {
  try {
    const { value } = parseEnv(z.object(redisVariables), env, redisRules);
    const redis = redisConfig(value);
    return 'problems' in redis ? undefined : redis.config;
  } catch {
    return undefined;
  }
}

/** Apart from the others: what is wrong elsewhere must not hide what is wrong here. */
function redisProblems(env: Environment): readonly string[] {
  try {
    const redis = redisConfig(parseEnv(z.object(redisVariables), env, redisRules).value);
    return 'problems' in redis ? redis.problems : [];
  } catch {
    // Said by the variables themselves.
    return [];
  }
}

/**
 * Of registrations that the variables and the file make. Not judged while a single value is wrong:
 * that one is told first, and what follows from it would mislead.
 */
function idpProblems(part: Partial<GatewayVariables>, names: readonly string[]): readonly string[] {
  const needed = names.filter((name) => /^(?:IDP_|PUBLIC_ORIGIN$|DEV_INSECURE$)/.test(name));
  if (!needed.every((name) => Object.hasOwn(part, name))) return [];
  const value = part as GatewayVariables;
  const idps = idpsFrom(value, new URL(value.PUBLIC_ORIGIN).origin);
  return 'problems' in idps
    ? idps.problems
    : [...reusedSecrets(value, idps), ...withoutSource(value, idps)];
}

/** Roles must come from somewhere. */
function withoutSource(part: Partial<GatewayVariables>, { idps }: Idps): string[] {
  // A value that is not good is told as such.
  if (!Object.hasOwn(part, 'PERMISSION_SERVICE_URL')) return [];
  const asking = idps.find(({ claims }) => claims?.permissionService !== 'replace');
  return part.PERMISSION_SERVICE_URL !== undefined || asking === undefined
    ? []
    : [
        `PERMISSION_SERVICE_URL: is not set, and ${asking.id} needs it. Give the base URL of the permission service, or have the claims replace it.`,
      ];
}

/** The variables' own secret is held against the others by `contradictions`. */
function reusedSecrets(part: Partial<GatewayVariables>, { idps }: Idps): string[] {
  return idps.flatMap(({ id, clientSecret: secret }) => {
    if (secret === undefined || secret === part.IDP_CLIENT_SECRET) return [];
    return (['TOKEN_SEAL_KEYS', 'INTERNAL_API_TOKENS'] as const)
      .filter((variable) => part[variable]?.includes(secret) === true)
      .map((variable) => `${variable}: holds the secret of ${id}. Every secret must be its own.`);
  });
}

function shape(
  value: GatewayVariables,
  redis: RedisConfig,
  given: {
    readonly idps: Idps;
    readonly publicOrigin: string;
    readonly sealKeysFile: string | undefined;
  },
): Config {
  const { idps, publicOrigin, sealKeysFile } = given;
  return {
    port: value.GATEWAY_PORT,
    managementPort: value.GATEWAY_MANAGEMENT_PORT,
    publicOrigin,
    ...idps,
    idpMetadataRefresh: value.IDP_METADATA_REFRESH_SECONDS * 1000,
    ...(value.PERMISSION_SERVICE_URL === undefined
      ? {}
      : { permissionServiceUrl: value.PERMISSION_SERVICE_URL.replace(/\/+$/, '') }),
    permissionTimeout: value.PERMISSION_SERVICE_TIMEOUT_MS,
    sealKeys: parseSealKeys(value.TOKEN_SEAL_KEYS, value.DEV_INSECURE).keys,
    ...(sealKeysFile ? { sealKeysFile } : {}),
    ...(value.AUDIT_LOG_FILE === undefined ? {} : { auditLogFile: value.AUDIT_LOG_FILE }),
    lifetimes: {
      idleSeconds: value.EXTAUTHZ_SESSION_TTL_SECONDS,
      absoluteSeconds: value.SESSION_ABSOLUTE_TTL_SECONDS,
    },
    sessionLimit: value.SESSION_LIMIT_PER_USER,
    shareEmail: value.EXTAUTHZ_SEND_EMAIL,
    revocationAcks: value.REDIS_REVOCATION_ACKS ?? (redis.mode === 'standalone' ? 0 : 1),
    internalCallers:
      value.INTERNAL_API_TOKENS === undefined
        ? []
        : parseCallers(value.INTERNAL_API_TOKENS).callers,
    confirmCrossSiteLogin: value.GATEWAY_CONFIRM_CROSS_SITE_LOGIN,
    loginRateLimit: value.GATEWAY_LOGIN_RATE_LIMIT,
    trustedProxies: parseTrustedProxies(value.GATEWAY_TRUSTED_PROXIES) ?? new BlockList(),
    refresh: {
      leewaySeconds: value.REFRESH_BEFORE_EXPIRY_SECONDS,
      permFreshSeconds: value.PERMISSION_MAX_STALE_SECONDS,
      retryAfter: retryAfter(value),
    },
    keyPrefix: value.EXTAUTHZ_SESSION_KEY_PREFIX,
    keyForm: value.SESSION_KEY_FORM,
    cookieName: value.SESSION_COOKIE_NAME,
    redis,
    redisTimeout: value.GATEWAY_REDIS_TIMEOUT_MS,
    redisPatience: value.GATEWAY_REDIS_PATIENCE_MS,
    activityClaimAfter: value.GATEWAY_ACTIVITY_CLAIM_AFTER_MS,
    drainWait: value.GATEWAY_DRAIN_WAIT_MS,
    drainDeadline: value.GATEWAY_DRAIN_DEADLINE_MS,
    logLevel: value.LOG_LEVEL,
    logFormat: value.LOG_FORMAT,
    devInsecure: value.DEV_INSECURE,
  };
}
