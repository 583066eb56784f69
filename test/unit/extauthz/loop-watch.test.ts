import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { loopWatch } from '../../../extauthz/src/loop-watch.js';

describe('loopWatch', () => {
  it('remembers a standstill until what had piled up is read', async () => {
    const watch = loopWatch(() => performance.now());
    await watch.start();
    expect(watch.possibleWait(performance.now())).toBeLessThan(200);
    const end = performance.now() + 400;
    while (performance.now() < end);
    expect(watch.possibleWait(performance.now())).toBeGreaterThan(300);
    await new Promise((resolve) => setTimeout(resolve, 0));
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(watch.possibleWait(performance.now())).toBeLessThan(300);
    await watch.stop();
    expect(watch.possibleWait(Infinity)).toBe(0);
  });

  describe('as a part of readiness', () => {
    beforeEach(() => {
      jest.useFakeTimers();
    });
    afterEach(() => {
      jest.useRealTimers();
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
