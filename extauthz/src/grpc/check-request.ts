import {
  requestFacts,
  takeHeader,
  type InboundHeaders,
  type RequestFacts,
} from '../request-facts.js';
import type { CheckRequest } from './messages.js';

/** The facts of a CheckRequest; undefined where Envoy sent no HTTP attributes (a TCP filter). */
export function factsOfCheckRequest(
  message: CheckRequest,
  cookieName: string,
): RequestFacts | undefined {
  const http = message.attributes?.request?.http;
  if (http === undefined || http === null) return undefined;
  const headers: InboundHeaders = {};
  for (const [name, value] of Object.entries(http.headers ?? {})) {
    takeHeader(headers, name.toLowerCase(), value);
  }
  return requestFacts(http.method ?? '', http.path ?? '', headers, cookieName);
}
