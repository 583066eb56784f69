import {
  cookieNameProblem,
  defaultSessionCookieName,
  defaultSessionKeyPrefix,
  sessionKeyPrefixProblem,
  type SessionKeyForm,
} from '@sallyport/shared';
import {
  ConfigError,
  flag,
  logFormats,
  nodeProblems,
  parseEnv,
  port,
  redisAliases,
  redisConfig,
  redisVariables,
  whole,
  type LogFormat,
  type RedisConfig,
} from '@sallyport/shared/runtime';
import { z } from 'zod';
import type { CertificateFiles } from './certificates.js';
import { edgeSettings, edgeVariables, type EdgeSettings } from './edge-settings.js';

/** Every setting of extauthz. */
export interface Config extends EdgeSettings {
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly healthPort: number;
  /** Whether the gRPC server describes itself. */
  readonly grpcReflection: boolean;
  readonly cookieName: string;
  readonly keyPrefix: string;
  readonly keyForm: SessionKeyForm;
  readonly redis: RedisConfig;
  /** It is known, and accepted, that our Redis account can do more than read sessions. */
  readonly mayWriteSessions: boolean;
  /** How long one read of a session may take before the answer is 503, ms. */
  readonly redisDeadline: number;
  /** Checks that may wait for Redis at once; more are shed with 503. */
  readonly maxConcurrentChecks: number;
  /** From a check's arrival to its answer, ms. */
  readonly checkDeadline: number;
  /** PEM files; absent = plain text behind the mesh. */
  readonly tls?: CertificateFiles;
  /** How often the certificate is read anew, ms. */
  readonly tlsReload: number;
  /** One allow in so many is logged, 0 = none. */
  readonly logAllows: number;
  /** Sessions kept in memory; 0 asks Redis for every check. */
  readonly cacheEntries: number;
  /** As the gateway has it: when activity is worth telling. */
  readonly idleSeconds: number;
  /** How long readiness is off before the listeners close, ms. */
  readonly drainWait: number;
  readonly drainDeadline: number;
  readonly logLevel: string;
  readonly logFormat: LogFormat;
}

const schema = z.object({
  EXTAUTHZ_HTTP_PORT: port(9002),
  EXTAUTHZ_GRPC_PORT: port(9001),
  EXTAUTHZ_HEALTH_PORT: port(8090),
  EXTAUTHZ_SESSION_KEY_PREFIX: z.string().default(defaultSessionKeyPrefix),
  SESSION_KEY_FORM: z
    .enum(['hashed', 'raw'], { error: 'must be hashed or raw.' })
    .default('hashed'),
  SESSION_COOKIE_NAME: z.string().default(defaultSessionCookieName),
  EXTAUTHZ_REDIS_WRITE_RIGHTS: z
    .enum(['acknowledged'], { error: 'may only be "acknowledged".' })
    .optional(),
  EXTAUTHZ_REDIS_DEADLINE_MS: whole(150, { min: 10, max: 400, unit: 'milliseconds' }),
  EXTAUTHZ_MAX_CONCURRENT_CHECKS: whole(1024, { min: 1, max: 100_000, unit: 'checks' }),
  EXTAUTHZ_CHECK_DEADLINE_MS: whole(250, { min: 20, max: 10_000, unit: 'milliseconds' }),
  EXTAUTHZ_TLS_CERT: z.string().optional(),
  EXTAUTHZ_TLS_KEY: z.string().optional(),
  EXTAUTHZ_TLS_CLIENT_CA: z.string().optional(),
  EXTAUTHZ_TLS_RELOAD_MS: whole(5000, { min: 50, max: 3_600_000, unit: 'milliseconds' }),
  EXTAUTHZ_GRPC_REFLECTION: flag(false),
  EXTAUTHZ_LOG_ALLOWS: whole(0, { min: 0, max: 1_000_000_000, unit: 'allows per line' }),
  SESSION_CACHE_MAX_ENTRIES: whole(100_000, { min: 0, max: 10_000_000, unit: 'sessions' }),
  EXTAUTHZ_SESSION_TTL_SECONDS: whole(1800, { min: 60, max: 86_400, unit: 'seconds' }),
  EXTAUTHZ_DRAIN_WAIT_MS: whole(5000, { min: 0, max: 60_000, unit: 'milliseconds' }),
  EXTAUTHZ_DRAIN_DEADLINE_MS: whole(20_000, { min: 100, max: 120_000, unit: 'milliseconds' }),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      error: 'must be fatal, error, warn, info, debug, trace or silent.',
    })
    .default('info'),
  LOG_FORMAT: z.enum(logFormats, { error: `must be ${logFormats.join(' or ')}.` }).default('json'),
  ...redisVariables,
  ...edgeVariables,
});

const rules = {
  aliases: {
    ...redisAliases,
    REDIS_EXT_AUTHZ_PASSWORD: 'REDIS_PASSWORD',
    HTTP_PORT: 'EXTAUTHZ_HTTP_PORT',
    HEALTH_PORT: 'EXTAUTHZ_HEALTH_PORT',
    SESSION_KEY_PREFIX: 'EXTAUTHZ_SESSION_KEY_PREFIX',
    SESSION_TTL_SECONDS: 'EXTAUTHZ_SESSION_TTL_SECONDS',
  },
  secrets: ['REDIS_PASSWORD', 'REDIS_SENTINEL_PASSWORD', 'REDIS_URL'],
  ownPrefixes: ['SESSION_', 'EXTAUTHZ_', 'REDIS_'],
  // The gateway's, often set for both services in one place.
  alsoKnown: ['REDIS_ADDR', 'SESSION_ABSOLUTE_TTL_SECONDS', 'REDIS_REVOCATION_ACKS'],
};

/** @throws ConfigError with every problem at once. */
export function loadConfig(env: Readonly<Record<string, string | undefined>> = process.env): {
  config: Config;
  warnings: readonly string[];
} {
  const { value, warnings } = parseEnv(schema, withRedisAddress(env), rules, () =>
    nodeProblems(env),
  );
  const redis = redisConfig(value);
  const problems = 'problems' in redis ? [...redis.problems] : [];
  const prefixProblem = sessionKeyPrefixProblem(value.EXTAUTHZ_SESSION_KEY_PREFIX);
  if (prefixProblem) problems.push(`EXTAUTHZ_SESSION_KEY_PREFIX: ${prefixProblem}.`);
  const cookieProblem = cookieNameProblem(value.SESSION_COOKIE_NAME);
  if (cookieProblem) problems.push(`SESSION_COOKIE_NAME: ${cookieProblem}.`);
  const edge = edgeSettings(value);
  problems.push(...edge.problems);
  const tls = certificateFiles(value, problems);
  if (problems.length > 0 || 'problems' in redis) throw new ConfigError(problems);
  return {
    warnings: [...warnings, ...edge.warnings],
    config: {
      ...edge.settings,
      httpPort: value.EXTAUTHZ_HTTP_PORT,
      grpcPort: value.EXTAUTHZ_GRPC_PORT,
      healthPort: value.EXTAUTHZ_HEALTH_PORT,
      grpcReflection: value.EXTAUTHZ_GRPC_REFLECTION,
      cookieName: value.SESSION_COOKIE_NAME,
      keyPrefix: value.EXTAUTHZ_SESSION_KEY_PREFIX,
      keyForm: value.SESSION_KEY_FORM,
      redis: redis.config,
      mayWriteSessions: value.EXTAUTHZ_REDIS_WRITE_RIGHTS !== undefined,
      redisDeadline: value.EXTAUTHZ_REDIS_DEADLINE_MS,
      maxConcurrentChecks: value.EXTAUTHZ_MAX_CONCURRENT_CHECKS,
      checkDeadline: value.EXTAUTHZ_CHECK_DEADLINE_MS,
      ...(tls === undefined ? {} : { tls }),
      tlsReload: value.EXTAUTHZ_TLS_RELOAD_MS,
      logAllows: value.EXTAUTHZ_LOG_ALLOWS,
      cacheEntries: value.SESSION_CACHE_MAX_ENTRIES,
      idleSeconds: value.EXTAUTHZ_SESSION_TTL_SECONDS,
      drainWait: value.EXTAUTHZ_DRAIN_WAIT_MS,
      drainDeadline: value.EXTAUTHZ_DRAIN_DEADLINE_MS,
      logLevel: value.LOG_LEVEL,
      logFormat: value.LOG_FORMAT,
    },
  };
}

function certificateFiles(
  value: z.output<typeof schema>,
  problems: string[],
): CertificateFiles | undefined {
  const path = (text: string | undefined) => text?.replace(/^file:(?:\/\/)?/, '');
  const cert = path(value.EXTAUTHZ_TLS_CERT);
  const key = path(value.EXTAUTHZ_TLS_KEY);
  const clientCa = path(value.EXTAUTHZ_TLS_CLIENT_CA);
  if (cert !== undefined && key !== undefined) {
    return { cert, key, ...(clientCa === undefined ? {} : { clientCa }) };
  }
  // Never plain text where somebody asked for TLS in part.
  if (cert !== key) {
    problems.push('EXTAUTHZ_TLS_CERT: goes together with EXTAUTHZ_TLS_KEY. Set both or neither.');
  } else if (clientCa !== undefined) {
    problems.push(
      'EXTAUTHZ_TLS_CLIENT_CA: needs EXTAUTHZ_TLS_CERT and EXTAUTHZ_TLS_KEY beside it.',
    );
  }
  return undefined;
}

/**
 * Redis's settings as they are now: a secret's or a certificate's file may have been replaced since
 * the start. Undefined while they cannot be read, as in the middle of a rotation.
 */
export function currentRedisConfig(
  env: Readonly<Record<string, string | undefined>> = process.env,
): RedisConfig | undefined {
  try {
    const { value } = parseEnv(z.object(redisVariables), withRedisAddress(env), rules);
    const redis = redisConfig(value);
    return 'problems' in redis ? undefined : redis.config;
  } catch {
    return undefined;
  }
}

/** The original's `REDIS_ADDR=host:port`. */
function withRedisAddress(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  const [, host, digits] = /^(.+):([0-9]{1,5})$/.exec(env['REDIS_ADDR'] ?? '') ?? [];
  return host === undefined ? { ...env } : { REDIS_HOST: host, REDIS_PORT: digits, ...env };
}
