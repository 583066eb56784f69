import { inboundHeadersToStrip } from '@sallyport/shared';
import { decisiveHeaders, noHeaders, takeHeader, type InboundHeaders } from '../request-facts.js';

/** Lengths of the names that a decision looks at: most names need not be lower-cased at all. */
const lengths: boolean[] = [];
for (const { length } of [...decisiveHeaders, ...inboundHeadersToStrip]) lengths[length] = true;

/** From the raw lines: Node's own view drops a repeated Authorization silently. */
export function inboundHeaders(raw: readonly string[]): InboundHeaders {
  const headers = noHeaders();
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? '';
    if (lengths[name.length] === true) {
      takeHeader(headers, name.toLowerCase(), raw[index + 1] ?? '');
    }
  }
  return headers;
}
