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
}

/** The inbound headers a decision reads, an explicit list (TRUST §3, row 30). */
export interface InboundHeaders {
  cookie?: string;
  authorization?: string;
  'x-request-id'?: string;
  imitatesIdentity?: boolean;
}

const decisive = new Set<string>(['cookie', 'authorization', 'x-request-id']);
const identityNames = new Set<string>(inboundHeadersToStrip);

/**
 * Takes one header line in. Repeated lines are joined by a comma, as Envoy joins them for gRPC, so
 * that both transports see one text and neither drops a duplicate.
 * @param name lower case
 */
export function takeHeader(headers: InboundHeaders, name: string, value: string): void {
  if (decisive.has(name)) {
    const key = name as 'cookie' | 'authorization' | 'x-request-id';
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
  };
}
