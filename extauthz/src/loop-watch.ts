import type { Unit } from '@sallyport/shared/runtime';

/** Knows when the event loop stood still: what is read then may have waited unseen. */
export interface LoopWatch extends Unit {
  /** How long a request that is read at `now` (monotonic ms) may have waited in the kernel, ms. */
  readonly possibleWait: (now: number) => number;
  /** For readiness: false while the loop stands still for long, and shortly after (TRUST R23). */
  readonly isSteady: () => boolean;
}

const beat = 50;
/** Longer than any pause of a healthy process, ms. */
const standstill = 1_000;
/** Twice Envoy's health check interval and more: what stood still is left out for a while, ms. */
const memory = 2_000;

/**
 * A timer beats; what is late about a beat is time in which nothing was read. Node runs timers,
 * then reads sockets, then immediates: so a late beat is remembered until the immediate after the
 * next reading, and a standstill during the reading itself shows as a beat that is overdue.
 */
export function loopWatch(monotonic: () => number): LoopWatch {
  let last = monotonic();
  let late = 0;
  let lastStandstill = -Infinity;
  let timer: NodeJS.Timeout | undefined;

  const onBeat = (): void => {
    const now = monotonic();
    late = Math.max(0, now - last - beat);
    last = now;
    if (late > standstill) lastStandstill = now;
    if (late > 0) {
      setImmediate(() => {
        late = 0;
      });
    }
  };

  const possibleWait = (now: number): number =>
    timer === undefined ? 0 : Math.max(late, now - last - beat);

  return {
    name: 'event loop watch',
    possibleWait,
    isSteady: () => {
      const now = monotonic();
      return possibleWait(now) <= standstill && now - lastStandstill > memory;
    },
    start: () => {
      last = monotonic();
      timer = setInterval(onBeat, beat).unref();
      return Promise.resolve();
    },
    stop: () => {
      clearInterval(timer);
      timer = undefined;
      return Promise.resolve();
    },
  };
}
