import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { chooseReturnUrl, safeReturnUrl } from '../../../session-gateway/src/http/return-url.js';

const origin = 'https://app.acme.test';
const hostile = readFileSync(new URL('../../corpus/return-urls.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => !line.startsWith('# '))
  .slice(0, -1)
  .map((line) => JSON.parse(`"${line.replaceAll('"', '\\"')}"`) as string);

describe('safeReturnUrl', () => {
  it('has a corpus to be judged by', () => {
    expect(hostile.length).toBeGreaterThan(150);
  });

  it.each(hostile.map((text) => [JSON.stringify(text), text]))('refuses %s', (_shown, text) => {
    expect(safeReturnUrl(text, origin)).toBeUndefined();
  });

  it.each([
    ['/', `${origin}/`],
    ['/accounts', `${origin}/accounts`],
    ['/accounts?tab=2&from=a%20b#top', `${origin}/accounts?tab=2&from=a%20b#top`],
    ['/search?q=a b', `${origin}/search?q=a%20b`],
    ['/a/../b', `${origin}/b`],
    ['/Zürich', `${origin}/Z%C3%BCrich`],
    ['/100%', `${origin}/100%`],
    ['/authors', `${origin}/authors`],
    ['/users', `${origin}/users`],
    ['/login', `${origin}/login`],
    ['/login?error=auth_failed', `${origin}/login?error=auth_failed`],
    ['/next?to=https://evil.example', `${origin}/next?to=https://evil.example`],
    ['/logout-help', `${origin}/logout-help`],
    [origin, `${origin}/`],
    [`${origin}/accounts`, `${origin}/accounts`],
  ])('takes %s', (text, expected) => {
    expect(safeReturnUrl(text, origin)).toBe(expected);
  });

  it('refuses nothing and the endless', () => {
    expect(safeReturnUrl(undefined, origin)).toBeUndefined();
    expect(safeReturnUrl(`/${'a'.repeat(3000)}`, origin)).toBeUndefined();
  });

  it('emits only what the URL parser finds on our origin, whatever comes in', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '/',
        '\\',
        '.',
        '..',
        '%2e',
        '%2f',
        '%5c',
        '//',
        '@',
        ':',
        '?',
        '#',
        ';',
        '\t',
      ),
      fc.constantFrom('https:', 'javascript:', 'evil.example', origin, 'logout', 'auth', '%6c'),
      fc.string({ unit: 'binary', maxLength: 4 }),
    );
    const candidate = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(
        fc.oneof(
          candidate,
          candidate.map((text) => `/${text}`),
        ),
        (text) => {
          const url = safeReturnUrl(text, origin);
          if (url === undefined) return;
          const parsed = new URL(url);
          expect(parsed.origin).toBe(origin);
          expect(parsed.href).toBe(url);
          expect(parsed.username + parsed.password).toBe('');
          expect(parsed.pathname).not.toMatch(/^\/\/|[\\\s]/);
          expect(parsed.pathname).not.toMatch(
            /^\/(?:logout|auth|oauth2|user|internal|actuator)(?:\/|$)/i,
          );
          expect(safeReturnUrl(url, origin)).toBe(url);
        },
      ),
      { numRuns: 5000 },
    );
  });
});

describe('chooseReturnUrl', () => {
  it('takes the first that is safe, else the front page', () => {
    expect(chooseReturnUrl(['/a', '/b'], origin)).toBe(`${origin}/a`);
    expect(chooseReturnUrl([undefined, '/b'], origin)).toBe(`${origin}/b`);
    expect(chooseReturnUrl(['//evil.example', '/b'], origin)).toBe(`${origin}/b`);
    expect(chooseReturnUrl(['//evil.example', undefined], origin)).toBe(`${origin}/`);
  });
});
