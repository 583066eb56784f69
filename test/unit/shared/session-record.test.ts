import { describe, expect, it } from '@jest/globals';
import {
  checkNames,
  decodeSession,
  encodeSession,
  sessionFields,
  sessionKinds,
  type Session,
} from '@sallyport/shared';
import fc from 'fast-check';
import { aSession } from '../../support/builders.js';

const name = fc.stringMatching(/^[A-Za-z0-9._:-]{1,24}$/);
const seconds = fc.integer({ min: 1, max: 999_999_999_999 });
const anySession: fc.Arbitrary<Session> = fc.record(
  {
    userId: fc.stringMatching(/^[\x21-\x7e]{1,256}$/),
    roles: fc.array(name, { maxLength: 20 }),
    permissions: fc.array(name, { maxLength: 20 }),
    createdAt: seconds,
    expiresAt: seconds,
    kind: fc.constantFrom(...sessionKinds),
    permVersion: fc.nat(),
    email: fc.stringMatching(/^[\x21-\x7e]{3,254}$/),
  },
  {
    requiredKeys: [
      'userId',
      'roles',
      'permissions',
      'createdAt',
      'expiresAt',
      'kind',
      'permVersion',
    ],
  },
);

function stored(session: Session): (string | null)[] {
  const fields = encodeSession(session);
  return sessionFields.map((field) => fields[field] ?? null);
}

describe('the session record', () => {
  it('has exactly the fields of the wire contract', () => {
    expect(encodeSession(aSession())).toEqual({
      user_id: 'user-1',
      roles: 'admin,editor',
      permissions: 'orders:read,orders:write',
      created_at: '1800000000',
      expires_at: '1800001800',
      kind: 'browser',
      perm_version: '1',
    });
    expect(encodeSession(aSession({ email: 'ada@example.org' })).email).toBe('ada@example.org');
  });

  it('writes empty lists as empty strings and reads them as empty lists', () => {
    const session = aSession({ roles: [], permissions: [] });
    expect(encodeSession(session)).toMatchObject({ roles: '', permissions: '' });
    expect(decodeSession(stored(session))).toEqual({ outcome: 'found', session });
  });

  it('reads back whatever it writes', () => {
    fc.assert(
      fc.property(anySession, (session) => {
        expect(decodeSession(stored(session))).toEqual({ outcome: 'found', session });
      }),
    );
  });

  it('joins names so that they split back to the same list', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary', maxLength: 6 }), { minLength: 1 }),
        (names) => {
          try {
            checkNames('roles', names);
          } catch {
            return;
          }
          expect(names.join(',').split(',')).toEqual(names);
        },
      ),
    );
  });
});

describe('encodeSession', () => {
  it.each<[string, Partial<Session>, string]>([
    ['a comma in a role', { roles: ['ok', 'a,b'] }, 'bad_name'],
    ['an empty role', { roles: [''] }, 'bad_name'],
    ['a blank in a permission', { permissions: ['a b'] }, 'bad_name'],
    ['CR LF in a role', { roles: ['a\r\nx-user-id: root'] }, 'bad_name'],
    ['a line break at the end of a role', { roles: ['a\n'] }, 'bad_name'],
    ['a role outside ASCII', { roles: ['rôle'] }, 'bad_name'],
    ['a role of 129 characters', { roles: ['a'.repeat(129)] }, 'bad_name'],
    ['257 roles', { roles: Array.from({ length: 257 }, String) }, 'too_many_names'],
    [
      'more than 8 KiB of roles',
      { roles: Array.from({ length: 65 }, () => 'a'.repeat(128)) },
      'too_long',
    ],
    ['an empty user id', { userId: '' }, 'bad_user_id'],
    ['a user id with a blank', { userId: 'a b' }, 'bad_user_id'],
    ['a user id with NUL', { userId: 'a\0' }, 'bad_user_id'],
    ['a user id with CR LF', { userId: 'a\r\nx-roles: admin' }, 'bad_user_id'],
    ['a user id of 257 characters', { userId: 'a'.repeat(257) }, 'bad_user_id'],
    ['an address with a line break', { email: 'a@b\n' }, 'bad_email'],
  ])('reg-5: refuses %s without repeating it', (_, overrides, code) => {
    const session = aSession(overrides);
    let refused: unknown;
    try {
      encodeSession(session);
    } catch (error) {
      refused = error;
    }
    expect(refused).toMatchObject({ name: 'SessionValueError', code });
    expect((refused as Error).message).toMatch(/^[\x20-\x7e]{1,120}$/);
  });

  it('accepts the longest values that are allowed', () => {
    const roles = Array.from({ length: 63 }, () => 'r'.repeat(128));
    const session = aSession({ userId: 'u'.repeat(256), roles });
    expect(decodeSession(stored(session))).toEqual({ outcome: 'found', session });
  });
});

describe('decodeSession', () => {
  it('says absent only when nothing is there', () => {
    expect(decodeSession(sessionFields.map(() => null))).toEqual({ outcome: 'absent' });
    expect(decodeSession([])).toEqual({ outcome: 'absent' });
  });

  it.each([
    ['user_id', ''],
    ['user_id', null],
    ['user_id', 'a\r\nb'],
    ['roles', null],
    ['roles', 'a b'],
    ['roles', 'a\n'],
    ['permissions', 'a'.repeat(8193)],
    ['created_at', '0'],
    ['created_at', '-1'],
    ['expires_at', ''],
    ['expires_at', '1e9'],
    ['expires_at', '01'],
    ['expires_at', ' 1'],
    ['expires_at', 'NaN'],
    ['expires_at', '9999999999999'],
    ['kind', 'root'],
    ['kind', '__proto__'],
    ['kind', null],
    ['perm_version', '1.5'],
    ['perm_version', null],
    ['email', 'x'],
  ] as const)('calls a record corrupt whose %s is %j', (field, value) => {
    const values = stored(aSession());
    values[sessionFields.indexOf(field)] = value;
    expect(decodeSession(values)).toEqual({ outcome: 'corrupt', field });
  });

  it('never throws and never finds more than the grammar allows', () => {
    const hostile = fc.option(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.constantFrom('__proto__', 'constructor', 'toString', 'browser', '1', '', ',', 'a,,b'),
      ),
    );
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 10 }), (values) => {
        const decoded = decodeSession(values);
        if (decoded.outcome !== 'found') return;
        expect(decoded.session.userId).toMatch(/^[\x21-\x7e]{1,256}$/);
        expect(decoded.session.roles.join(',')).toMatch(/^[\x21-\x7e]*$/);
        expect(Number.isSafeInteger(decoded.session.expiresAt)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
