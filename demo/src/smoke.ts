import type { Step } from './smoke/steps.js';

/** Works the steps off and prints a table. After a failure the rest is not tried. */
export async function runSmoke(
  steps: readonly Step[],
  print: (line: string) => void,
): Promise<boolean> {
  const width = Math.max(...steps.map(({ title }) => title.length));
  const row = (title: string, outcome: string, time = ''): void =>
    print(`  ${title.padEnd(width)}  ${outcome.padEnd(9)}${time.padStart(8)}`.trimEnd());
  row('step', 'outcome', 'time');
  row('-'.repeat(width), '-'.repeat(7), '-'.repeat(6));
  let failure: string | undefined;
  for (const { title, run } of steps) {
    if (failure !== undefined) {
      row(title, 'not tried');
      continue;
    }
    const began = performance.now();
    failure = await run().then(
      () => undefined,
      (error: unknown) => (error as Error).message,
    );
    const time = `${(performance.now() - began).toFixed(0)} ms`;
    row(title, failure === undefined ? 'ok' : 'FAILED', time);
  }
  if (failure !== undefined) print(`\n  What failed: ${failure}`);
  return failure === undefined;
}
