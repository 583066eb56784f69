import { describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle, type Session, type SessionHandle } from '@sallyport/shared';
import { SessionCache, type CachedSession } from '../../../extauthz/src/cache/session-cache.js';
import { identityOf } from '../../../extauthz/src/identity.js';
import { SessionInterner } from '../../../extauthz/src/session-interner.js';
import { someSession } from '../../support/facts.js';

const aHandle = (): SessionHandle => sessionHandle(newSessionId(), 'hashed');
const entry = (parts: Partial<Session> = {}): CachedSession => {
  const session = someSession(parts);
  return { outcome: 'found', session, identity: identityOf(session), deadline: 1000 };
};
/** 8 KiB joined, the most that a record may have in one list. */
const longList = (start: string): string[] =>
  Array.from({ length: 256 }, (_, index) => `${start}-${String(index)}-`.padEnd(31, 'x'));
/** What 100 entries may take. */
const room = 100 * 2048;
const heavy = (start = String(Math.random())): CachedSession =>
  entry({ roles: longList(start), permissions: longList(`p${start}`) });

function cacheWith(count: number, one: () => CachedSession): SessionCache {
  const cache = new SessionCache(100);
  for (let index = 0; index < count; index += 1) {
    const handle = aHandle();
    // Full, it admits at the second sight.
    cache.set(handle, one());
    cache.set(handle, one());
    expect(cache.bytes).toBeLessThanOrEqual(room);
  }
  return cache;
}

describe('SessionCache, in bytes', () => {
  it('keeps as many as it may of ordinary sessions', () => {
    expect(cacheWith(100, entry).size).toBe(100);
  });

  it('keeps its bound with the largest records that there may be, and keeps some of them', () => {
    const cache = cacheWith(60, heavy);
    // The names' text alone is there twice, 32 KiB each (and 512 slices of it).
    expect(cache.bytes).toBeGreaterThan(cache.size * 48 * 1024);
    expect(cache.size).toBeGreaterThan(0);
    expect(cache.size).toBeLessThan(5);
  });

  it('weighs a list once that sessions share', () => {
    const one = heavy();
    const cache = new SessionCache(100);
    const others = Array.from({ length: 4 }, aHandle);
    cache.set(aHandle(), one);
    const first = cache.bytes;
    for (const handle of others) cache.set(handle, one);
    expect(cache.size).toBe(5);
    expect(cache.bytes - first).toBeLessThan(4 * 1024);
    for (const handle of others) cache.delete(handle);
    expect(cache.bytes).toBe(first);
  });

  it('weighs nothing once all have gone, whichever way they went', () => {
    const cache = new SessionCache(100);
    const [ended, expired, again] = [aHandle(), aHandle(), aHandle()];
    cache.set(ended, heavy());
    cache.delete(ended);
    expect(cache.bytes).toBe(0);
    cache.set(expired, heavy());
    cache.get(expired, 1000);
    expect(cache.bytes).toBe(0);
    cache.set(again, heavy());
    cache.set(again, entry());
    expect(cache.bytes).toBeLessThan(2048);
    cache.delete(ended);
    cache.delete(again);
    expect(cache.bytes).toBe(0);
    cache.set(again, heavy());
    cache.clear();
    expect(cache.bytes).toBe(0);
  });

  it('pushes nobody out for one that does not fit at all', () => {
    const cache = new SessionCache(10);
    const small = Array.from({ length: 10 }, aHandle);
    for (const handle of small) cache.set(handle, entry());
    const large = aHandle();
    const one = heavy();
    for (let sight = 0; sight < 3; sight += 1) cache.set(large, one);
    expect(cache.get(large, 1)).toBeUndefined();
    expect(small.filter((handle) => cache.get(handle, 1) === undefined)).toEqual([]);
  });
});

describe('SessionInterner', () => {
  it('remembers lists up to a number of bytes, not of lists alone', () => {
    const interner = new SessionInterner();
    const roles = (): readonly string[] =>
      interner.intern(someSession({ roles: ['A', 'B'] })).roles;
    const first = roles();
    expect(roles()).toBe(first);
    // Each some 27 KiB.
    for (let index = 0; index < 800; index += 1) interner.joined(longList(`l${String(index)}`));
    expect(roles()).not.toBe(first);
  });
});
