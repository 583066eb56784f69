import { BlockList } from 'node:net';
import type { SessionKeyForm } from '@sallyport/shared';
import type { LogFormat, RedisConfig } from '@sallyport/shared/runtime';
import { retryAfter } from './config-contradictions.js';
import type { Idps } from './config-idps.js';
import { parseSealKeys } from './config-rules.js';
import type { GatewayVariables } from './config-schema.js';
import { parseCallers, type Caller } from './http/callers.js';
import { parseTrustedProxies } from './http/device.js';
import type { IdpRegistration } from './oidc/idp-registration.js';
import type { SealKey } from './sealing/key-ring.js';
import type { RefreshTiming } from './sessions/refresh-schedule.js';
import type { SessionLifetimes } from './sessions/session-store.js';

/** Every setting of the gateway. Durations without a unit in their name are milliseconds. */
export interface Config {
  readonly port: number;
  readonly managementPort: number;
  readonly publicOrigin: string;
  readonly idps: readonly IdpRegistration[];
  /** Where their secrets, keys and certificates may be replaced while we run. */
  readonly idpSecretFiles: readonly string[];
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

/** Of variables that have been judged good. */
export function shape(
  value: GatewayVariables,
  redis: RedisConfig,
  given: {
    readonly idps: Idps;
    readonly publicOrigin: string;
    readonly sealKeysFile: string | undefined;
    /** `IDP_CLIENT_SECRET_FILE`, `IDP_PRIVATE_KEY_FILE`, `IDP_CLIENT_CERTIFICATE_FILE` … */
    readonly idpSecretFiles: readonly string[];
  },
): Config {
  const { publicOrigin, sealKeysFile } = given;
  const { idps, defaultIdp, secretFiles } = given.idps;
  return {
    port: value.GATEWAY_PORT,
    managementPort: value.GATEWAY_MANAGEMENT_PORT,
    publicOrigin,
    idps,
    idpSecretFiles: [...given.idpSecretFiles, ...secretFiles],
    defaultIdp,
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
