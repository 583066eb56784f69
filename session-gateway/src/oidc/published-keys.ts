import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose';
import type { ObserveCall } from '../call-metrics.js';
import { idpFetch } from './idp-fetch.js';

/**
 * A provider's key set: fetched when needed, once for all who wait; again for a key id it lacks, but
 * at most every 30 s, whatever key ids strangers make up (TRUST T14).
 */
export function publishedKeys(
  jwksUri: string,
  timeout: number,
  observe?: ObserveCall,
): JWTVerifyGetKey {
  return createRemoteJWKSet(new URL(jwksUri), {
    timeoutDuration: timeout,
    cooldownDuration: 30_000,
    cacheMaxAge: 600_000,
    [customFetch]: idpFetch(observe),
  });
}
