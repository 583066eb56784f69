import type { Goal } from './goals.js';
import type { Measured, Timing } from './rounds.js';
import type { Workbench } from './workbench.js';

export interface Settings {
  readonly seed: string;
  readonly quick: boolean;
  readonly timing: Timing;
}

export interface ScenarioResult {
  readonly tables: readonly { readonly title: string; readonly rows: readonly Measured[] }[];
  /** What else was seen, one fact a line. */
  readonly notes: readonly string[];
  readonly goals: readonly Goal[];
}

/** One question of the benchmark. It starts all it needs on its own workbench. */
export interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly run: (bench: Workbench, settings: Settings) => Promise<ScenarioResult>;
}
