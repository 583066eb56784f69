import { inboundHeadersToStrip } from '@sallyport/shared';
import { readCredential, type Credential } from './credential.js';

/** All that a decision may depend on, in the same form for both transports. */
export interface RequestFacts {
  readonly method: string;
  /** As Envoy would forward it, without the query; not decoded. */
  readonly path: string;
  /** The path with its query: for return URLs, never for a decision or a log. */
  readonly target: string;
  readonly credential: Credential;
  readonly cookie: string | undefined;
  readonly authorization: string | undefined;
  readonly headers: InboundHeaders;
  /** A header that imitates an identity header in a spelling some upstream folds together. */
  readonly imitatesIdentity: boolean;
  /** For logs only. */
  readonly requestId: string | undefined;
}

/** The inbound headers a decision or its answer reads, an explicit list (TRUST §3, row 30). */
export interface InboundHeaders {
  cookie?: string | undefined;
  authorization?: string | undefined;
  origin?: string | undefined;
  accept?: string | undefined;
  'sec-fetch-site'?: string | undefined;
  'sec-fetch-mode'?: string | undefined;
  'sec-fetch-dest'?: string | undefined;
  'sec-fetch-user'?: string | undefined;
  'x-requested-with'?: string | undefined;
  'sec-websocket-version'?: string | undefined;
  'access-control-request-method'?: string | undefined;
  'x-request-id'?: string | undefined;
  traceparent?: string | undefined;
  imitatesIdentity?: boolean;
}

/** None yet. Every field is there from the start: one shape for all, and no store by a computed name. */
export function noHeaders(): InboundHeaders {
  return {
    cookie: undefined,
    authorization: undefined,
    origin: undefined,
    accept: undefined,
    'sec-fetch-site': undefined,
    'sec-fetch-mode': undefined,
    'sec-fetch-dest': undefined,
    'sec-fetch-user': undefined,
    'x-requested-with': undefined,
    'sec-websocket-version': undefined,
    'access-control-request-method': undefined,
    'x-request-id': undefined,
    traceparent: undefined,
    imitatesIdentity: false,
  };
}

export type DecisiveHeader = Exclude<keyof InboundHeaders, 'imitatesIdentity'>;

/** The names of `InboundHeaders`: both transports pick their lines by this list. */
export const decisiveHeaders = [
  'cookie',
  'authorization',
  'origin',
  'accept',
  'sec-fetch-site',
  'sec-fetch-mode',
  'sec-fetch-dest',
  'sec-fetch-user',
  'x-requested-with',
  'sec-websocket-version',
  'access-control-request-method',
  'x-request-id',
  'traceparent',
] as const satisfies readonly DecisiveHeader[];

const identityNames = new Set<string>(inboundHeadersToStrip);
const longestIdentityName = Math.max(...inboundHeadersToStrip.map((name) => name.length));

/**
 * Takes one header line in. Repeated lines are joined by a comma, as Envoy joins them for gRPC, so
 * that both transports see one text and neither drops a duplicate.
 *
 * By length first: most headers of most requests are none of these, and are done with one compare.
 * @param name lower case
 */
export function takeHeader(headers: InboundHeaders, name: string, value: string): void {
  switch (name.length) {
    case 6:
      if (name === 'cookie') headers.cookie = joined(headers.cookie, value);
      else if (name === 'accept') headers.accept = joined(headers.accept, value);
      else if (name === 'origin') headers.origin = joined(headers.origin, value);
      return;
    case 11:
      if (name === 'traceparent') headers.traceparent = joined(headers.traceparent, value);
      return;
    case 14:
      if (takeFetchMetadata(headers, name, value)) return;
      break;
    case 16:
      if (name === 'x-requested-with') {
        headers['x-requested-with'] = joined(headers['x-requested-with'], value);
      }
      return;
    case 21:
      if (name === 'sec-websocket-version') {
        headers['sec-websocket-version'] = joined(headers['sec-websocket-version'], value);
      }
      return;
    case 29:
      if (name === 'access-control-request-method') {
        const before = headers['access-control-request-method'];
        headers['access-control-request-method'] = joined(before, value);
      }
      return;
    case 12:
      if (name === 'x-request-id') {
        headers['x-request-id'] = joined(headers['x-request-id'], value);
        return;
      }
      break;
    case 13:
      if (name === 'authorization') {
        headers.authorization = joined(headers.authorization, value);
        return;
      }
      break;
  }
  if (isImitation(name)) headers.imitatesIdentity = true;
}

function takeFetchMetadata(headers: InboundHeaders, name: string, value: string): boolean {
  switch (name) {
    case 'sec-fetch-site':
    case 'sec-fetch-mode':
    case 'sec-fetch-dest':
    case 'sec-fetch-user':
      headers[name] = joined(headers[name], value);
      return true;
    default:
      return false;
  }
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before},${value}`;
}

function isImitation(name: string): boolean {
  return (
    name.length <= longestIdentityName &&
    name.includes('_') &&
    identityNames.has(name.replaceAll('_', '-'))
  );
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
    target,
    credential: readCredential(headers.cookie, headers.authorization, cookieName),
    cookie: headers.cookie,
    authorization: headers.authorization,
    headers,
    imitatesIdentity: headers.imitatesIdentity === true,
    requestId: headers['x-request-id'],
  };
}
