import { describe, expect, it } from '@jest/globals';
import {
  activityStreamKey,
  defaultSessionKeyPrefix,
  gatewaySessionKey,
  hashParts,
  loginTransactionKey,
  newSessionId,
  sessionHandle,
  sessionKey,
  sessionKeyPrefixProblem,
} from '@sallyport/shared';
import fc from 'fast-check';

describe('session keys', () => {
  const handle = sessionHandle(newSessionId(), 'hashed');

  it('are the ones of the wire contract', () => {
    expect(sessionKey(defaultSessionKeyPrefix, handle)).toBe(`extauthz:session:${handle}`);
    expect(gatewaySessionKey(defaultSessionKeyPrefix, handle)).toBe(
      `gateway:session:{extauthz:session:${handle}}`,
    );
    expect(activityStreamKey).toBe('extauthz:activity');
  });

  it('reg-A18: carry the whole reader’s key as the only hash tag, so that both share a slot', () => {
    const tag = /\{([^}]*)\}/.exec(gatewaySessionKey('any:', handle))?.[1];
    expect(tag).toBe(sessionKey('any:', handle));
    expect(sessionKey('any:', handle)).not.toMatch(/[{}]/);
  });

  it('never show a state', () => {
    expect(loginTransactionKey('a-secret-state')).toMatch(/^gateway:login:[A-Za-z0-9_-]{43}$/);
    expect(loginTransactionKey('a-secret-state')).not.toContain('secret');
  });
});

describe('hashParts', () => {
  it('keeps apart lists that read the same when joined', () => {
    const lists = [
      ['a,b', 'c'],
      ['a', 'b,c'],
      ['a', 'b', 'c'],
      ['abc'],
      ['', 'abc'],
      ['1:a'],
      [''],
    ];
    const hashes = [...lists.map((parts) => hashParts(...parts)), hashParts()];
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('is the same for two lists only if they are equal', () => {
    const parts = fc.array(fc.string({ maxLength: 4 }), { maxLength: 4 });
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        const equal = JSON.stringify(one) === JSON.stringify(other);
        expect(hashParts(...one) === hashParts(...other)).toBe(equal);
      }),
    );
  });
});

describe('sessionKeyPrefixProblem', () => {
  it.each(['extauthz:session:', 'team-a.session:', 'session_', 's'])('accepts %s', (prefix) => {
    expect(sessionKeyPrefixProblem(prefix)).toBeUndefined();
  });

  it.each([
    ['', 'empty'],
    ['a'.repeat(65), 'longer'],
    ['a*', 'letters'],
    ['a?', 'letters'],
    ['a[b]', 'letters'],
    ['{a}', 'letters'],
    ['a b', 'letters'],
    ['a,b', 'letters'],
    ['a\n', 'letters'],
    ['é', 'letters'],
    ['gateway:', 'overlaps'],
    ['gateway:session:', 'overlaps'],
    ['g', 'overlaps'],
    ['extauthz:', 'activity'],
    ['e', 'activity'],
    ['extauthz:activity', 'activity'],
  ])('refuses %j', (prefix, reason) => {
    expect(sessionKeyPrefixProblem(prefix)).toContain(reason);
  });
});
