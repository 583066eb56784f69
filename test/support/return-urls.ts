import { readFileSync } from 'node:fs';
import fc from 'fast-check';

/** The origin that stands in the corpus files. */
export const corpusOrigin = 'https://app.acme.test';

/** Return URLs that must be refused. */
export const refusedReturnUrls = corpus('return-urls.txt');
/** Return URLs that look hostile and are none. */
export const acceptedReturnUrls = corpus('return-urls-accepted.txt');

/** One JSON string body per line; lines that begin with `# ` are comments. */
function corpus(name: string): readonly string[] {
  return readFileSync(new URL(`../corpus/${name}`, import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => !line.startsWith('# '))
    .slice(0, -1)
    .map((line) => JSON.parse(`"${line.replaceAll('"', '\\"')}"`) as string);
}

/** Text made of what open redirects are made of, mostly with a slash in front. */
export function hostileReturnUrls(origin: string): fc.Arbitrary<string> {
  const slashes = ['/', '//', '\\', '%2f', '%5c', '%252f', '\uff0f', '\u2215'];
  const dots = ['.', '..', '%2e', '%2E%2e', '.%2e', '\u3002'];
  const marks = ['@', ':', '?', '#', ';', '&', '=', '%', '\t', '\n', '\r', ' ', '\0', '%00', '%09'];
  const words = ['https:', 'http:', 'javascript:', 'data:', 'evil.example', 'evil.example:443'];
  const routes = ['logout', 'auth', 'oauth2', 'login', 'user', '%6c', 'a', 'b'];
  const piece = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...slashes, ...dots) },
    { weight: 3, arbitrary: fc.constantFrom(...marks, ...words, ...routes, origin) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }) },
    { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 4 }) },
  );
  const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
  return fc.oneof(
    text,
    text.map((one) => `/${one}`),
    text.map((one) => `/a${one}`),
    text.map((one) => `${origin}/${one}`),
    text.map((one) => origin + one),
  );
}
