import { describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle, type SessionHandle } from '@sallyport/shared';
import {
  ProviderPlaces,
  type Heard,
} from '../../../session-gateway/src/sessions/provider-places.js';

const aHandle = (): SessionHandle => sessionHandle(newSessionId(), 'hashed');
/** For a session of its own. */
const takeOne = (places: ProviderPlaces, idp: string) => places.take(idp, aHandle());

/** Takes all that there are. */
function all(places: ProviderPlaces, idp: string): ((heard: Heard) => void)[] {
  const taken: ((heard: Heard) => void)[] = [];
  for (let leave = takeOne(places, idp); leave !== undefined; leave = takeOne(places, idp)) {
    taken.push(leave);
    if (taken.length > 1000) throw new Error('there is no end of them');
  }
  return taken;
}
const free = (places: ProviderPlaces, idp: string): number => {
  const taken = all(places, idp);
  for (const leave of taken) leave('nothing');
  return taken.length;
};

describe('the places of a provider', () => {
  it('are 32, and come back', () => {
    const places = new ProviderPlaces({ idps: ['one'] });
    expect(free(places, 'one')).toBe(32);
    expect(free(places, 'one')).toBe(32);
  });

  it('become one when it is silent, and all again when it answers; its neighbours keep theirs', () => {
    const told: string[] = [];
    const places = new ProviderPlaces({
      idps: ['one', 'two'],
      onChange: (idp, state) => told.push(`${idp} ${state}`),
    });
    for (const leave of all(places, 'one').slice(0, 16)) leave('silent');
    expect(told).toEqual(['one silent']);
    expect(free(places, 'two')).toBe(32);
    // Sixteen are still out.
    expect(takeOne(places, 'one')).toBeUndefined();
    for (const [silent, left] of [
      [false, 2],
      [false, 4],
      [true, 2],
    ] as const) {
      const quiet = new ProviderPlaces({ idps: ['one'] });
      for (let times = 0; times < 5; times += 1) takeOne(quiet, 'one')?.('silent');
      takeOne(quiet, 'one')?.('answered');
      if (left !== 2 || silent) takeOne(quiet, 'one')?.('answered');
      if (silent) takeOne(quiet, 'one')?.('silent');
      expect(free(quiet, 'one')).toBe(left);
    }
  });

  it('tell of a silence once, and once of its end', () => {
    const told: string[] = [];
    const places = new ProviderPlaces({ idps: ['one'], onChange: (_, state) => told.push(state) });
    const hear = (heard: Heard, times: number): void => {
      for (let time = 0; time < times; time += 1) takeOne(places, 'one')?.(heard);
    };
    // One bad session among good ones is nothing to tell of.
    hear('silent', 2);
    hear('answered', 2);
    expect(told).toEqual([]);
    hear('silent', 20);
    expect([told, free(places, 'one')]).toEqual([['silent'], 1]);
    hear('nothing', 5);
    hear('answered', 2);
    hear('silent', 9);
    expect(told).toEqual(['silent']);
    hear('answered', 9);
    expect([told, free(places, 'one')]).toEqual([['silent', 'answering'], 32]);
  });

  it('are not taken away by one session that is never answered where others are', () => {
    const told: string[] = [];
    const places = new ProviderPlaces({ idps: ['one'], onChange: (_, state) => told.push(state) });
    const bad = aHandle();
    for (let round = 0; round < 20; round += 1) {
      for (let time = 0; time < 8; time += 1) places.take('one', bad)?.('silent');
      expect(free(places, 'one')).toBe(16);
      takeOne(places, 'one')?.('answered');
    }
    expect(told).toEqual([]);
  });

  it('are without end for one that is not configured: nobody is called', () => {
    const places = new ProviderPlaces({ idps: ['one'] });
    for (let times = 0; times < 100; times += 1) expect(takeOne(places, 'gone')).toBeDefined();
  });
});
