import {
  bytesField,
  fieldSize,
  lengthDelimited,
  numberField,
  putVarint,
  textField,
} from './fields.js';

/**
 * HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD, and keep_empty_value: without it Envoy drops an empty
 * header, and a forged one comes through.
 */
const end = Buffer.concat([numberField(3, 2), numberField(4, 1)]);
const valueTag = lengthDelimited(2);
const headerTag = lengthDelimited(1);
/** OkHttpResponse.headers, as `headerOption` has it. */
const optionTag = lengthDelimited(2);

/** envoy.config.core.v3.HeaderValueOption, one of `headers` of an allow and of a denial alike. */
export function headerOption(name: string, value: string): Buffer {
  return bytesField(2, bytesField(1, textField(1, name), textField(2, value)), end);
}

/** One of OkHttpResponse.headers, written in place: all but the value is the same for every request. */
export class HeaderOption {
  readonly length: number;
  readonly #name: Buffer;
  readonly #value: string;
  readonly #valueLength: number;
  readonly #headerLength: number;
  readonly #optionLength: number;

  /** @param name its field in HeaderValue, encoded */
  constructor(name: Buffer, value: string) {
    this.#name = name;
    this.#value = value;
    this.#valueLength = Buffer.byteLength(value, 'utf8');
    this.#headerLength = name.length + fieldSize(this.#valueLength);
    this.#optionLength = fieldSize(this.#headerLength) + end.length;
    this.length = fieldSize(this.#optionLength);
  }

  /** @returns where it ends */
  write(target: Buffer, start: number): number {
    target[start] = optionTag;
    let at = putVarint(target, start + 1, this.#optionLength);
    target[at] = headerTag;
    at = putVarint(target, at + 1, this.#headerLength);
    target.set(this.#name, at);
    at += this.#name.length;
    target[at] = valueTag;
    at = putVarint(target, at + 1, this.#valueLength);
    at += target.write(this.#value, at, 'utf8');
    target.set(end, at);
    return at + end.length;
  }
}
