import { customFetch, type Configuration } from 'openid-client';
import type { Correlation } from '../correlation.js';
import type { DescribedProvider } from './provider-metadata.js';

export type CallableProvider = Pick<DescribedProvider, 'configuration' | 'fetch'>;

/**
 * A call of openid-client that carries the ids of what it is done for. openid-client has no argument
 * for them, but takes the fetch from the configuration before it first waits: it stands there for
 * that moment only, so that nobody else's call can find it. What openid-client asks later, its second
 * try with a new DPoP nonce (RFC 9449 §8), goes without ids.
 */
export function correlatedCall<T>(
  { configuration, fetch }: CallableProvider,
  correlation: Correlation | undefined,
  call: (configuration: Configuration) => Promise<T>,
): Promise<T> {
  if (correlation === undefined) return call(configuration);
  configuration[customFetch] = (url, init) => fetch(url, init, correlation);
  try {
    return call(configuration);
  } finally {
    configuration[customFetch] = fetch;
  }
}
