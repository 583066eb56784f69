import { BlockList } from 'node:net';
import type { SessionKeyForm } from '@sallyport/shared';
import {
  ConfigError,
  parseEnv,
  redisAliases,
  redisConfig,
  type RedisConfig,
} from '@sallyport/shared/runtime';
import { idpsFrom, type Idps } from './config-idps.js';
import { parseSealKeys } from './config-rules.js';
import { gatewayVariables, type GatewayVariables } from './config-schema.js';
import { parseCallers, type Caller } from './http/callers.js';
import { parseTrustedProxies } from './http/device.js';
import type { IdpRegistration } from './oidc/idp-registration.js';
import type { SealKey } from './sealing/sealer.js';
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
  readonly permissionServiceUrl: string;
  readonly permissionTimeout: number;
  readonly sealKeys: readonly SealKey[];
  readonly lifetimes: SessionLifetimes;
  /** Per user and kind; 0: any number. */
  readonly sessionLimit: number;
  /** How many replicas must have a revocation before it counts as done. */
  readonly revocationAcks: number;
  /** Who may call the management port's `/internal`. */
  readonly internalCallers: readonly Caller[];
  readonly trustedProxies: BlockList;
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
  readonly devInsecure: boolean;
}

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
    'REDIS_PASSWORD',
    'REDIS_SENTINEL_PASSWORD',
    'REDIS_URL',
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
    'EXTAUTHZ_SEND_EMAIL',
    'EXTAUTHZ_SEND_KIND',
    'REDIS_ADDR',
    'REDIS_EXT_AUTHZ_PASSWORD',
  ],
};

/** @throws ConfigError with every problem at once. */
export function loadConfig(env: Readonly<Record<string, string | undefined>> = process.env): {
  config: Config;
  warnings: readonly string[];
} {
  const schema = gatewayVariables({
    devInsecure: /^(?:1|true|yes)$/.test(env['DEV_INSECURE'] ?? ''),
    production: env['NODE_ENV'] === 'production',
    permissionPlaintext: env['PERMISSION_SERVICE_PLAINTEXT'] === 'acknowledged',
    registrationsFile: (env['IDP_REGISTRATIONS_FILE'] ?? '') !== '',
    usesSecret: /^(?:client_secret_(?:basic|post))?$/.test(env['IDP_CLIENT_AUTHENTICATION'] ?? ''),
  });
  const { value, warnings } = parseEnv(schema, env, rules);
  const redis = redisConfig(value);
  const publicOrigin = new URL(value.PUBLIC_ORIGIN).origin;
  const idps = idpsFrom(value, publicOrigin);
  const problems = [
    ...contradictions(value),
    ...('problems' in idps ? idps.problems : reusedSecrets(value, idps)),
    ...('problems' in redis ? redis.problems : []),
  ];
  if (problems.length > 0 || 'problems' in redis || 'problems' in idps) {
    throw new ConfigError(problems);
  }
  return { warnings, config: shape(value, redis.config, idps, publicOrigin) };
}

function contradictions(value: GatewayVariables): string[] {
  const found: string[] = [];
  if (value.EXTAUTHZ_SESSION_TTL_SECONDS > value.SESSION_ABSOLUTE_TTL_SECONDS) {
    found.push(
      'EXTAUTHZ_SESSION_TTL_SECONDS: is longer than SESSION_ABSOLUTE_TTL_SECONDS. The idle time must fit into the absolute one.',
    );
  }
  if (retryAfter(value) <= value.IDP_TIMEOUT_MS) {
    found.push(
      'REFRESH_RETRY_AFTER: is not longer than IDP_TIMEOUT_MS. A second replica would send a refresh token that is still under way.',
    );
  }
  return found;
}

function reusedSecrets(value: GatewayVariables, { idps }: Idps): string[] {
  return idps.flatMap(({ id, clientSecret: secret }) => {
    if (secret === undefined) return [];
    const name = secret === value.IDP_CLIENT_SECRET ? 'IDP_CLIENT_SECRET' : `the secret of ${id}`;
    return (['TOKEN_SEAL_KEYS', 'INTERNAL_API_TOKENS'] as const)
      .filter((variable) => value[variable]?.includes(secret) === true)
      .map((variable) => `${variable}: holds ${name}. Every secret must be its own.`);
  });
}

/** Unless it is said, well beyond the time that a call which is still under way may take. */
function retryAfter(value: GatewayVariables): number {
  return value.REFRESH_RETRY_AFTER || Math.max(15_000, 2 * value.IDP_TIMEOUT_MS);
}

function shape(
  value: GatewayVariables,
  redis: RedisConfig,
  idps: Idps,
  publicOrigin: string,
): Config {
  return {
    port: value.GATEWAY_PORT,
    managementPort: value.GATEWAY_MANAGEMENT_PORT,
    publicOrigin,
    ...idps,
    idpMetadataRefresh: value.IDP_METADATA_REFRESH_SECONDS * 1000,
    permissionServiceUrl: value.PERMISSION_SERVICE_URL.replace(/\/+$/, ''),
    permissionTimeout: value.PERMISSION_SERVICE_TIMEOUT_MS,
    sealKeys: parseSealKeys(value.TOKEN_SEAL_KEYS, value.DEV_INSECURE).keys,
    lifetimes: {
      idleSeconds: value.EXTAUTHZ_SESSION_TTL_SECONDS,
      absoluteSeconds: value.SESSION_ABSOLUTE_TTL_SECONDS,
    },
    sessionLimit: value.SESSION_LIMIT_PER_USER,
    revocationAcks: value.REDIS_REVOCATION_ACKS ?? (redis.mode === 'standalone' ? 0 : 1),
    internalCallers:
      value.INTERNAL_API_TOKENS === undefined
        ? []
        : parseCallers(value.INTERNAL_API_TOKENS).callers,
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
    devInsecure: value.DEV_INSECURE,
  };
}
