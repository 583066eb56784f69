import type { Figure } from '../figure.js';
import type { Verdict } from '../oracle/judge.js';

/** What holds of every run: the oracle found nothing wrong, and most of it was no outage. */
export function verdictFigures(name: string, verdict: Verdict): Figure[] {
  const atMost = (what: string, value: number): Figure => ({
    name: `${name}-${what}`,
    value,
    goal: { atMost: 0 },
  });
  return [
    atMost('wrong-allows', verdict.wrongAllows),
    atMost('wrong-401s', verdict.wrong401s),
    atMost(
      'neither-200-401-503',
      Object.values(verdict.others).reduce((sum, count) => sum + count, 0),
    ),
    {
      name: `${name}-allow-share`,
      value: verdict.allows / verdict.checks,
      goal: { atLeast: 0.5 },
    },
  ];
}

export function verdictNote(name: string, verdict: Verdict): string {
  const { trouble, ...counts } = verdict;
  const window = trouble === undefined ? 'none' : `${(trouble.last - trouble.first).toFixed(0)} ms`;
  return `${name}: ${JSON.stringify(counts)}; from the first to the last trouble: ${window}`;
}
