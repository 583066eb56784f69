import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { newSessionId } from '@sallyport/shared';
import { decodeCheckRequest } from '../../../extauthz/src/grpc/codec/check-request.js';
import { cookieName } from '../../support/facts.js';
import { filled, mutated, someCheckRequest } from '../../support/grpc-generated.js';
import {
  checkMethod,
  mergedReference,
  officialRoot,
  referenceFacts,
} from '../../support/grpc-reference.js';
import { cases, Choices, proofSeed } from '../../support/proofs.js';

const longTime = 300_000;
const encode = (message: object): Buffer => checkMethod.requestSerialize(message);

/** Whether a name that a decision reads is there in upper case: the one thing refused on purpose. */
const foreign = /\b(?:cookiE|cooKie)\b/;

type Verdict = 'equal' | 'refused';

/** @throws if the codec accepts what the reference refuses or reads differently. */
function compare(bytes: Buffer, seed: string): Verdict {
  const read = decodeCheckRequest(bytes, cookieName);
  if (read === 'not a CheckRequest') return 'refused';
  const reference = referenceFacts(mergedReference(bytes), cookieName);
  if (isDeepStrictEqual(read, reference)) return 'equal';
  throw new Error(
    `seed ${seed}: ${bytes.toString('hex')} is read as ${JSON.stringify(read)}, by the reference as ${JSON.stringify(reference)}`,
  );
}

describe('decodeCheckRequest', () => {
  const seed = proofSeed;
  const label = String(seed);

  it(
    `reads generated messages as proto-loader does (seed ${label})`,
    () => {
      const choices = new Choices(seed);
      for (let count = cases(5_000, 100_000); count > 0; count -= 1) {
        const message = someCheckRequest(choices);
        const bytes = encode(message);
        const verdict = compare(bytes, label);
        const loaded = checkMethod.requestDeserialize(bytes);
        if (verdict === 'refused') {
          expect(Object.keys(loaded.attributes?.request?.http?.headers ?? {}).join(' ')).toMatch(
            foreign,
          );
          continue;
        }
        const facts = referenceFacts(loaded, cookieName);
        if (!isDeepStrictEqual(decodeCheckRequest(bytes, cookieName), facts)) {
          throw new Error(`seed ${label}: ${bytes.toString('hex')}`);
        }
      }
    },
    longTime,
  );

  it(
    `skips every field of the official definitions that it does not know (seed ${label})`,
    () => {
      const choices = new Choices(seed + 1);
      const type = officialRoot().lookupType('envoy.service.auth.v3.CheckRequest');
      for (let count = cases(500, 20_000); count > 0; count -= 1) {
        const message = filled(type, choices, 7) as {
          attributes: { request: { http: Record<string, unknown> } };
        };
        const cookie = `__Host-session=${newSessionId()}`;
        message.attributes.request.http['headers'] = { cookie, 'x-other': choices.text(10) };
        const bytes = Buffer.from(type.encode(type.fromObject(message)).finish());
        expect(compare(bytes, label)).toBe('equal');
        expect(decodeCheckRequest(bytes, cookieName)).toMatchObject({ cookie });
      }
    },
    longTime,
  );

  it(
    `reads every truncation as the reference does, or refuses it (seed ${label})`,
    () => {
      const choices = new Choices(seed + 2);
      let refused = 0;
      for (let count = cases(20, 400); count > 0; count -= 1) {
        const bytes = encode(someCheckRequest(choices));
        for (let length = 0; length < bytes.length; length += 1) {
          if (compare(Buffer.from(bytes.subarray(0, length)), label) === 'refused') refused += 1;
        }
      }
      expect(refused).toBeGreaterThan(0);
    },
    longTime,
  );

  it(
    `reads spoiled and random bytes as the reference does, or refuses them (seed ${label})`,
    () => {
      const choices = new Choices(seed + 3);
      const seen = { equal: 0, refused: 0 };
      let other = encode(someCheckRequest(choices));
      for (let count = cases(5_000, 120_000); count > 0; count -= 1) {
        const bytes = encode(someCheckRequest(choices));
        const spoiled = choices.rarely(5) ? choices.bytes(60) : mutated(bytes, other, choices);
        seen[compare(spoiled, label)] += 1;
        other = bytes;
      }
      expect(seen.equal).toBeGreaterThan(100);
      expect(seen.refused).toBeGreaterThan(100);
    },
    longTime,
  );

  const http = (fields: object): Buffer => encode({ attributes: { request: { http: fields } } });

  it('merges repeated messages and takes the last of a repeated field', () => {
    const bytes = Buffer.concat([
      http({ method: 'GET', path: '/a', headers: { cookie: 'a=1', authorization: 'Basic x' } }),
      http({ path: '/b', headers: { cookie: 'b=2' } }),
    ]);
    expect(decodeCheckRequest(bytes, cookieName)).toMatchObject({
      method: 'GET',
      path: '/b',
      cookie: 'b=2',
      authorization: 'Basic x',
    });
    expect(compare(bytes, '')).toBe('equal');
  });

  it('says where there is no HTTP request', () => {
    for (const message of [{}, { attributes: {} }, { attributes: { request: {} } }]) {
      expect(decodeCheckRequest(encode(message), cookieName)).toBe('no HTTP request');
    }
  });

  const header = (name: number[]): number[] => [0x1a, name.length + 2, 0x0a, name.length, ...name];
  const wrapped = (bytes: number[]): Buffer => {
    const request = [0x12, bytes.length, ...bytes];
    const attributes = [0x22, request.length, ...request];
    return Buffer.from([0x0a, attributes.length, ...attributes]);
  };
  const cookieKey = [...Buffer.from('cookie')];

  it.each([
    ['an overlong tag', [0x92, 0x80, 0x80, 0x80, 0x80, 0x00, 0x00]],
    ['a tag of field 0', [0x02, 0x00]],
    ['a group', [0x3b, 0x3c]],
    ['an unknown wire type', [0x7f]],
    ['a length past the end', [0x12, 0x7f, 0x41]],
    ['a length near 2^32', [0x12, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ['a length above 2^32', [0x12, 0xff, 0xff, 0xff, 0xff, 0x1f]],
    ['an endless varint', [0x38, ...Array<number>(11).fill(0x80), 0x00]],
    ['a known field of another type', [0x10, 0x01]],
    ['a path that is no UTF-8', [0x22, 0x01, 0xff]],
    ['a cookie that is no UTF-8', [0x1a, 0x0b, 0x0a, 0x06, ...cookieKey, 0x12, 0x01, 0xff]],
    ['a cookie in another case', header([...Buffer.from('Cookie')])],
    ['a key cut off', [0x1a, 0x03, 0x0a, 0x06, 0x63]],
    ['a fixed64 cut off', [0x39, 0x00]],
    ['a fixed32 cut off', [0x3d, 0x00]],
  ])('refuses %s', (_what, bytes) => {
    expect(decodeCheckRequest(wrapped(bytes), cookieName)).toBe('not a CheckRequest');
  });

  it('reads a header without a value and ignores other names, whatever their bytes', () => {
    const bytes = wrapped([...header(cookieKey), ...header([0xff, 0xfe])]);
    expect(decodeCheckRequest(bytes, cookieName)).toMatchObject({ cookie: '' });
  });
});
