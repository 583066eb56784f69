import type { Target } from './asker.js';

/** A stream of checks, as its process is told it. */
export interface LoadSpec {
  readonly target: Target;
  readonly connections: number;
  /** Checks at a time on one gRPC connection. */
  readonly streams: number;
  /** The ids are those of the sessions 0 … sessions - 1 of this seed, drawn uniformly. */
  readonly seed: string;
  readonly sessions: number;
  /** Whether an allow names the session's user; a no-op's does not. */
  readonly namesUser: boolean;
  /** Checks per second; left out: as many as there can be. */
  readonly rate?: number;
}

export interface RunOrder {
  readonly milliseconds: number;
  /** Ends earlier, once this many checks are answered. */
  readonly checks?: number;
  /** Whose CPU time is taken at the first and the last check. */
  readonly pids: readonly number[];
}

export interface RunResult {
  readonly checks: number;
  /** Anything but an allow, by status; 0 is "no answer". */
  readonly failures: Readonly<Record<string, number>>;
  readonly milliseconds: number;
  readonly rps: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** In the order of `pids`, milliseconds. */
  readonly cpuMs: readonly number[];
}

export type LoadReply = { readonly result: RunResult } | { readonly error: string };
