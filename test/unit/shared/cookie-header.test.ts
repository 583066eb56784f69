import { describe, expect, it } from '@jest/globals';
import { readCookie, withoutCookies, type CookieReading } from '@sallyport/shared';
import fc from 'fast-check';

const name = '__Host-session';

/** Slow and obvious: every part between separators, one after the other. */
function reference(header: string): CookieReading {
  const trim = (text: string) => text.replace(/^[ \t]+|[ \t]+$/g, '');
  const occurrences = header.split(';').flatMap((pair) =>
    pair.split(',').flatMap((part, index) => {
      const equals = part.indexOf('=');
      if (equals === -1 || trim(part.slice(0, equals)) !== name) return [];
      return [{ behindComma: index > 0, value: trim(pair.slice(pair.indexOf('=') + 1)) }];
    }),
  );
  const [only, second] = occurrences;
  if (second !== undefined) return { outcome: 'ambiguous' };
  if (only === undefined || only.behindComma) return { outcome: 'absent' };
  return { outcome: 'one', value: only.value };
}

const piece = fc.constantFrom(
  ...[
    name,
    name,
    `${name}x`,
    `x${name}`,
    '__host-session',
    'a',
    '=',
    '=',
    ';',
    '; ',
    ',',
    ' ',
    '\t',
  ],
  ...['"', '%3D', 'v1', 'v2', '__Host-', 'session', '\u00e9', '\0'],
);
const header = fc.array(piece, { maxLength: 24 }).map((pieces) => pieces.join(''));

describe('readCookie', () => {
  it.each<[string, string | undefined, CookieReading]>([
    ['no header', undefined, { outcome: 'absent' }],
    ['an empty header', '', { outcome: 'absent' }],
    ['another cookie', 'a=1', { outcome: 'absent' }],
    ['the cookie alone', `${name}=x`, { outcome: 'one', value: 'x' }],
    ['the cookie among others', `a=1; ${name}=x; b=2`, { outcome: 'one', value: 'x' }],
    ['HTTP/2 crumbs joined by "; "', `a=two; ${name}=x`, { outcome: 'one', value: 'x' }],
    ['blanks around it', `a=1;\t ${name} = x \t;b=2`, { outcome: 'one', value: 'x' }],
    ['an empty value', `${name}=`, { outcome: 'one', value: '' }],
    ['a value that is not decoded', `${name}=%41"`, { outcome: 'one', value: '%41"' }],
    ['a name without a value', `${name}; a=1`, { outcome: 'absent' }],
    ['a name that only ends like ours', `x${name}=x`, { outcome: 'absent' }],
    ['a name that only begins like ours', `${name}2=x`, { outcome: 'absent' }],
    ['another case', `__host-session=x`, { outcome: 'absent' }],
    ['our name as a value', `a=${name}=x`, { outcome: 'absent' }],
    ['two of them', `${name}=x; ${name}=y`, { outcome: 'ambiguous' }],
    ['the same twice', `${name}=x; ${name}=x`, { outcome: 'ambiguous' }],
    ['two, one of them empty', `${name}=; ${name}=x`, { outcome: 'ambiguous' }],
    [
      'two HTTP/1 lines that Envoy joined (TRUST §0.5)',
      `${name}=x,${name}=y`,
      { outcome: 'ambiguous' },
    ],
    ['ours, and a copy behind a comma', `a=1,${name}=x; ${name}=y`, { outcome: 'ambiguous' }],
    ['a copy behind a comma first', `${name}=y; a=1, ${name}=x`, { outcome: 'ambiguous' }],
    [
      'only a sibling’s forgery behind a comma (ATTACKS 26)',
      `a=1,${name}=x`,
      { outcome: 'absent' },
    ],
    ['something behind a comma in ours', `${name}=x,b=2`, { outcome: 'one', value: 'x,b=2' }],
  ])('reg-A38: reads %s', (_, text, reading) => {
    expect(readCookie(text, name)).toEqual(reading);
  });

  it('agrees with the slow and obvious way on any header', () => {
    fc.assert(
      fc.property(header, (text) => {
        expect(readCookie(text, name)).toEqual(reference(text));
      }),
      { numRuns: 5000 },
    );
  });

  it('reads 60 KiB of near misses in one pass', () => {
    const text = `${'__Host-sessio; '.repeat(4000)}${name}=x`;
    expect(readCookie(text, name)).toEqual({ outcome: 'one', value: 'x' });
  });
});

function referenceWithout(text: string): string | undefined {
  const blanks = /^[ \t]+|[ \t]+$/g;
  const pairs = text.split(';');
  const kept = pairs.filter((pair) =>
    pair.split(',').every((part) => part.split('=')[0]?.replace(blanks, '') !== name),
  );
  if (kept.length === pairs.length) return text;
  const rest = kept.join(';').replace(blanks, '');
  return rest === '' ? undefined : rest;
}

describe('withoutCookies', () => {
  const isOurs = (candidate: string) => candidate === name;

  it.each([
    ['keeps others byte for byte', `a=1;  b="x,y" ; c`, `a=1;  b="x,y" ; c`],
    ['takes ours from the front', `${name}=x; a=1`, 'a=1'],
    ['takes ours from the middle', `a=1; ${name}=x; b=2`, 'a=1; b=2'],
    ['takes ours from the end', `a=1; ${name}=x`, 'a=1'],
    ['takes a pair that hides ours behind a comma', `a=1,${name}=x; b=2`, 'b=2'],
    ['takes ours without a value', `${name}; b=2`, 'b=2'],
    ['leaves nothing of nothing but ours', `${name}=x; ${name}=y`, undefined],
  ])('%s', (_, text, rest) => {
    expect(withoutCookies(text, '__Host-', isOurs)).toBe(rest);
  });

  // A search to the end of the header for each of its pairs would take minutes, this a third of a second.
  it.each([
    ['pairs', `__Host-${';'.repeat(4_000_000)}`],
    ['pairs of two-byte text', `__Host-€${';'.repeat(4_000_000)}`],
    ['names that begin as ours', '__Host-a;'.repeat(800_000)],
    ['commas', `__Host-${','.repeat(4_000_000)}`],
  ])(
    'is done with millions of %s',
    async (_, text) => {
      expect(withoutCookies(text, '__Host-', isOurs)).toBe(text);
      // What never pauses cannot be interrupted: here jest looks at the clock.
      await new Promise((resolve) => setTimeout(resolve));
    },
    20_000,
  );

  it('agrees with the slow and obvious way on any header', () => {
    fc.assert(
      fc.property(header, (text) => {
        expect(withoutCookies(text, '__Host-', isOurs)).toBe(referenceWithout(text));
      }),
      { numRuns: 5000 },
    );
  });

  it('never leaves an occurrence of ours, and is idempotent', () => {
    fc.assert(
      fc.property(header, (text) => {
        const rest = withoutCookies(text, '__Host-', isOurs);
        expect(readCookie(rest, name)).toEqual({ outcome: 'absent' });
        if (rest !== undefined) expect(withoutCookies(rest, '__Host-', isOurs)).toBe(rest);
      }),
      { numRuns: 2000 },
    );
  });
});
