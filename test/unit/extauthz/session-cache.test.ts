import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle, type SessionHandle } from '@sallyport/shared';
import { SessionCache, type CachedSession } from '../../../extauthz/src/cache/session-cache.js';
import { identityOf } from '../../../extauthz/src/identity.js';
import { someSession } from '../../support/facts.js';

const aHandle = (): SessionHandle => sessionHandle(newSessionId(), 'hashed');
const entry = (deadline = 1000): CachedSession => {
  const session = someSession();
  return { outcome: 'found', session, identity: identityOf(session), deadline };
};

/** A full collection, for which node is usually not asked. */
async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  // What was looked at stays until the job ends (WeakRef, KeepDuringJob).
  await new Promise((resolve) => setImmediate(resolve));
  (runInNewContext('gc') as () => void)();
}

describe('SessionCache', () => {
  it('holds nothing of what has gone, however often sessions change while there is room', async () => {
    const cache = new SessionCache(10_000);
    const handles = Array.from({ length: 100 }, aHandle);
    const put: WeakRef<object>[] = [];
    for (let round = 0; round < 200; round += 1) {
      for (const handle of handles) {
        const one = entry();
        put.push(new WeakRef(one.session));
        cache.delete(handle);
        cache.set(handle, one);
      }
    }
    await collectGarbage();
    expect(put.filter((one) => one.deref() !== undefined)).toHaveLength(handles.length);
    expect(cache.size).toBe(handles.length);
  });

  it('gives back what was put in until its deadline, and not at it', () => {
    const cache = new SessionCache(10);
    const handle = aHandle();
    cache.set(handle, entry(1000));
    expect(cache.get(handle, 999)).toMatchObject({ outcome: 'found' });
    expect(cache.get(handle, 1000)).toBeUndefined();
    expect(cache.size).toBe(0);
  });

  it('forgets on delete and on clear, negatives too', () => {
    const cache = new SessionCache(10);
    const [one, two] = [aHandle(), aHandle()];
    cache.set(one, entry());
    cache.setAbsent(two, 0);
    cache.delete(one);
    cache.delete(two);
    expect([cache.get(one, 1), cache.get(two, 1)]).toEqual([undefined, undefined]);
    cache.set(one, entry());
    cache.setAbsent(two, 0);
    cache.clear();
    expect([cache.get(one, 1), cache.get(two, 1)]).toEqual([undefined, undefined]);
  });

  it('remembers an unknown id for at most a second', () => {
    const cache = new SessionCache(10);
    const handle = aHandle();
    cache.setAbsent(handle, 500);
    expect(cache.get(handle, 1499)).toBe('absent');
    expect(cache.get(handle, 1500)).toBeUndefined();
  });

  it('keeps its bound, however many sessions pass', () => {
    const cache = new SessionCache(100);
    for (let index = 0; index < 5000; index += 1) {
      const handle = aHandle();
      cache.set(handle, entry());
      cache.set(handle, entry());
      expect(cache.size).toBeLessThanOrEqual(100);
    }
    expect(cache.size).toBeGreaterThan(0);
  });

  it('does not let a run of sessions seen once push out those in use', () => {
    const cache = new SessionCache(200);
    const inUse = Array.from({ length: 80 }, aHandle);
    for (const handle of inUse) cache.set(handle, entry());
    for (let index = 0; index < 20_000; index += 1) {
      cache.set(aHandle(), entry());
      if (index % 50 === 0) inUse.forEach((handle) => cache.get(handle, 1));
    }
    expect(inUse.filter((handle) => cache.get(handle, 1) !== undefined).length).toBe(80);
  });

  it('reg-A6: keeps its sessions under a flood of 1,000,000 unknown ids', () => {
    const cache = new SessionCache(100);
    const inUse = Array.from({ length: 100 }, aHandle);
    for (const handle of inUse) cache.set(handle, entry());
    const known = inUse.filter((handle) => cache.get(handle, 1) !== undefined).length;
    for (let index = 0; index < 1_000_000; index += 1) {
      cache.setAbsent(String(index) as SessionHandle, 0);
    }
    expect(inUse.filter((handle) => cache.get(handle, 1) !== undefined).length).toBe(known);
    expect(known).toBe(100);
    expect(cache.negatives).toBeLessThanOrEqual(10_000);
  });
});
