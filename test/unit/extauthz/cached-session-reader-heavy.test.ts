import { beforeEach, describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle, type SessionHandle } from '@sallyport/shared';
import { cachedSessionReader } from '../../../extauthz/src/cache/cached-session-reader.js';
import type { SessionLookup } from '../../../extauthz/src/check.js';
import { identityOf } from '../../../extauthz/src/identity.js';
import type { TimedLookup } from '../../../extauthz/src/session-reader.js';
import { someSession } from '../../support/facts.js';

const aHandle = (): SessionHandle => sessionHandle(newSessionId(), 'hashed');
const session = someSession({
  permissions: Array.from({ length: 100 }, (_, index) => `permission-${String(index)}`),
});
const heavy: SessionLookup = { outcome: 'found', session, identity: identityOf(session) };

describe('cachedSessionReader, of a session too large to be kept', () => {
  let stored: SessionLookup;
  let asked: ((answer: TimedLookup) => void)[];
  let crossed: number;
  beforeEach(() => {
    [stored, asked, crossed] = [heavy, [], 0];
  });
  const readerOf = () =>
    cachedSessionReader({
      source: { read: () => new Promise((resolve) => asked.push(resolve)) },
      // Room for one of the ordinary size.
      maxEntries: 1,
      trust: { isTrusted: () => true, generation: () => 1, isFlushDue: () => true },
      now: () => 0,
      events: {
        hit: () => undefined,
        miss: () => undefined,
        crossed: () => (crossed += 1),
        flush: () => undefined,
      },
    });
  const reply = async (): Promise<void> => {
    for (const resolve of asked.splice(0)) resolve({ lookup: stored, deadline: 10_000 });
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };

  it('asks for it each time, and once for all who ask at once', async () => {
    const reader = readerOf();
    const handle = aHandle();
    for (let time = 0; time < 3; time += 1) {
      const answers = Array.from({ length: 20 }, async () => reader.find(handle));
      expect(asked).toHaveLength(1);
      await reply();
      expect(new Set(await Promise.all(answers))).toEqual(new Set([heavy]));
    }
    expect([reader.size(), reader.bytes()]).toEqual([0, 0]);
    expect(reader.known(handle)).toBeUndefined();
  });

  it('asks again where a change crossed the reply, and remembers that it is gone', async () => {
    const reader = readerOf();
    const handle = aHandle();
    const answer = reader.find(handle);
    reader.invalidate(handle);
    await reply();
    stored = { outcome: 'absent' };
    await reply();
    expect(await answer).toEqual({ outcome: 'absent' });
    expect([crossed, reader.negatives()]).toEqual([1, 1]);
    expect(reader.known(handle)).toEqual({ outcome: 'absent' });
  });
});
