import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  clearCookie,
  CookieGrammarError,
  cookieNameProblem,
  defaultSessionCookieName,
  isGatewayCookie,
  newSessionId,
  readSessionCookie,
  setCookie,
  type CookieAttributes,
} from '@sallyport/shared';

const name = defaultSessionCookieName;
const id = newSessionId();

describe('readSessionCookie', () => {
  it.each([
    [undefined, { outcome: 'absent' }],
    [`${name}=${id}`, { outcome: 'one', id }],
    [`${name}=${id}; ${name}=${id}`, { outcome: 'ambiguous' }],
    [`${name}=${id}x`, { outcome: 'malformed' }],
    [`${name}="${id}"`, { outcome: 'malformed' }],
    [`${name}=`, { outcome: 'malformed' }],
    [`${name}=${id},a=1`, { outcome: 'malformed' }],
  ])('reads %j', (header, reading) => {
    expect(readSessionCookie(header, name)).toEqual(reading);
  });
});

/** RFC 6265bis §5.6, as far as anything of ours goes: what a user agent makes of the header. */
function asBrowserReads(text: string): { pair: string[]; attributes: string[][] } {
  const split = (part: string): string[] => {
    const at = part.indexOf('=');
    const [left, right] = at === -1 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)];
    return [left.trim(), right.trim()];
  };
  const [pair = '', ...rest] = text.split(';');
  const attributes = rest.map(split).map(([key = '', value = '']) => [key.toLowerCase(), value]);
  return { pair: split(pair), attributes };
}

describe('setCookie', () => {
  it('gives what __Host- demands, always', () => {
    expect(setCookie(name, 'x', { sameSite: 'Strict' })).toBe(
      `${name}=x; Path=/; Secure; HttpOnly; SameSite=Strict`,
    );
    expect(setCookie('__Host-return', 'x', { sameSite: 'Lax', maxAgeSeconds: 600 })).toBe(
      '__Host-return=x; Max-Age=600; Path=/; Secure; HttpOnly; SameSite=Lax',
    );
  });

  it('reg-53: deletes with the same attributes', () => {
    expect(clearCookie(name, 'Strict')).toBe(
      `${name}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict`,
    );
  });

  it.each([
    ['a name that ends early', '__Host-a; Domain=evil.example', 'x', undefined, 'bad_cookie_name'],
    ['a name with a value of its own', '__Host-a=b', 'x', undefined, 'bad_cookie_name'],
    ['a name without the prefix', 'session', 'x', undefined, 'bad_cookie_name'],
    ['the prefix in another case', '__host-session', 'x', undefined, 'bad_cookie_name'],
    ['the prefix alone', '__Host-', 'x', undefined, 'bad_cookie_name'],
    ['an attribute in the value', name, 'x; Domain=evil.example', undefined, 'bad_cookie_value'],
    ['another header', name, 'x\r\nSet-Cookie: a=b', undefined, 'bad_cookie_value'],
    ['a second cookie behind a comma', name, 'x,a=b', undefined, 'bad_cookie_value'],
    ['a value that is not ASCII', name, 'ü', undefined, 'bad_cookie_value'],
    ['a time that is none', name, 'x', NaN, 'bad_max_age'],
    ['a time before now', name, 'x', -1, 'bad_max_age'],
  ])('reg-46: refuses %s and repeats nothing', (_what, cookie, value, maxAgeSeconds, code) => {
    const attributes = { sameSite: 'Lax', ...(maxAgeSeconds !== undefined && { maxAgeSeconds }) };
    const write = () => setCookie(cookie, value, attributes as CookieAttributes);
    expect(write).toThrow(expect.objectContaining({ code }));
    expect(write).not.toThrow('evil');
  });

  it('reg-46: writes what a browser reads as that cookie with those attributes, or nothing', () => {
    const plain = Array.from("ab9-_.!%~'");
    const hostile = Array.from('"=;, \\\t\r\n\0\u007f\u0080ü\u{1f36a}');
    const harmless = fc.string({ unit: fc.constantFrom(...plain), maxLength: 12 });
    const anything = fc.string({ unit: fc.constantFrom(...plain, ...hostile), maxLength: 12 });
    const text = fc.oneof(harmless, anything);
    const cookieName = fc.oneof(
      text.map((rest) => `__Host-${rest}`),
      text,
    );
    let written = 0;
    fc.assert(
      fc.property(cookieName, text, fc.option(fc.nat()), (cookie, value, maxAge) => {
        const age = maxAge === null ? {} : { maxAgeSeconds: maxAge };
        let header: string;
        try {
          header = setCookie(cookie, value, { sameSite: 'Strict', ...age });
        } catch (error) {
          expect(error).toBeInstanceOf(CookieGrammarError);
          return;
        }
        written += 1;
        expect(asBrowserReads(header)).toEqual({
          pair: [cookie, value],
          attributes: [
            ...(maxAge === null ? [] : [['max-age', String(maxAge)]]),
            ...[
              ['path', '/'],
              ['secure', ''],
              ['httponly', ''],
              ['samesite', 'Strict'],
            ],
          ],
        });
        expect(header).toMatch(/^[\x20-\x7e]+$/);
      }),
      { numRuns: 3000 },
    );
    expect(written).toBeGreaterThan(100);
  });
});

describe('isGatewayCookie', () => {
  it.each(['__Host-session', '__Host-sref', '__Host-return', '__Host-login-abc'])(
    'knows %s as ours',
    (cookie) => {
      expect(isGatewayCookie(cookie, name)).toBe(true);
    },
  );

  it.each(['a', 'session', '__host-session', '__Host-session2', '__Host-login'])(
    'leaves %s to the upstream',
    (cookie) => {
      expect(isGatewayCookie(cookie, name)).toBe(false);
    },
  );
});

describe('cookieNameProblem', () => {
  it.each(['__Host-session', '__Host-S_1-x'])('accepts %s', (cookie) => {
    expect(cookieNameProblem(cookie)).toBeUndefined();
  });

  it.each([
    ...['session', '__Secure-session', '__host-session', '__Host-', '__Host-a b', '__Host-a;b'],
    ...['__Host-a=b', `__Host-${'a'.repeat(49)}`, '__Host-sref', '__Host-return', '__Host-login-x'],
  ])('refuses %j', (cookie) => {
    expect(cookieNameProblem(cookie)).toBeDefined();
  });
});
