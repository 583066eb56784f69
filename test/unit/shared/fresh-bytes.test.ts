import { describe, expect, it } from '@jest/globals';
import { freshBytes } from '../../../shared/src/fresh-bytes.js';

describe('freshBytes', () => {
  it('gives as many as are asked for, across the end of the stock and beyond its size', () => {
    for (const size of [0, 1, 12, 16, 32, 4095, 4096, 4097, 70_000]) {
      for (let again = 0; again < 3; again += 1) expect(freshBytes(size)).toHaveLength(size);
    }
  });

  it('gives nothing twice, and leaves what it has given alone', () => {
    const kept = Array.from({ length: 20_000 }, (_, at) => {
      const bytes = freshBytes([12, 16, 32][at % 3] ?? 0);
      return { bytes, text: bytes.toString('hex') };
    });
    for (const { bytes, text } of kept) expect(bytes.toString('hex')).toBe(text);
    const eights = kept.flatMap(({ text }) => text.match(/.{16}/g) ?? []);
    expect(new Set(eights).size).toBe(eights.length);
  });

  it('gives bytes of all values, at all places', () => {
    const seen = Array.from({ length: 12 }, () => new Set<number>());
    for (let draw = 0; draw < 20_000; draw += 1) {
      freshBytes(12).forEach((value, place) => seen[place]?.add(value));
    }
    for (const values of seen) expect(values.size).toBe(256);
  });
});
