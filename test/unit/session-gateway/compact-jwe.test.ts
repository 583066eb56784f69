import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CompactEncrypt, compactDecrypt } from 'jose';
import {
  decryptCompact,
  encryptCompact,
  protectedHeaderOf,
} from '../../../session-gateway/src/sealing/compact-jwe.js';

const key = new Uint8Array(randomBytes(32));
const header = { kid: 'k1', place: 'here' };
/** By the library, with whatever header a test wants. */
const byJose = (text: string, members: object): Promise<string> =>
  new CompactEncrypt(new TextEncoder().encode(text))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', ...members })
    .encrypt(key);

describe('compact JWE (RFC 7516)', () => {
  it('is opened by the JOSE library, and opens what the library sealed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 3_000 }), async (text) => {
        const { plaintext, protectedHeader } = await compactDecrypt(
          encryptCompact(text, header, key),
          key,
        );
        expect(new TextDecoder().decode(plaintext)).toBe(text);
        expect(protectedHeader).toEqual({ alg: 'dir', enc: 'A256GCM', ...header });
        expect(decryptCompact(await byJose(text, header), key)).toBe(text);
      }),
      { numRuns: 60 },
    );
  });

  it('never seals the same way twice', () => {
    const sealed = Array.from({ length: 50 }, () => encryptCompact('text', header, key));

    expect(new Set(sealed.map((jwe) => jwe.split('.')[2])).size).toBe(50);
  });

  it.each([
    ['another algorithm', { alg: 'A256KW', enc: 'A256GCM' }],
    ['another encryption', { alg: 'dir', enc: 'A128GCM' }],
    ['none', { alg: 'none' }],
    ['compression', { alg: 'dir', enc: 'A256GCM', zip: 'DEF' }],
    ['a critical extension', { alg: 'dir', enc: 'A256GCM', crit: ['b64'] }],
    ['no algorithm at all', {}],
  ])('refuses a header with %s before it uses the key', (_what, members) => {
    const [, ...rest] = encryptCompact('text', header, key).split('.');
    const forged = [Buffer.from(JSON.stringify(members)).toString('base64url'), ...rest].join('.');

    expect(() => decryptCompact(forged, key)).toThrow('other algorithms');
  });

  it.each([
    ['an encrypted key', (parts: string[]) => parts.with(1, 'AAAA')],
    ['a short tag', (parts: string[]) => parts.with(4, (parts[4] ?? '').slice(0, 16))],
    ['a long nonce', (parts: string[]) => parts.with(2, `${parts[2] ?? ''}AAAA`)],
    ['a part too many', (parts: string[]) => [...parts, 'AAAA']],
    ['a part too few', (parts: string[]) => parts.slice(0, 4)],
    ['padding', (parts: string[]) => parts.with(3, `${parts[3] ?? ''}=`)],
    ['a header that is no object', (parts: string[]) => parts.with(0, 'MQ')],
  ])('refuses %s', (_what, change) => {
    const changed = change(encryptCompact('text', header, key).split('.')).join('.');

    expect(() => decryptCompact(changed, key)).toThrow();
  });

  it('does not open with another key, or under another header', () => {
    const sealed = encryptCompact('text', header, key);
    const other = encryptCompact('text', { ...header, place: 'there' }, key);
    const moved = [other.split('.')[0], ...sealed.split('.').slice(1)].join('.');

    expect(() => decryptCompact(sealed, new Uint8Array(randomBytes(32)))).toThrow();
    expect(() => decryptCompact(moved, key)).toThrow();
    expect(protectedHeaderOf(moved)['place']).toBe('there');
  });
});
