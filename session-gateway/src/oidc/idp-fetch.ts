import { timed, type ObserveCall } from '../call-metrics.js';
import { correlationHeaders } from '../correlation.js';
import { readAtMost } from '../http/read-at-most.js';
import { IdentityProviderError } from './identity-provider-error.js';

/** A discovery document, a key set or a UserInfo answer is far below this. */
const maxAnswerBytes = 512 * 1024;

/** As openid-client passes it: with `undefined` for what it leaves out. */
type LooseRequestInit = { [Key in keyof RequestInit]?: RequestInit[Key] | undefined };

export type IdpFetch = (url: string, init: LooseRequestInit) => Promise<Response>;

/**
 * fetch for calls to the identity provider: whatever means "it cannot answer now" becomes one error,
 * and no answer may fill the memory. It carries the ids of what it is done for. Redirects are left to
 * openid-client, which follows none.
 */
export function idpFetch(observe?: ObserveCall): IdpFetch {
  return (url, init) => timed(observe, () => ask(url, init));
}

async function ask(url: string, init: LooseRequestInit): Promise<Response> {
  const headers = new Headers((init as RequestInit).headers);
  for (const [name, value] of Object.entries(correlationHeaders())) headers.set(name, value);
  let response: Response;
  try {
    response = await fetch(url, { ...init, headers } as RequestInit);
  } catch (error) {
    const timedOut = (error as Error).name === 'TimeoutError';
    throw new IdentityProviderError('idp_unreachable', timedOut ? 'timeout' : 'connect', {
      cause: error,
    });
  }
  const body = await readBody(response);
  if (response.status >= 500) {
    throw new IdentityProviderError('idp_unreachable', `http_${response.status}`);
  }
  return new Response(body.byteLength === 0 ? null : body, {
    status: response.status,
    statusText: response.statusText,
    headers: response.headers,
  });
}

async function readBody(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await readAtMost(response, maxAnswerBytes);
  } catch (error) {
    throw (error as { code?: unknown }).code === 'body_too_large'
      ? new IdentityProviderError('bad_idp_answer', 'too_large', { cause: error })
      : new IdentityProviderError('idp_unreachable', 'connect', { cause: error });
  }
}
