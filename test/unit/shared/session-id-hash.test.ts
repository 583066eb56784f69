import { hash } from 'node:crypto';
import { newSessionId, sessionHandle, type SessionId } from '@sallyport/shared';
import { describe, expect, it } from '@jest/globals';

const reference = (id: string): string => hash('sha256', id, 'base64url');

describe('the hash of a session id', () => {
  it('is SHA-256, over 20,000 random ids', () => {
    for (let index = 0; index < 20_000; index += 1) {
      const id = newSessionId();
      if (sessionHandle(id, 'hashed') !== reference(id)) throw new Error(`differs for ${id}`);
    }
  });

  it.each(['A', 'Z', 'a', 'z', '0', '9', '-', '_'])(
    'is SHA-256 of one character throughout: %s',
    (character) => {
      const id = character.repeat(43) as SessionId;
      expect(sessionHandle(id, 'hashed')).toBe(reference(id));
    },
  );

  it('keeps nothing of the call before', () => {
    const [first, second] = [newSessionId(), newSessionId()];
    const before = sessionHandle(first, 'hashed');
    sessionHandle(second, 'hashed');
    expect(sessionHandle(first, 'hashed')).toBe(before);
  });
});
