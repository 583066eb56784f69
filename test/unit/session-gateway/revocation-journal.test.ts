import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RevocationJournal } from '../../../session-gateway/src/sessions/revocation-journal.js';
import type { Write } from '../../../session-gateway/src/sessions/write-link.js';

const removal = (key: string): Write => ({ key, words: ['DEL', key] });
const keys = (shard: string, count: number): string[] =>
  Array.from({ length: count }, (_, at) => `${shard}:${String(at)}`);

describe('RevocationJournal', () => {
  let journal: RevocationJournal;
  let written: string[];
  let refuses: (key: string) => boolean;
  let primaryOf: (key: string) => string;
  beforeEach(() => {
    jest.useFakeTimers();
    written = [];
    refuses = () => false;
    primaryOf = () => 'new';
    journal = new RevocationJournal({
      primaryOf: (key) => primaryOf(key),
      write: ({ key }) => {
        if (refuses(key)) return Promise.reject(new Error('refused'));
        written.push(key);
        return Promise.resolve();
      },
    });
  });
  afterEach(() => {
    journal.close();
    jest.useRealTimers();
  });
  const round = () => jest.advanceTimersByTimeAsync(250);

  it('says the newest first, each once', async () => {
    journal.remember('old', keys('a', 1200).map(removal));
    await round();
    await round();
    expect(written).toEqual(keys('a', 1200).toReversed());
  });

  it('lets no primary that is away keep another waiting', async () => {
    primaryOf = (key) => `new ${key.slice(0, 1)}`;
    refuses = (key) => key.startsWith('a');
    journal.remember('old', [...keys('b', 700), ...keys('a', 700)].map(removal));
    await round();
    expect(written).toEqual(keys('b', 700).toReversed());

    refuses = () => false;
    await round();
    expect(written).toHaveLength(1400);
  });

  it('lets no write that is refused keep another waiting', async () => {
    refuses = (key) => key === 'a:1199';
    journal.remember('old', keys('a', 1200).map(removal));
    await round();
    expect(written).toHaveLength(1199);
  });

  it('lets no slot without a primary keep another waiting', async () => {
    primaryOf = (key) => {
      if (key === 'a:1') throw new Error('no primary is known for a slot');
      return 'new';
    };
    journal.remember('old', keys('a', 3).map(removal));
    await round();
    expect(written).toEqual(['a:2', 'a:0']);
  });
});
