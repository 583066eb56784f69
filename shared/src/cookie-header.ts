/**
 * Our own strict reading of our own cookies, used by both services so that they can never disagree.
 * The cookie library keeps the first duplicate and percent-decodes (ATTACKS 38); both would let two
 * readers of one request see two sessions.
 */
export type CookieReading =
  | { readonly outcome: 'absent' }
  | { readonly outcome: 'one'; readonly value: string }
  /** Our name occurs more than once: which one the user means cannot be known. */
  | { readonly outcome: 'ambiguous' };

const absent: CookieReading = { outcome: 'absent' };
const ambiguous: CookieReading = { outcome: 'ambiguous' };

/**
 * The one value of `name` in a `Cookie` header (RFC 6265 §4.2.1), undecoded.
 *
 * Envoy joins two HTTP/1 Cookie lines with a comma (TRUST §0, fact 5), so a name behind a comma
 * counts as an occurrence; but alone it is only part of another cookie's value, and a sibling
 * domain that plants `a=1,__Host-session=x` must not lock a person out (ATTACKS 26).
 */
export function readCookie(header: string | undefined, name: string): CookieReading {
  if (header === undefined) return absent;
  let found: CookieReading = absent;
  let occurrences = 0;
  for (let at = header.indexOf(name); at !== -1; at = header.indexOf(name, at + name.length)) {
    const equals = skipBlanks(header, at + name.length);
    if (header.charCodeAt(equals) !== 0x3d) continue;
    const before = lastNonBlank(header, at - 1);
    const separator = before === -1 ? 0x3b : header.charCodeAt(before);
    if (separator !== 0x3b && separator !== 0x2c) continue;
    occurrences += 1;
    if (occurrences > 1) return ambiguous;
    if (separator === 0x3b) {
      const end = header.indexOf(';', equals);
      found = {
        outcome: 'one',
        value: trimBlanks(header.slice(equals + 1, end === -1 ? undefined : end)),
      };
    }
  }
  return found;
}

/**
 * The header without any pair whose name `isOurs`, every other pair untouched byte for byte;
 * undefined when nothing is left. A pair that carries such a name behind a comma goes as a whole.
 * @param prefix what every name that is ours begins with: other pairs are passed over by it
 */
export function withoutCookies(
  header: string,
  prefix: string,
  isOurs: (name: string) => boolean,
): string | undefined {
  if (!header.includes(prefix)) return header;
  let rest: string | undefined;
  let taken = false;
  // Where the run of kept pairs under way begins: it is cut out in one piece.
  let kept = 0;
  for (let start = 0; start <= header.length;) {
    const semicolon = header.indexOf(';', start);
    const end = semicolon === -1 ? header.length : semicolon;
    if (holdsOurs(header, start, end, prefix, isOurs)) {
      taken = true;
      if (start > kept) rest = append(rest, header.slice(kept, start - 1));
      kept = end + 1;
    }
    start = end + 1;
  }
  if (!taken) return header;
  if (kept <= header.length) rest = append(rest, header.slice(kept));
  // RFC 9113 §8.2.1: a field value neither begins nor ends with a blank.
  const trimmed = trimBlanks(rest ?? '');
  return trimmed === '' ? undefined : trimmed;
}

function append(rest: string | undefined, pairs: string): string {
  return rest === undefined ? pairs : `${rest};${pairs}`;
}

/**
 * Whether one of the comma-separated parts between the bounds has a name of ours. Nothing is looked for
 * beyond them: to the end of the header for each of thousands of pairs, it would take a stranger's
 * request tens of milliseconds.
 */
function holdsOurs(
  header: string,
  start: number,
  end: number,
  prefix: string,
  isOurs: (name: string) => boolean,
): boolean {
  for (let at = start; at <= end;) {
    const stop = find(header, 0x2c, at, end);
    const name = skipBlanks(header, at);
    if (header.startsWith(prefix, name) && isOurs(nameIn(header, name, stop))) return true;
    at = stop + 1;
  }
  return false;
}

function nameIn(header: string, start: number, stop: number): string {
  return trimBlanks(header.slice(start, find(header, 0x3d, start, stop)));
}

/** Where the character first is, or `end` where it is not before that. */
function find(text: string, code: number, start: number, end: number): number {
  let at = start;
  while (at < end && text.charCodeAt(at) !== code) at += 1;
  return at;
}

/** Space and tab only: what `trim` takes beyond them belongs to the value. */
function trimBlanks(text: string): string {
  return text.slice(skipBlanks(text, 0), lastNonBlank(text, text.length - 1) + 1);
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) === 0x20 || text.charCodeAt(at) === 0x09) at += 1;
  return at;
}

function lastNonBlank(text: string, from: number): number {
  let at = from;
  while (at >= 0 && (text.charCodeAt(at) === 0x20 || text.charCodeAt(at) === 0x09)) at -= 1;
  return at;
}
