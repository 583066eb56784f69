/** Protobuf fields, encoded whole, and the sizes and tags of those that are written in place. */

const varint = 0;

/** The tag of a field below 16 that says its length. */
export function lengthDelimited(number: number): number {
  return (number << 3) | 2;
}

/** Bytes of a length-delimited field with a number below 16. */
export function fieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}

export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest >>>= 7) size += 1;
  return size;
}

/** Writes a varint and returns where it ends. */
export function putVarint(target: Uint8Array, at: number, value: number): number {
  let rest = value;
  let index = at;
  while (rest > 0x7f) {
    target[index] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
    index += 1;
  }
  target[index] = rest;
  return index + 1;
}

export function numberField(number: number, value: number): Buffer {
  const bytes = Buffer.allocUnsafe(1 + varintSize(value));
  bytes[0] = (number << 3) | varint;
  putVarint(bytes, 1, value);
  return bytes;
}

export function bytesField(number: number, ...parts: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const part of parts) length += part.length;
  const bytes = Buffer.allocUnsafe(1 + varintSize(length) + length);
  bytes[0] = lengthDelimited(number);
  let at = putVarint(bytes, 1, length);
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function textField(number: number, text: string): Buffer {
  return bytesField(number, Buffer.from(text, 'utf8'));
}
