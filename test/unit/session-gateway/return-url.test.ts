import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { chooseReturnUrl, safeReturnUrl } from '../../../session-gateway/src/http/return-url.js';
import {
  acceptedReturnUrls,
  corpusOrigin as origin,
  hostileReturnUrls,
  refusedReturnUrls,
} from '../../support/return-urls.js';

describe('safeReturnUrl', () => {
  it('has a corpus to be judged by', () => {
    expect(refusedReturnUrls.length).toBeGreaterThan(240);
    expect(acceptedReturnUrls.length).toBeGreaterThan(130);
  });

  const shown = (texts: readonly string[]) => texts.map((text) => [JSON.stringify(text), text]);

  it.each(shown(refusedReturnUrls))('refuses %s', (_shown, text) => {
    expect(safeReturnUrl(text, origin)).toBeUndefined();
  });

  it.each(shown(acceptedReturnUrls))('takes %s as a place of ours', (_shown, text) => {
    const url = safeReturnUrl(text, origin);
    expect(url).toBe(new URL(text, origin).href);
    expect(new URL(url ?? '').origin).toBe(origin);
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

  it('reg-26, reg-45, reg-A19: emits only what the URL parser finds on our origin, whatever comes in', () => {
    let taken = 0;
    fc.assert(
      fc.property(hostileReturnUrls(origin), (text) => {
        const url = safeReturnUrl(text, origin);
        if (url === undefined) return;
        taken += 1;
        const parsed = new URL(url);
        expect(parsed.origin).toBe(origin);
        expect(parsed.href).toBe(url);
        expect(parsed.username + parsed.password).toBe('');
        expect(parsed.pathname).not.toMatch(/^\/\/|[\\\s]/);
        expect(parsed.pathname).not.toMatch(
          /^\/(?:logout|auth|oauth2|user|internal|actuator)(?:\/|$)/i,
        );
        expect(safeReturnUrl(url, origin)).toBe(url);
      }),
      { numRuns: 20_000 },
    );
    // Or the generator made nothing that is judged.
    expect(taken).toBeGreaterThan(1000);
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
