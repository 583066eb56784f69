import type { Target } from '../../src/load/asker.js';

/** A stream of checks over sessions that come and go, as its process is told it. */
export interface TrafficSpec {
  /** Asked in turn. */
  readonly targets: readonly Target[];
  readonly redis: { readonly port: number; readonly username: string; readonly password: string };
  readonly seed: string;
  readonly checks: number;
  /** Checks per second, all targets together. */
  readonly rate: number;
  readonly journal: string;
}

/** Told several times a second, and once with `over`. */
export interface Progress {
  readonly checks: number;
  /** Answers that were neither an allow nor a 401. */
  readonly trouble: number;
  readonly over: boolean;
}
