import type { Workbench } from '../src/workbench.js';

/** One number that a proof brings, and what it has to be. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly goal:
    { readonly atMost: number } | { readonly atLeast: number } | { readonly exactly: number };
  readonly unit?: 'ms';
  /** Why the number does not count, whatever it is. */
  readonly invalid?: string;
}

export interface ProofSettings {
  readonly seed: string;
  /** The form for CI. */
  readonly short: boolean;
}

export interface ProofResult {
  readonly figures: readonly Figure[];
  readonly notes: readonly string[];
}

/** A long proof: bounded, and the same again from its printed seed. */
export interface Proof {
  readonly name: string;
  readonly about: string;
  readonly minutes: number;
  readonly run: (bench: Workbench, settings: ProofSettings) => Promise<ProofResult>;
}

export function isReached({ value, goal, invalid }: Figure): boolean {
  if (invalid !== undefined) return false;
  if ('exactly' in goal) return value === goal.exactly;
  return 'atMost' in goal ? value <= goal.atMost : value >= goal.atLeast;
}

function goalText(goal: Figure['goal'], unit: string): string {
  if ('exactly' in goal) return `=${goal.exactly}${unit}`;
  return 'atMost' in goal ? `<=${goal.atMost}${unit}` : `>=${goal.atLeast}${unit}`;
}

/** `figure <name> <value> goal <goal> reached|missed` */
export function figureLine(figure: Figure): string {
  const { name, value, goal, unit = '', invalid } = figure;
  const wanted = goalText(goal, unit);
  const shown = Number.isInteger(value) ? String(value) : value.toFixed(3);
  const verdict = isReached(figure) ? 'reached' : 'missed';
  // One line each, whatever broke: the gate of CI reads lines.
  const reason = invalid === undefined ? '' : ` (${invalid.replaceAll(/\s+/g, ' ')})`;
  return `figure ${name} ${shown}${unit} goal ${wanted} ${verdict}${reason}`;
}
