/**
 * Whether a path means the same to everyone. A path that some upstream, proxy or framework would
 * read as another one cannot be judged by a rule, so it is refused whatever the rules say (TRUST T3).
 */
export type PathReading =
  /** May be compared as it stands. */
  | 'plain'
  /** Percent-encoded, and unambiguous once decoded. */
  | 'encoded'
  | 'ambiguous';

const slash = 0x2f;
const backslash = 0x5c;
const dot = 0x2e;
const percent = 0x25;

/**
 * Characters that Unicode's compatibility folding (NFKC) turns into a slash, a backslash, a
 * semicolon or a dot segment; a test compares the list with the engine's own tables. Beside them
 * what some parsers take for a line end or drop.
 */
const foldedByUpstreams = new Set(
  [
    0x37e, 0x2024, 0x2025, 0x2100, 0x2101, 0x2105, 0x2106, 0xfe14, 0xfe30, 0xfe52, 0xfe54, 0xfe68,
    0xff0e, 0xff0f, 0xff1b, 0xff3c, 0x2028, 0x2029, 0xfeff,
  ].map((code) => String.fromCharCode(code)),
);

/** What a character is, by its code: the scan looks it up rather than comparing ranges. */
const ordinary = 0;
const refused = 1;
const kinds = Uint8Array.from({ length: 0x80 }, (_, code) =>
  code <= 0x20 || code === 0x7f || isDelimiter(code) ? refused : ordinary,
);
for (const code of [slash, dot, percent]) kinds[code] = code;

/** Reads a path without its query, in one pass. */
export function readPath(path: string): PathReading {
  const { length } = path;
  if (path.charCodeAt(0) !== slash) return 'ambiguous';
  let encoded = false;
  // Where the segment under way begins, and whether it has had only dots so far.
  let start = 1;
  let onlyDots = true;
  for (let at = 1; at < length; at += 1) {
    const code = path.charCodeAt(at);
    const kind = code < 0x80 ? kinds[code] : refused;
    if (kind === ordinary) onlyDots = false;
    else if (kind === slash) {
      // An empty segment or one of dots only.
      if (onlyDots) return 'ambiguous';
      start = at + 1;
      onlyDots = true;
    } else if (kind === percent) {
      if (!isHonestEscape(path, at)) return 'ambiguous';
      onlyDots = false;
      encoded = true;
      at += 2;
    } else if (kind !== dot) return 'ambiguous';
  }
  if (onlyDots && start < length) return 'ambiguous';
  if (!encoded) return 'plain';
  return decodedPath(path) === undefined ? 'ambiguous' : 'encoded';
}

/**
 * More marks on one letter than any text has (UAX #15, Stream-Safe Text). To put thousands in order takes
 * quadratic time, and it is a stranger who sends them.
 */
const longMarkRun = /\p{M}{31}/u;

/**
 * The path as the rules compare it: decoded, in Unicode's composed form. Undefined where it is not
 * UTF-8, has a character that some upstream folds into a structural one, or marks without end.
 */
export function decodedPath(path: string): string | undefined {
  let text: string;
  try {
    text = decodeURIComponent(path);
  } catch {
    return undefined;
  }
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x80) continue;
    if (code < 0xa0 || foldedByUpstreams.has(text.charAt(at))) return undefined;
  }
  return longMarkRun.test(text) ? undefined : text.normalize('NFC');
}

/** `%XX` that nobody decodes into structure, now or in a second round, and that had to be written so. */
function isHonestEscape(path: string, at: number): boolean {
  const high = hexValue(path.charCodeAt(at + 1));
  const low = hexValue(path.charCodeAt(at + 2));
  if (high === -1 || low === -1) return false;
  const code = high * 16 + low;
  if (code === percent) return !continuesAnEscape(path, at + 3);
  if (code < 0x20 || code === 0x7f || code === slash || isDelimiter(code)) return false;
  // RFC 3986 §2.3: no encoder writes these, and not every router takes them for the letter they are.
  return !isUnreserved(code);
}

/** Behind `%25`: what a second decoding would take for an escape, IIS's `%uXXXX` included. */
function continuesAnEscape(path: string, at: number): boolean {
  const code = path.charCodeAt(at);
  if (code === 0x75 || code === 0x55) return true;
  return hexValue(code) !== -1 && hexValue(path.charCodeAt(at + 1)) !== -1;
}

/** `;` begins path parameters that servlet containers cut off; `?` and `#` end a path. */
function isDelimiter(code: number): boolean {
  return code === 0x3b || code === 0x3f || code === 0x23 || code === backslash;
}

function isUnreserved(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x30 && code <= 0x39) ||
    code === 0x2d ||
    code === dot ||
    code === 0x5f ||
    code === 0x7e
  );
}

/** -1 where it is no hexadecimal digit, or past the end (NaN). */
function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
