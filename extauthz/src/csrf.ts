import type { InboundHeaders } from './request-facts.js';

/** The origins whose pages may act with a person's cookie. */
export interface Origins {
  /** `PUBLIC_ORIGIN`, where it is set. */
  readonly own: string | undefined;
  readonly trusted: ReadonlySet<string>;
}

/**
 * Whether a request that came with a cookie could change something. A WebSocket handshake is a GET,
 * but opens a channel that no CORS rule guards. Every one names its version (RFC 6455 §4.1, and RFC
 * 8441 §5 over HTTP/2); browsers without fetch metadata, or on plain http, say nothing else of it.
 */
export function isUnsafe(method: string, headers: InboundHeaders): boolean {
  if (method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS') return true;
  return (
    headers['sec-websocket-version'] !== undefined || headers['sec-fetch-mode'] === 'websocket'
  );
}

/**
 * Whether the browser says that a page of ours sent it (DESIGN §3, ATTACKS 29). Repeated headers
 * arrive joined by a comma and so match nothing.
 */
export function provesOrigin(headers: InboundHeaders, { own, trusted }: Origins): boolean {
  const { origin } = headers;
  const site = headers['sec-fetch-site'];
  if (origin === undefined) return site === 'same-origin' || site === 'none';
  if (trusted.has(origin)) return true;
  // Whether an Origin is ours is not known here; what the browser makes of it is.
  if (own === undefined) return site === 'same-origin';
  return origin === own && (site === undefined || site === 'same-origin' || site === 'none');
}
