import { beforeEach, describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle, type SessionHandle } from '@sallyport/shared';
import {
  cachedSessionReader,
  type CachedSessionReader,
} from '../../../extauthz/src/cache/cached-session-reader.js';
import type { SessionLookup } from '../../../extauthz/src/check.js';
import { identityOf } from '../../../extauthz/src/identity.js';
import { someSession } from '../../support/facts.js';

const aHandle = (): SessionHandle => sessionHandle(newSessionId(), 'hashed');
const session = someSession();
const found: SessionLookup = { outcome: 'found', session, identity: identityOf(session) };
const absent: SessionLookup = { outcome: 'absent' };

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

describe('cachedSessionReader, with crowds before it', () => {
  let sessions: Map<SessionHandle, SessionLookup>;
  let reads: number;
  let hold: boolean;
  let release: (() => void)[];
  let hits: number;
  let generation: number;

  beforeEach(() => {
    sessions = new Map();
    release = [];
    [reads, hold, hits, generation] = [0, false, 0, 1];
  });

  const readerOf = (maxEntries: number): CachedSessionReader =>
    cachedSessionReader({
      source: {
        read: (handle) => {
          reads += 1;
          const answer = { lookup: sessions.get(handle) ?? absent, deadline: 10_000 };
          if (!hold) return Promise.resolve(answer);
          return new Promise((resolve) => release.push(() => resolve(answer)));
        },
      },
      maxEntries,
      trust: { isTrusted: () => true, generation: () => generation, isFlushDue: () => true },
      now: () => 0,
      events: {
        hit: () => (hits += 1),
        miss: () => undefined,
        crossed: () => undefined,
        flush: () => undefined,
      },
    });
  const reply = async (): Promise<void> => {
    for (const resolve of release.splice(0)) resolve();
    await settle();
  };

  it.each([
    [
      'an invalidation',
      (reader: CachedSessionReader, handle: SessionHandle) => reader.invalidate(handle),
    ],
    ['a flush', (reader: CachedSessionReader) => reader.flush()],
    [
      'a new link',
      (reader: CachedSessionReader) => {
        generation += 1;
        reader.flush();
      },
    ],
  ])('asks again once for all 50 who waited for a reply that %s overtook', async (_what, cross) => {
    const reader = readerOf(10);
    const handle = aHandle();
    sessions.set(handle, found);
    hold = true;
    const answers = Array.from({ length: 50 }, () => reader.find(handle));
    await settle();
    sessions.delete(handle);
    cross(reader, handle);
    await reply();
    await reply();
    for (const answer of answers) expect(await answer).toEqual(absent);
    expect(reads).toBe(2);
  });

  it('keeps its hit rate under a flood of 200,000 unknown ids (ATTACKS 6)', async () => {
    const reader = readerOf(1_000);
    const inUse = Array.from({ length: 1_000 }, aHandle);
    for (const handle of inUse) sessions.set(handle, found);
    for (const handle of inUse) await reader.find(handle);
    expect(reader.size()).toBe(1_000);
    for (let index = 0; index < 200_000; index += 1) {
      // Unlike in their first characters, as random ids are.
      const id = Math.imul(index, 2_654_435_761).toString(36).padStart(43, 'x');
      await reader.find(id as SessionHandle);
    }
    reads = 0;
    for (const handle of inUse) expect(reader.find(handle)).toMatchObject({ outcome: 'found' });
    expect([reads, hits]).toEqual([0, 1_000]);
    expect(reader.size()).toBe(1_000);
    expect(reader.negatives()).toBeLessThanOrEqual(10_000);
  });
});
