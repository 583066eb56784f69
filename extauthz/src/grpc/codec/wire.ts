import { isUtf8 } from 'node:buffer';

/** Wire types (protobuf encoding guide). Groups (3, 4) are not read: nothing we speak has them. */
export const lengthDelimited = 2;
const varintType = 0;
const fixed64 = 1;
const fixed32 = 5;

const bad = -1;
const maxVarintBytes = 10;

/**
 * Reads the wire format of protobuf between bounds. Every method gives -1 or false for bytes that
 * are no message; none throws, none looks past `end`, and what it returns is always within bounds.
 */
export class Wire {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Field number and wire type; never field 0. */
  tag(end: number): number {
    const value = this.#unsigned(end);
    return value < 8 ? bad : value;
  }

  /** Where the length-delimited value that begins here ends; `at` is left on its first byte. */
  chunkEnd(end: number): number {
    const length = this.#unsigned(end);
    // Compared by subtraction: a length of 2^32 - 1 must not wrap around.
    return length === bad || length > end - this.at ? bad : this.at + length;
  }

  skip(wireType: number, end: number): boolean {
    switch (wireType) {
      case varintType:
        return this.#skipVarint(end);
      case fixed64:
        return this.#advance(8, end);
      case lengthDelimited: {
        const stop = this.chunkEnd(end);
        if (stop === bad) return false;
        this.at = stop;
        return true;
      }
      case fixed32:
        return this.#advance(4, end);
      default:
        return false;
    }
  }

  /**
   * A string field; undefined if it is not UTF-8, as proto3 demands. The reference puts U+FFFD
   * there, and two different credentials or paths would become one; Envoy cleans its values, so
   * only a caller that is not Envoy is refused.
   */
  text(start: number, stop: number): string | undefined {
    const text = this.bytes.toString('utf8', start, stop);
    if (text.includes('\ufffd') && !isUtf8(this.bytes.subarray(start, stop))) return undefined;
    return text;
  }

  /** A varint of at most 32 bits in at most 5 bytes: tags and lengths. */
  #unsigned(end: number): number {
    const { bytes } = this;
    const first = bytes[this.at] ?? 0;
    // Nearly all of them are one byte long.
    if (first < 0x80 && this.at < end) {
      this.at += 1;
      return first;
    }
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.at >= end) return bad;
      const byte = bytes[this.at] ?? 0;
      this.at += 1;
      if (shift === 28 && byte > 0x0f) return bad;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    return bad;
  }

  #skipVarint(end: number): boolean {
    const stop = Math.min(end, this.at + maxVarintBytes);
    while (this.at < stop) {
      const byte = this.bytes[this.at] ?? 0;
      this.at += 1;
      if (byte < 0x80) return true;
    }
    return false;
  }

  #advance(count: number, end: number): boolean {
    if (count > end - this.at) return false;
    this.at += count;
    return true;
  }
}
