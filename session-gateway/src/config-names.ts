import { redisAliases } from '@sallyport/shared/runtime';

/** Names of Redis's settings besides their own, and those whose values may come from a file. */
export const redisRules = {
  aliases: redisAliases,
  secrets: ['REDIS_PASSWORD', 'REDIS_SENTINEL_PASSWORD', 'REDIS_URL'],
};

/** The same of all settings. */
export const rules = {
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
    'IDP_CLIENT_CERTIFICATE',
    'IDP_CLIENT_CERTIFICATE_KEY',
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
    'EXTAUTHZ_REDIS_WRITE_RIGHTS',
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
