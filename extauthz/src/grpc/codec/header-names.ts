import { inboundHeadersToStrip } from '@sallyport/shared';
import { decisiveHeaders } from '../../request-facts.js';

interface Candidate {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** An identity header: only its imitations with an underscore are looked for. */
  readonly identity: boolean;
}

/** A name that a decision reads, in a spelling that Envoy never writes. */
export const foreignSpelling = Symbol('foreign spelling');

const byLength: (readonly Candidate[] | undefined)[] = [];
for (const [names, identity] of [
  [decisiveHeaders, false],
  [inboundHeadersToStrip, true],
] as const) {
  for (const name of names) {
    const bytes = new TextEncoder().encode(name);
    byLength[bytes.length] = [...(byLength[bytes.length] ?? []), { name, bytes, identity }];
  }
}

/**
 * The header's name if a decision reads it, found without making a string of the others.
 * Upper case is refused for the names a decision reads: HTTP/2 and Envoy have none, and with it one
 * map could hold two cookies.
 */
export function nameOfInterest(
  bytes: Uint8Array,
  start: number,
  end: number,
): string | typeof foreignSpelling | undefined {
  const candidates = byLength[end - start];
  if (candidates === undefined) return undefined;
  for (const candidate of candidates) {
    const spelling = compare(bytes, start, candidate);
    if (spelling === 'exact') return candidate.identity ? undefined : candidate.name;
    if (spelling === 'cased') return candidate.identity ? undefined : foreignSpelling;
    if (spelling === 'underscored') return candidate.name.replaceAll('-', '_');
  }
  return undefined;
}

const underscore = 0x5f;
const hyphen = 0x2d;

function compare(
  bytes: Uint8Array,
  start: number,
  { bytes: name, identity }: Candidate,
): 'exact' | 'cased' | 'underscored' | undefined {
  let spelling: 'exact' | 'cased' | 'underscored' = 'exact';
  for (let index = 0; index < name.length; index += 1) {
    const byte = bytes[start + index] ?? 0;
    const wanted = name[index] ?? 0;
    if (byte === wanted) continue;
    if (byte >= 0x41 && byte <= 0x5a && (byte | 0x20) === wanted) {
      if (spelling === 'exact') spelling = 'cased';
    } else if (identity && byte === underscore && wanted === hyphen) spelling = 'underscored';
    else return undefined;
  }
  return spelling;
}
