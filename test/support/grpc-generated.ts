import { newSessionId } from '@sallyport/shared';
import protobuf from 'protobufjs';
import type { CheckRequest } from './grpc-messages.js';
import type { Choices } from './proofs.js';

const names = [
  ...[
    'cookie',
    'authorization',
    'x-request-id',
    'traceparent',
    'x-user-id',
    'x_user_id',
    'x-roles',
  ],
  ...['x_roles', 'x-user_email', 'cookiE', 'X_Permissions', ':path', ':method', ':authority'],
  ...['user-agent', 'accept', 'x-forwarded-for', '__proto__', 'constructor', 'cooKie', ''],
];

function headerValue(choices: Choices, id: string): string {
  switch (choices.below(6)) {
    case 0:
      return `__Host-session=${id}`;
    case 1:
      return `a=b; __Host-session=${id}; c=${choices.text(8)}`;
    case 2:
      return `Bearer ${id}`;
    case 3:
      return choices.text(300);
    default:
      return choices.text(20);
  }
}

/** A message as a caller might send it. */
export function someCheckRequest(choices: Choices): CheckRequest {
  if (choices.rarely(40))
    return choices.one([{}, { attributes: {} }, { attributes: { request: {} } }]);
  const id = newSessionId();
  const headers: Record<string, string> = {};
  for (const name of choices.many(12, () => choices.one(names))) {
    Object.defineProperty(headers, choices.rarely(8) ? choices.text(14) : name, {
      value: headerValue(choices, id),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  const parts = {
    id: choices.text(20),
    method: choices.one(['GET', 'POST', '', choices.text(10)]),
    path: choices.one(['/api/x', '/api/x?code=1', '', choices.text(200)]),
    host: choices.text(20),
    scheme: 'https',
  };
  return { attributes: { request: { http: { ...parts, headers } } } };
}

/** An object with every field of a message type filled, as deep as `depth`. */
export function filled(type: protobuf.Type, choices: Choices, depth: number): object {
  const result: Record<string, unknown> = {};
  const taken = new Set<protobuf.OneOf>();
  for (const field of type.fieldsArray) {
    field.resolve();
    if (field.partOf !== null) {
      if (taken.has(field.partOf)) continue;
      taken.add(field.partOf);
    }
    const one = () => filledValue(field, choices, depth);
    const value = one();
    if (value === undefined) continue;
    if (field instanceof protobuf.MapField) result[field.name] = { [choices.text(8)]: value };
    else result[field.name] = field.repeated ? [value, one()] : value;
  }
  return result;
}

function filledValue(field: protobuf.Field, choices: Choices, depth: number): unknown {
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Enum) return choices.one(Object.values(resolvedType.values));
  if (resolvedType instanceof protobuf.Type) {
    return depth === 0 ? undefined : filled(resolvedType, choices, depth - 1);
  }
  switch (field.type) {
    case 'string':
      return choices.text(20);
    case 'bytes':
      return choices.bytes(20);
    case 'bool':
      return true;
    case 'float':
    case 'double':
      return choices.below(1000) / 7;
    default:
      return choices.below(2 ** 31);
  }
}

/** Bytes spoiled a little: flipped, cut out, doubled, cut off, or with another message's piece. */
export function mutated(bytes: Buffer, other: Buffer, choices: Choices): Buffer {
  let result = Buffer.from(bytes);
  for (let count = 1 + choices.below(4); count > 0 && result.length > 0; count -= 1) {
    const at = choices.below(result.length);
    const to = Math.min(result.length, at + 1 + choices.below(24));
    switch (choices.below(5)) {
      case 0:
        result[at] = choices.below(256);
        break;
      case 1:
        result = Buffer.concat([result.subarray(0, at), result.subarray(to)]);
        break;
      case 2:
        result = Buffer.concat([result.subarray(0, to), result.subarray(at)]);
        break;
      case 3:
        result = Buffer.from(result.subarray(0, at));
        break;
      default: {
        const piece = other.subarray(choices.below(other.length + 1)).subarray(0, 40);
        result = Buffer.concat([result.subarray(0, at), piece, result.subarray(at)]);
      }
    }
  }
  return result;
}
