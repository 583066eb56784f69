import { noAnswer, type CheckAnswer } from './asker.js';

const lengthDelimited = 2;

/**
 * The verdict in a CheckResponse's bytes: an allow has status code 0 and no denied_response. Read by
 * hand, so that the generator's own decoding costs next to nothing and no error passes for a success.
 */
export function checkAnswerOf(bytes: Buffer): CheckAnswer {
  let code = 0;
  let denied: Buffer | undefined;
  for (const [number, content] of fieldsOf(bytes)) {
    if (number === 1) code = numberIn(content, 1) ?? 0;
    if (number === 2) denied = content;
  }
  if (code === 0 && denied === undefined) return { status: 200, userId: () => userIdIn(bytes) };
  if (denied === undefined) return noAnswer;
  const [, status] = [...fieldsOf(denied)].find(([number]) => number === 1) ?? [];
  return {
    status: (status === undefined ? undefined : numberIn(status, 1)) ?? 403,
    userId: () => undefined,
  };
}

/** The length-delimited fields of a message. */
function* fieldsOf(bytes: Buffer): Generator<readonly [number, Buffer]> {
  for (let at = 0; at < bytes.length;) {
    const [tag, afterTag] = varintAt(bytes, at);
    const [value, afterValue] = varintAt(bytes, afterTag);
    if (tag % 8 === lengthDelimited) {
      yield [tag >> 3, bytes.subarray(afterValue, afterValue + value)];
      at = afterValue + value;
    } else {
      at = afterValue;
    }
  }
}

/** The varint field `wanted` of a message that has only varints before it. */
function numberIn(bytes: Buffer, wanted: number): number | undefined {
  const [tag, after] = varintAt(bytes, 0);
  return bytes.length > 0 && tag === wanted * 8 ? varintAt(bytes, after)[0] : undefined;
}

function varintAt(bytes: Buffer, from: number): readonly [value: number, next: number] {
  let value = 0;
  let at = from;
  for (let factor = 1; ; factor *= 128) {
    const byte = bytes[at] ?? 0;
    at += 1;
    value += (byte % 128) * factor;
    if (byte < 128) return [value, at];
  }
}

/** HeaderValue { key = 1, value = 2 or raw_value = 3 }. */
function userIdIn(bytes: Buffer): string | undefined {
  const name = bytes.indexOf('x-user-id');
  if (name === -1) return undefined;
  const tag = bytes[name + 9];
  if (tag !== 0x12 && tag !== 0x1a) return undefined;
  const [length, start] = varintAt(bytes, name + 10);
  return bytes.toString('latin1', start, start + length);
}
