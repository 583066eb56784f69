import { systemClock, type Clock } from '@sallyport/shared';
import {
  ConfigError,
  nodeProblems,
  parseEnv,
  redisConfig,
  redisVariables,
  type RedisConfig,
} from '@sallyport/shared/runtime';
import { z } from 'zod';
import { cautions, contradictions } from './config-contradictions.js';
import { certificateCautions } from './config-idp-certificate.js';
import { idpProblems } from './config-idp-problems.js';
import { idpsFrom } from './config-idps.js';
import { redisRules, rules } from './config-names.js';
import { gatewayVariables } from './config-schema.js';
import { shape, type Config } from './config-shape.js';
import { profileNames, profileOf } from './oidc/provider-profiles.js';

export type { Config } from './config-shape.js';

const credentialFiles = [
  'IDP_CLIENT_SECRET_FILE',
  'IDP_PRIVATE_KEY_FILE',
  'IDP_CLIENT_CERTIFICATE_FILE',
  'IDP_CLIENT_CERTIFICATE_KEY_FILE',
];

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws ConfigError with every problem at once. */
export function loadConfig(
  env: Environment = process.env,
  clock: Clock = systemClock,
): {
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
    warnings: [
      ...warnings,
      ...cautions(env, publicOrigin),
      ...certificateCautions(idps.idps, clock()),
    ],
    config: shape(value, redis.config, {
      idps,
      publicOrigin,
      sealKeysFile: env['TOKEN_SEAL_KEYS_FILE'],
      idpSecretFiles: credentialFiles.flatMap((name) => env[name] || []),
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
