import { decodedPath, readPath } from './path.js';

/** A path pattern as the rule tree takes it, or why it cannot be one. */
export type PatternReading = { readonly pattern: string } | { readonly problem: string };

const maxSegments = 32;

/**
 * An exact path, or one with `*` for any one segment, or with `**` at its end for the path before it
 * and all below.
 */
export function readPattern(text: string): PatternReading {
  if (!text.startsWith('/')) return { problem: 'must start with /. Write /api/…' };
  if (text.includes('?')) {
    return { problem: 'holds a query. Rules see the path only: remove ? and what follows.' };
  }
  const segments = text.slice(1).split('/');
  if (segments.length > maxSegments) {
    return { problem: `has more than ${maxSegments} segments. End it with /** earlier.` };
  }
  for (const [index, segment] of segments.entries()) {
    if (segment === '*') continue;
    if (segment === '**') {
      if (index === segments.length - 1) continue;
      return { problem: 'has ** before its end. Use * for each segment in between.' };
    }
    if (segment.includes('*')) {
      return { problem: `has * inside the segment "${segment}". * stands for a whole segment.` };
    }
    if (segment.startsWith('{') || segment.startsWith(':')) {
      return { problem: `has the parameter "${segment}". Write * for any one segment.` };
    }
  }
  // An é may be written as it is: requests carry it percent-encoded, and both are compared decoded.
  const plain = text.replaceAll(/[^ -~]+/g, (run) => encodeURI(run));
  if (readPath(plain) === 'ambiguous') {
    return {
      problem:
        'can never match: requests with such a path are refused as ambiguous. Write it normalised, without //, dot segments, ; # \\ and needless escapes.',
    };
  }
  return { pattern: decodedPath(plain) ?? text };
}
