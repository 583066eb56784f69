import { describe, expect, it } from '@jest/globals';
import {
  clearCookie,
  cookieNameProblem,
  defaultSessionCookieName,
  isGatewayCookie,
  newSessionId,
  readSessionCookie,
  setCookie,
} from '@sallyport/shared';

const name = defaultSessionCookieName;
const id = newSessionId();

describe('readSessionCookie', () => {
  it.each([
    [undefined, { outcome: 'absent' }],
    [`${name}=${id}`, { outcome: 'one', id }],
    [`${name}=${id}; ${name}=${id}`, { outcome: 'ambiguous' }],
    [`${name}=${id}x`, { outcome: 'malformed' }],
    [`${name}="${id}"`, { outcome: 'malformed' }],
    [`${name}=`, { outcome: 'malformed' }],
    [`${name}=${id},a=1`, { outcome: 'malformed' }],
  ])('reads %j', (header, reading) => {
    expect(readSessionCookie(header, name)).toEqual(reading);
  });
});

describe('setCookie', () => {
  it('gives what __Host- demands, always', () => {
    expect(setCookie(name, 'x', { sameSite: 'Strict' })).toBe(
      `${name}=x; Path=/; Secure; HttpOnly; SameSite=Strict`,
    );
    expect(setCookie('__Host-return', 'x', { sameSite: 'Lax', maxAgeSeconds: 600 })).toBe(
      '__Host-return=x; Max-Age=600; Path=/; Secure; HttpOnly; SameSite=Lax',
    );
  });

  it('reg-53: deletes with the same attributes', () => {
    expect(clearCookie(name, 'Strict')).toBe(
      `${name}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict`,
    );
  });
});

describe('isGatewayCookie', () => {
  it.each(['__Host-session', '__Host-sref', '__Host-return', '__Host-login-abc'])(
    'knows %s as ours',
    (cookie) => {
      expect(isGatewayCookie(cookie, name)).toBe(true);
    },
  );

  it.each(['a', 'session', '__host-session', '__Host-session2', '__Host-login'])(
    'leaves %s to the upstream',
    (cookie) => {
      expect(isGatewayCookie(cookie, name)).toBe(false);
    },
  );
});

describe('cookieNameProblem', () => {
  it.each(['__Host-session', '__Host-S_1-x'])('accepts %s', (cookie) => {
    expect(cookieNameProblem(cookie)).toBeUndefined();
  });

  it.each([
    ...['session', '__Secure-session', '__host-session', '__Host-', '__Host-a b', '__Host-a;b'],
    ...['__Host-a=b', `__Host-${'a'.repeat(49)}`, '__Host-sref', '__Host-return', '__Host-login-x'],
  ])('refuses %j', (cookie) => {
    expect(cookieNameProblem(cookie)).toBeDefined();
  });
});
