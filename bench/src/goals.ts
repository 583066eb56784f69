import type { Measured } from './rounds.js';
import { median } from './statistics.js';

/** One line of a run: what was to be reached, and whether it was. */
export interface Goal {
  readonly name: string;
  readonly measured: number;
  readonly atMost: number;
  readonly unit: 'x' | 'MiB' | 'ms' | '';
  /** Why the number does not count, whatever it is. */
  readonly invalid?: string;
}

export function isReached(goal: Goal): boolean {
  return goal.invalid === undefined && goal.measured <= goal.atMost;
}

/** `ratio <name> <measured> goal <goal> reached|missed` */
export function goalLine(goal: Goal): string {
  const verdict = isReached(goal) ? 'reached' : 'missed';
  const reason = goal.invalid === undefined ? '' : ` (${goal.invalid})`;
  const measured = `${short(goal.measured)}${goal.unit}`;
  return `ratio ${goal.name} ${measured} goal <=${goal.atMost}${goal.unit} ${verdict}${reason}`;
}

/** A ratio of one number of two variants of the same run. */
export function ratio(
  name: string,
  rows: readonly Measured[],
  field: 'sum' | 'redis' | 'total' | 'service',
  [over, under]: readonly [string, string],
  atMost: number,
): Goal {
  const of = (wanted: string): number =>
    rows.find((row) => row.name === wanted)?.[field] ?? Number.NaN;
  return { name, measured: of(over) / of(under), atMost, unit: 'x' };
}

/**
 * The same as the median of the rounds' own ratios: two variants' rounds stand side by side in time, so
 * a spell of other work on the machine meets both.
 */
export function pairedRatio(
  name: string,
  rows: readonly Measured[],
  field: 'sum' | 'service',
  [over, under]: readonly [string, string],
  atMost: number,
): Goal {
  const of = (wanted: string): number[] =>
    rows.find((row) => row.name === wanted)?.rounds?.map((round) => round[field]) ?? [];
  const below = of(under);
  const ratios = of(over).map((value, round) => value / (below[round] ?? Number.NaN));
  return { name, measured: median(ratios), atMost, unit: 'x' };
}

function short(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 3 : 1);
}
