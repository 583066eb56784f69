import { bytesField, fieldSize, lengthDelimited, putVarint, textField } from './fields.js';

const entryTag = lengthDelimited(1);
const valueTag = lengthDelimited(2);
const stringTag = lengthDelimited(3);

/** One entry of google.protobuf.Struct with a string value. */
export function metadataEntry(key: string, value: string): Buffer {
  return bytesField(1, textField(1, key), bytesField(2, textField(3, value)));
}

/** As {@link metadataEntry}, written in place: all but the value is the same for every request. */
export class StringEntry {
  readonly length: number;
  readonly #key: Buffer;
  readonly #value: string;
  readonly #textLength: number;
  readonly #entryLength: number;

  /** @param key its field in the map's entry, encoded */
  constructor(key: Buffer, value: string) {
    this.#key = key;
    this.#value = value;
    this.#textLength = Buffer.byteLength(value, 'utf8');
    this.#entryLength = key.length + fieldSize(fieldSize(this.#textLength));
    this.length = fieldSize(this.#entryLength);
  }

  /** @returns where it ends */
  write(target: Buffer, start: number): number {
    target[start] = entryTag;
    let at = putVarint(target, start + 1, this.#entryLength);
    target.set(this.#key, at);
    at += this.#key.length;
    target[at] = valueTag;
    at = putVarint(target, at + 1, fieldSize(this.#textLength));
    target[at] = stringTag;
    at = putVarint(target, at + 1, this.#textLength);
    return at + target.write(this.#value, at, 'utf8');
  }
}
