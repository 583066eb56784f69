import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { newSessionId, parseSessionHandle, parseSessionId, sessionHandle } from '@sallyport/shared';
import fc from 'fast-check';

describe('SessionId', () => {
  it('is 43 characters of base64url, never the same twice', () => {
    const ids = Array.from({ length: 1000 }, newSessionId);
    expect(new Set(ids).size).toBe(1000);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  it('parses back to itself', () => {
    const id = newSessionId();
    expect(parseSessionId(id)).toBe(id);
    expect(parseSessionHandle(id)).toBe(id);
  });

  it.each([
    ['one character short', 'a'.repeat(42)],
    ['one character long', 'a'.repeat(44)],
    ['a line break at the end', `${'a'.repeat(42)}\n`],
    ['a line break behind it', `${'a'.repeat(43)}\n`],
    ['padding', `${'a'.repeat(42)}=`],
    ['base64 instead of base64url', `${'a'.repeat(42)}+`],
    ['a brace', `${'a'.repeat(42)}}`],
    ['percent encoding', `%61${'a'.repeat(40)}`],
    ['a letter that only looks right', `${'a'.repeat(42)}а`],
    ['nothing', ''],
  ])('refuses %s', (_, text) => {
    expect(parseSessionId(text)).toBeUndefined();
  });

  it('accepts nothing but its grammar', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60, unit: 'binary' }), (text) => {
        expect(parseSessionId(text) !== undefined).toBe(/^[A-Za-z0-9_-]{43}$/.test(text));
      }),
    );
  });
});

describe('sessionHandle', () => {
  it('is the digest of the id, so that a key name is no credential', () => {
    const id = newSessionId();
    const handle = sessionHandle(id, 'hashed');
    expect(handle).toBe(createHash('sha256').update(id).digest('base64url'));
    expect(parseSessionHandle(handle)).toBe(handle);
  });

  it('is the id itself in the raw form', () => {
    const id = newSessionId();
    expect(sessionHandle(id, 'raw')).toBe(id);
  });
});
