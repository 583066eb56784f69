import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { newSessionId, sessionHandle } from '@sallyport/shared';
import {
  cachedSessionReader,
  type CachedSessionReader,
} from '../../../extauthz/src/cache/cached-session-reader.js';
import type { SessionLookup } from '../../../extauthz/src/check.js';
import { identityOf } from '../../../extauthz/src/identity.js';
import type { TimedLookup } from '../../../extauthz/src/session-reader.js';
import { someSession } from '../../support/facts.js';

const handle = sessionHandle(newSessionId(), 'hashed');
const absent: SessionLookup = { outcome: 'absent' };
const found = (userId = 'u-1'): SessionLookup => {
  const session = someSession({ userId });
  return { outcome: 'found', session, identity: identityOf(session) };
};

/** A store whose replies arrive when the test says so. */
class PausedStore {
  readonly pending: ((lookup: SessionLookup) => void)[] = [];
  reads = 0;
  deadline = 10_000;

  read = (): Promise<TimedLookup> => {
    this.reads += 1;
    return new Promise((resolve) => {
      this.pending.push((lookup) => resolve({ lookup, deadline: this.deadline }));
    });
  };

  async reply(lookup: SessionLookup): Promise<void> {
    await settle();
    this.pending.shift()?.(lookup);
    await settle();
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

describe('cachedSessionReader', () => {
  let store: PausedStore;
  let reader: CachedSessionReader;
  let trusted: boolean;
  let generation: number;
  let time: number;

  beforeEach(() => {
    store = new PausedStore();
    [trusted, generation, time] = [true, 1, 0];
    const ignore = (): void => undefined;
    reader = cachedSessionReader({
      source: store,
      maxEntries: 100,
      trust: { isTrusted: () => trusted, generation: () => generation, isFlushDue: () => true },
      now: () => time,
      events: { hit: ignore, miss: ignore, crossed: ignore, flush: ignore },
    });
  });

  const learn = async (lookup: SessionLookup): Promise<void> => {
    const answer = reader.find(handle);
    await store.reply(lookup);
    await answer;
  };

  it('answers the second time at once, without asking', async () => {
    await learn(found());
    expect(reader.find(handle)).toMatchObject({ outcome: 'found' });
    expect(store.reads).toBe(1);
  });

  it('asks once for many that come together', async () => {
    const answers = [reader.find(handle), reader.find(handle), reader.find(handle)];
    await store.reply(found());
    for (const answer of answers) expect(await answer).toMatchObject({ outcome: 'found' });
    expect(store.reads).toBe(1);
  });

  it('forgets a session as soon as it is invalidated', async () => {
    await learn(found());
    reader.invalidate(handle);
    void reader.find(handle);
    await settle();
    expect(store.reads).toBe(2);
  });

  it.each([
    ['an invalidation', () => reader.invalidate(handle)],
    ['a flush', () => reader.flush()],
  ])(
    'asks again when %s overtakes the reply, and keeps only the second answer',
    async (_what, cross) => {
      const answer = reader.find(handle);
      await settle();
      cross();
      await store.reply(found('stale'));
      await store.reply(absent);
      expect(await answer).toEqual(absent);
      expect(reader.find(handle)).toEqual(absent);
    },
  );

  it('reg-A4: does not let a later caller join a read that an invalidation has crossed', async () => {
    void reader.find(handle);
    await settle();
    reader.invalidate(handle);
    const later = reader.find(handle);
    await settle();
    expect(store.reads).toBe(2);
    await store.reply(found('stale'));
    await store.reply(absent);
    expect(await later).toEqual(absent);
  });

  it('does not keep a negative answer that a login crossed', async () => {
    const answer = reader.find(handle);
    await settle();
    reader.invalidate(handle);
    await store.reply(absent);
    await store.reply(found());
    expect(await answer).toMatchObject({ outcome: 'found' });
  });

  it('keeps nothing that was asked for under an earlier link', async () => {
    const answer = reader.find(handle);
    await settle();
    generation += 1;
    await store.reply(found());
    await answer;
    expect(reader.size()).toBe(0);
  });

  it('asks Redis for every check while the link is in doubt, and drops what it knew', async () => {
    await learn(found());
    trusted = false;
    const answer = reader.find(handle);
    await store.reply(absent);
    expect(await answer).toEqual(absent);
    trusted = true;
    void reader.find(handle);
    await settle();
    expect(store.reads).toBe(3);
  });

  it('never keeps an outage', async () => {
    await learn({ outcome: 'unavailable' });
    void reader.find(handle);
    await settle();
    expect(store.reads).toBe(2);
  });

  it('lets a session go when its key has expired in Redis', async () => {
    store.deadline = 500;
    await learn(found());
    time = 500;
    void reader.find(handle);
    await settle();
    expect(store.reads).toBe(2);
  });

  it('never answers from before a change that was reported, in any order of events', async () => {
    const step = fc.constantFrom('find', 'reply', 'change', 'report', 'doubt', 'trust', 'relink');
    let hits = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const world = new PausedStore();
        let current = 0;
        let reported = 0;
        let [isTrusted, link] = [true, 0];
        const unreported: number[] = [];
        const inFlight: { version: number }[] = [];
        const tested = cachedSessionReader({
          source: {
            read: () => {
              inFlight.push({ version: current });
              return world.read();
            },
          },
          maxEntries: 10,
          trust: { isTrusted: () => isTrusted, generation: () => link, isFlushDue: () => true },
          now: () => 0,
          events: { hit: () => (hits += 1), miss: () => 0, crossed: () => 0, flush: () => 0 },
        });
        const answers: Promise<void>[] = [];
        for (const what of steps) {
          if (what === 'find') {
            const known = reported;
            answers.push(
              Promise.resolve(tested.find(handle)).then((lookup) => {
                if (lookup.outcome !== 'found') throw new Error('the store always has it');
                expect(Number(lookup.session.userId.slice(2))).toBeGreaterThanOrEqual(known);
              }),
            );
            await settle();
          } else if (what === 'reply') {
            const read = inFlight.shift();
            if (read !== undefined) await world.reply(found(`v-${String(read.version)}`));
          } else if (what === 'change') {
            current += 1;
            unreported.push(current);
          } else if (what === 'report') {
            const version = unreported.shift();
            if (version !== undefined) {
              reported = version;
              tested.invalidate(handle);
            }
          } else if (what === 'relink') {
            link += 1;
            reported = current;
            unreported.length = 0;
            tested.flush();
          } else {
            isTrusted = what === 'trust';
          }
        }
        while (inFlight.length > 0) {
          const read = inFlight.shift();
          await world.reply(found(`v-${String(read?.version)}`));
        }
        await Promise.all(answers);
      }),
      { numRuns: 2000 },
    );
    expect(hits).toBeGreaterThan(0);
  });
});
