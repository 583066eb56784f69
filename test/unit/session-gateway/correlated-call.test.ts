import { describe, expect, it } from '@jest/globals';
import * as client from 'openid-client';
import { newCorrelation, type Correlation } from '../../../session-gateway/src/correlation.js';
import { correlatedCall } from '../../../session-gateway/src/oidc/correlated-call.js';
import type { IdpFetch } from '../../../session-gateway/src/oidc/idp-fetch.js';

const issuer = 'https://login.acme.test';

/** A provider that revokes, and tells whose call each was by the token in it. */
function provider() {
  const calls: { readonly token: string | null; readonly of: Correlation | undefined }[] = [];
  const fetch: IdpFetch = (_url, init, of) => {
    calls.push({ token: (init.body as URLSearchParams).get('token'), of });
    return Promise.resolve(new Response(null, { status: 200 }));
  };
  const configuration = new client.Configuration(
    { issuer, revocation_endpoint: `${issuer}/revoke` },
    'sallyport',
    undefined,
    // As a signed assertion does: the call waits before it reaches the fetch.
    // eslint-disable-next-line @typescript-eslint/no-misused-promises -- openid-client awaits it
    async () => {
      await new Promise(setImmediate);
    },
  );
  configuration[client.customFetch] = fetch as client.CustomFetch;
  const revoke = (token: string, correlation?: Correlation) =>
    correlatedCall({ configuration, fetch }, correlation, (current) =>
      client.tokenRevocation(current, token),
    );
  return { calls, configuration, fetch, revoke };
}

describe('correlatedCall', () => {
  it('gives each of many calls at once its own ids, and none to those that have none', async () => {
    const { calls, revoke } = provider();
    const correlations = Array.from({ length: 20 }, () => newCorrelation());
    await Promise.all(
      correlations.flatMap((correlation, at) => [
        revoke(`of ${at}`, correlation),
        revoke(`of nobody after ${at}`),
      ]),
    );
    expect(calls).toHaveLength(40);
    for (const { token, of } of calls) {
      const own = correlations.find((_, at) => token === `of ${at}`);
      expect(of).toBe(own);
    }
  });

  it('leaves nothing behind, whatever becomes of the call', async () => {
    const { configuration, fetch, revoke } = provider();
    await revoke('one', newCorrelation());
    expect(configuration[client.customFetch]).toBe(fetch);
    const failing = () =>
      correlatedCall({ configuration, fetch }, newCorrelation(), () => {
        throw new Error('at once');
      });
    expect(failing).toThrow('at once');
    expect(configuration[client.customFetch]).toBe(fetch);
  });
});
