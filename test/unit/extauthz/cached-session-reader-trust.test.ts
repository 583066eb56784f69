import { beforeEach, describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle } from '@sallyport/shared';
import {
  cachedSessionReader,
  type CachedSessionReader,
  type Trust,
} from '../../../extauthz/src/cache/cached-session-reader.js';
import { identityOf } from '../../../extauthz/src/identity.js';
import type { TimedLookup } from '../../../extauthz/src/session-reader.js';
import { someSession } from '../../support/facts.js';

const [here, there] = [
  sessionHandle(newSessionId(), 'hashed'),
  sessionHandle(newSessionId(), 'hashed'),
];
const session = someSession({ userId: 'u-1' });
const ignore = (): void => undefined;

describe('cachedSessionReader, with a link per owner', () => {
  let reads: number;
  beforeEach(() => {
    reads = 0;
  });

  const readerOf = (trust: Trust, parts: Partial<TimedLookup> = {}): CachedSessionReader =>
    cachedSessionReader({
      source: {
        read: () => {
          reads += 1;
          const lookup = { outcome: 'found', session, identity: identityOf(session) } as const;
          return Promise.resolve({ lookup, deadline: 10_000, ...parts });
        },
      },
      maxEntries: 100,
      trust,
      now: () => 0,
      events: { hit: ignore, miss: ignore, crossed: ignore, flush: ignore },
    });

  it('trusts each handle by itself, and keeps the others while one is in doubt', async () => {
    let due = 1;
    const reader = readerOf({
      isTrusted: (_now, handle) => handle === here,
      generation: (handle) => (handle === here ? 1 : 2),
      isFlushDue: () => (due -= 1) >= 0,
    });
    await reader.find(here);
    expect(reader.size()).toBe(1);
    // The first doubt drops everything, the next ones of the same link nothing.
    await reader.find(there);
    expect(reader.size()).toBe(0);
    await reader.find(here);
    await reader.find(there);
    expect(reader.size()).toBe(1);
    expect(reader.find(here)).toMatchObject({ outcome: 'found' });
    expect(reads).toBe(4);
  });

  it('neither keeps nor shares what another server than the owner answered', async () => {
    const trust = { isTrusted: () => true, generation: () => 1, isFlushDue: () => true };
    const reader = readerOf(trust, { redirected: true });
    await Promise.all([reader.find(here), reader.find(here)]);
    expect(reads).toBe(2);
    expect(reader.size()).toBe(0);
  });
});
