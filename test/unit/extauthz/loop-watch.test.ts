import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { loopWatch } from '../../../extauthz/src/loop-watch.js';

describe('loopWatch', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('remembers a standstill until what had piled up is read', async () => {
    // Not the immediates: by them the watch tells that the sockets were read.
    jest.useFakeTimers({ doNotFake: ['setImmediate'] });
    let now = 0;
    const watch = loopWatch(() => now);
    await watch.start();
    now = 50;
    expect(watch.possibleWait(now)).toBe(0);
    // The beat is overdue, and then comes late.
    now = 450;
    expect(watch.possibleWait(now)).toBe(400);
    jest.advanceTimersByTime(50);
    expect(watch.possibleWait(now)).toBe(400);
    await new Promise((resolve) => setImmediate(resolve));
    expect(watch.possibleWait(now)).toBe(0);
    await watch.stop();
    expect(watch.possibleWait(Infinity)).toBe(0);
  });

  describe('as a part of readiness', () => {
    beforeEach(() => {
      jest.useFakeTimers();
    });

    const running = async () => {
      let stoodStill = 0;
      const watch = loopWatch(() => performance.now() + stoodStill);
      await watch.start();
      return { watch, standStill: (ms: number) => (stoodStill += ms) };
    };
    const run = (ms: number) => jest.advanceTimersByTime(ms);

    it('is not steady during a standstill, nor for two seconds after', async () => {
      const { watch, standStill } = await running();
      run(500);
      expect(watch.isSteady()).toBe(true);
      // Not even the beat has noticed yet: what is read now already counts.
      standStill(2_000);
      expect(watch.isSteady()).toBe(false);
      run(1_900);
      expect(watch.isSteady()).toBe(false);
      run(200);
      expect(watch.isSteady()).toBe(true);
    });

    it('takes a pause for no standstill', async () => {
      const { watch, standStill } = await running();
      standStill(900);
      expect(watch.isSteady()).toBe(true);
      run(100);
      expect(watch.isSteady()).toBe(true);
    });
  });
});
