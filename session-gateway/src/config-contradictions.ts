import { isLoopback } from '@sallyport/shared/runtime';
import { passwordIn } from './config-rules.js';
import type { GatewayVariables } from './config-schema.js';

type Values = Partial<GatewayVariables>;

/** Values that are good and do not go together; those that are not good are left out by the caller. */
export function contradictions(value: Values): string[] {
  return [...ofTimes(value), ...ofPorts(value), ...ofSecrets(value)];
}

function ofTimes(value: Values): string[] {
  const found: string[] = [];
  const { EXTAUTHZ_SESSION_TTL_SECONDS: idle, SESSION_ABSOLUTE_TTL_SECONDS: absolute } = value;
  if (idle !== undefined && absolute !== undefined && idle > absolute) {
    found.push(
      'EXTAUTHZ_SESSION_TTL_SECONDS: is longer than SESSION_ABSOLUTE_TTL_SECONDS. The idle time must fit into the absolute one.',
    );
  }
  const { REFRESH_BEFORE_EXPIRY_SECONDS: leeway } = value;
  if (idle !== undefined && leeway !== undefined && leeway >= idle) {
    found.push(
      'REFRESH_BEFORE_EXPIRY_SECONDS: is not shorter than EXTAUTHZ_SESSION_TTL_SECONDS. Tokens would be due whenever a session is used.',
    );
  }
  const { IDP_TIMEOUT_MS: timeout, REFRESH_RETRY_AFTER: wait } = value;
  if (timeout !== undefined && wait !== undefined && wait !== 0 && wait <= timeout) {
    found.push(
      'REFRESH_RETRY_AFTER: is not longer than IDP_TIMEOUT_MS. A second replica would send a refresh token that is still under way.',
    );
  }
  return found;
}

/** What is for operators must not be reachable where browsers are served (TRUST §6). */
function ofPorts({ GATEWAY_PORT: own, GATEWAY_MANAGEMENT_PORT: management }: Values): string[] {
  if (own === undefined || own === 0 || own !== management) return [];
  return [
    'GATEWAY_MANAGEMENT_PORT: is GATEWAY_PORT. Metrics and /internal need a port of their own.',
  ];
}

/** Whoever learns one secret must not have another with it. */
function ofSecrets(value: Values): string[] {
  const single = {
    IDP_CLIENT_SECRET: value.IDP_CLIENT_SECRET,
    REDIS_PASSWORD: value.REDIS_PASSWORD ?? passwordIn(value.REDIS_URL ?? ''),
  };
  const lists = {
    TOKEN_SEAL_KEYS: value.TOKEN_SEAL_KEYS,
    INTERNAL_API_TOKENS: value.INTERNAL_API_TOKENS,
  };
  const found: string[] = [];
  for (const [list, entries] of Object.entries(lists)) {
    const values = secretsIn(entries);
    for (const [name, secret] of Object.entries(single)) {
      if (secret !== undefined && values.some((one) => one.includes(secret))) {
        found.push(`${list}: holds ${name}. Every secret must be its own.`);
      }
    }
  }
  const tokens = secretsIn(lists.INTERNAL_API_TOKENS);
  // A key may be written with its padding.
  const keys = secretsIn(lists.TOKEN_SEAL_KEYS).map((key) => key.replace(/=+$/, ''));
  if (tokens.some((token) => keys.some((key) => token.includes(key)))) {
    found.push(
      'INTERNAL_API_TOKENS: holds a key of TOKEN_SEAL_KEYS. Every secret must be its own.',
    );
  }
  const { IDP_CLIENT_SECRET: client, REDIS_PASSWORD: redis } = single;
  if (client !== undefined && client === redis) {
    found.push('REDIS_PASSWORD: is IDP_CLIENT_SECRET. Every secret must be its own.');
  }
  return found;
}

/** Of a list of name:secret. */
function secretsIn(list: string | undefined): string[] {
  const entries = (list ?? '').split(',').map((entry) => entry.trim().replace(/^[^:]*:/, ''));
  return entries.filter((entry) => entry !== '');
}

/** What works and is probably not meant. */
export function cautions(
  env: Readonly<Record<string, string | undefined>>,
  publicOrigin: string,
): string[] {
  if ((env['GATEWAY_TRUSTED_PROXIES'] ?? '') !== '') return [];
  if (isLoopback(new URL(publicOrigin).hostname)) return [];
  return [
    'GATEWAY_TRUSTED_PROXIES: is not set, so only a proxy on this machine is believed. Logins that come through another one are not limited by address. List its addresses.',
  ];
}

/** Unless it is said, well beyond the time that a call which is still under way may take. */
export function retryAfter(
  value: Pick<GatewayVariables, 'REFRESH_RETRY_AFTER' | 'IDP_TIMEOUT_MS'>,
): number {
  return value.REFRESH_RETRY_AFTER || Math.max(15_000, 2 * value.IDP_TIMEOUT_MS);
}
