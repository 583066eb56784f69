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
  cookie?: string;
  authorization?: string;
  origin?: string;
  accept?: string;
  'sec-fetch-site'?: string;
  'sec-fetch-mode'?: string;
  'sec-fetch-dest'?: string;
  'sec-fetch-user'?: string;
  'x-requested-with'?: string;
  'access-control-request-method'?: string;
  'x-request-id'?: string;
  traceparent?: string;
  imitatesIdentity?: boolean;
}

type Name = Exclude<keyof InboundHeaders, 'imitatesIdentity'>;

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
  'access-control-request-method',
  'x-request-id',
  'traceparent',
] as const satisfies readonly Name[];

const identityNames = new Set<string>(inboundHeadersToStrip);
const longestIdentityName = Math.max(...inboundHeadersToStrip.map((name) => name.length));

/**
 * Takes one header line in. Repeated lines are joined by a comma, as Envoy joins them for gRPC, so
 * that both transports see one text and neither drops a duplicate.
 * @param name lower case
 */
export function takeHeader(headers: InboundHeaders, name: string, value: string): void {
  if (isDecisive(name)) {
    const before = headers[name];
    headers[name] = before === undefined ? value : `${before},${value}`;
  } else if (
    name.length <= longestIdentityName &&
    name.includes('_') &&
    identityNames.has(name.replaceAll('_', '-'))
  ) {
    headers.imitatesIdentity = true;
  }
}

/** By length first: most headers of most requests are none of these, and are done with one compare. */
function isDecisive(name: string): name is Name {
  switch (name.length) {
    case 6:
      return name === 'cookie' || name === 'origin' || name === 'accept';
    case 11:
      return name === 'traceparent';
    case 12:
      return name === 'x-request-id';
    case 13:
      return name === 'authorization';
    case 14:
      return (
        name === 'sec-fetch-site' ||
        name === 'sec-fetch-mode' ||
        name === 'sec-fetch-dest' ||
        name === 'sec-fetch-user'
      );
    case 16:
      return name === 'x-requested-with';
    case 29:
      return name === 'access-control-request-method';
    default:
      return false;
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
    target,
    credential: readCredential(headers.cookie, headers.authorization, cookieName),
    cookie: headers.cookie,
    authorization: headers.authorization,
    headers,
    imitatesIdentity: headers.imitatesIdentity === true,
    requestId: headers['x-request-id'],
  };
}
