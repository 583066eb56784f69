import { inboundHeadersToStrip } from '@sallyport/shared';
import { readCredential, type Credential } from './credential.js';

/** All that a decision may depend on, in the same form for both transports. */
export interface RequestFacts {
  readonly method: string;
  /** As Envoy would forward it, without the query; not decoded. */
  readonly path: string;
  readonly credential: Credential;
  readonly cookie: string | undefined;
  readonly authorization: string | undefined;
  /** A header that imitates an identity header in a spelling some upstream folds together. */
  readonly imitatesIdentity: boolean;
  /** For logs only. */
  readonly requestId: string | undefined;
  /** For logs only. */
  readonly traceparent: string | undefined;
}

/** The inbound headers a decision reads, an explicit list (TRUST §3, row 30). */
export interface InboundHeaders {
  cookie?: string;
  authorization?: string;
  'x-request-id'?: string;
  traceparent?: string;
  imitatesIdentity?: boolean;
}

/** The names of `InboundHeaders`. */
export const decisiveHeaders = ['cookie', 'authorization', 'x-request-id', 'traceparent'] as const;

const decisive = new Set<string>(decisiveHeaders);
const identityNames = new Set<string>(inboundHeadersToStrip);

/**
 * Takes one header line in. Repeated lines are joined by a comma, as Envoy joins them for gRPC, so
 * that both transports see one text and neither drops a duplicate.
 * @param name lower case
 */
export function takeHeader(headers: InboundHeaders, name: string, value: string): void {
  if (decisive.has(name)) {
    const key = name as (typeof decisiveHeaders)[number];
    const before = headers[key];
    headers[key] = before === undefined ? value : `${before},${value}`;
  } else if (name.includes('_') && identityNames.has(name.replaceAll('_', '-'))) {
    headers.imitatesIdentity = true;
  }
}

export function requestFacts(
  method: string,
  target: string,
  headers: InboundHeaders,
  cookieName: string,
): RequestFacts {
  const query = target.indexOf('?');
  return {
    method,
    path: query === -1 ? target : target.slice(0, query),
    credential: readCredential(headers.cookie, headers.authorization, cookieName),
    cookie: headers.cookie,
    authorization: headers.authorization,
    imitatesIdentity: headers.imitatesIdentity === true,
    requestId: headers['x-request-id'],
    traceparent: headers.traceparent,
  };
}
