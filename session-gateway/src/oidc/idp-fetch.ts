import type { SecureContext } from 'node:tls';
import { timed, type ObserveCall } from '../call-metrics.js';
import { correlationHeaders, type Correlation } from '../correlation.js';
import { outboundCall, type OutboundAnswer, type OutboundCall } from '../http/outbound-call.js';
import { wholeResponse } from '../http/whole-response.js';
import { isCertificateAlert } from './certificate-alert.js';
import { IdentityProviderError } from './identity-provider-error.js';

/** A discovery document, a key set or a UserInfo answer is far below this. */
const maxAnswerBytes = 512 * 1024;

/** As openid-client passes it: with `undefined` for what it leaves out. */
type LooseRequestInit = { [Key in keyof RequestInit]?: RequestInit[Key] | undefined };

/** @param correlation whose ids the call carries */
export type IdpFetch = (
  url: string,
  init: LooseRequestInit,
  correlation?: Correlation,
) => Promise<Response>;

export interface IdpFetchOptions {
  readonly observe?: ObserveCall | undefined;
  /** What to show in the TLS handshake, asked for at each call. */
  readonly certificate?: () => SecureContext | undefined;
  /** Of the whole call, ms; left out where every caller brings a signal. */
  readonly timeout?: number;
}

/**
 * A fetch for calls to the identity provider: whatever means "it cannot answer now" becomes one error,
 * and no answer may fill the memory. Redirects are left to openid-client, which follows none.
 */
export function idpFetch(options: IdpFetchOptions = {}): IdpFetch {
  const { observe, certificate, timeout } = options;
  return (url, init, correlation) => {
    const own = {
      headers: correlationHeaders(correlation),
      ...(timeout === undefined ? {} : { timeout }),
    };
    return timed(observe, () => ask(url, init, own, certificate?.()));
  };
}

/** What a call has beside what openid-client asks for. */
type Own = Required<Pick<OutboundCall, 'headers'>> & Pick<OutboundCall, 'timeout'>;

async function ask(
  url: string,
  init: LooseRequestInit,
  own: Own,
  certificate: SecureContext | undefined,
): Promise<Response> {
  const { status, statusText, headers, body } = await answerOf(url, init, own, certificate);
  if (status >= 500) throw new IdentityProviderError('idp_unreachable', `http_${status}`);
  return wholeResponse(body, { status, statusText, headers });
}

async function answerOf(
  url: string,
  init: LooseRequestInit,
  own: Own,
  certificate: SecureContext | undefined,
): Promise<OutboundAnswer> {
  const { method, headers, body, signal } = init;
  const call = {
    ...(method === undefined ? {} : { method }),
    ...own,
    headers: { ...plainHeaders(headers), ...own.headers },
    ...(body === undefined || body === null ? {} : { body: formText(body) }),
    ...(signal === undefined || signal === null ? {} : { signal }),
    ...(certificate === undefined ? {} : { certificate }),
  };
  try {
    return await outboundCall(url, call, maxAnswerBytes);
  } catch (error) {
    const { code, name } = error as { code?: unknown; name?: unknown };
    if (code === 'body_too_large') {
      throw new IdentityProviderError('bad_idp_answer', 'too_large', { cause: error });
    }
    if (certificate !== undefined && isCertificateAlert(error)) {
      throw new IdentityProviderError('idp_unsuitable', 'client_certificate', { cause: error });
    }
    const detail = name === 'TimeoutError' ? 'timeout' : 'connect';
    throw new IdentityProviderError('idp_unreachable', detail, { cause: error });
  }
}

function plainHeaders(headers: LooseRequestInit['headers']): Record<string, string> {
  return Object.fromEntries(headers instanceof Headers ? headers : new Headers(headers));
}

/** openid-client sends forms and texts, with their content type among the headers. */
function formText(body: NonNullable<LooseRequestInit['body']>): string {
  if (typeof body === 'string') return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new TypeError('only a form or a text can be sent');
}
