import { inboundHeadersToStrip } from '@sallyport/shared';
import { decisiveHeaders, noHeaders, takeHeader, type InboundHeaders } from '../request-facts.js';

/**
 * What node:http asks of `request.headers` itself: a Host on HTTP/1.1 (RFC 9112 §3.2), an Expect
 * (RFC 9110 §10.1.1), and the TE of an HTTP/1.0 peer.
 */
export interface ProtocolHeaders {
  host: string | undefined;
  expect: string | undefined;
  te: string | undefined;
}

/** Lengths of the names that anybody looks at: most names need not be lower-cased at all. */
const lengths: boolean[] = [];
for (const { length } of [...decisiveHeaders, ...inboundHeadersToStrip, 'host', 'expect', 'te']) {
  lengths[length] = true;
}

/** From the raw lines: Node's own view drops a repeated Authorization silently. */
export function readHeaders(
  raw: readonly string[],
): readonly [decisive: InboundHeaders, protocol: ProtocolHeaders] {
  const decisive = noHeaders();
  const protocol: ProtocolHeaders = { host: undefined, expect: undefined, te: undefined };
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const line = raw[index] ?? '';
    if (lengths[line.length] !== true) continue;
    const name = line.toLowerCase();
    const value = raw[index + 1] ?? '';
    if (name === 'host' || name === 'expect' || name === 'te') protocol[name] ??= value;
    else takeHeader(decisive, name, value);
  }
  return [decisive, protocol];
}
