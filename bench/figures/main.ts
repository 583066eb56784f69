import { pick, readCommandLine } from '../src/command-line.js';
import { describeMachine } from '../src/machine.js';
import { writeJson } from '../src/report.js';
import { onWorkbench } from '../src/workbench.js';
import { figureLine, isReached, type Figure, type Proof } from './figure.js';
import { proofs } from './proofs.js';

const usage = `npm run figures -- [options]

  --only a,b     only these proofs
  --list         the proofs, and what each does
  --short        the form for CI
  --seed text    what each proof is repeated from; left out: sallyport

Prints a line per figure and writes JSON to bench/out/. What they mean: docs/performance.md`;

async function main(): Promise<void> {
  const { only, short, seed, list, help } = readCommandLine(process.argv.slice(2), '');
  if (help) {
    console.log(usage);
    return;
  }
  if (list) {
    for (const { name, about } of proofs) console.log(`${name}: ${about}`);
    return;
  }
  const machine = await describeMachine();
  console.log(`machine ${JSON.stringify(machine)}`);
  console.log(`settings ${JSON.stringify({ seed, form: short ? 'short' : 'long' })}`);
  const figures: Figure[] = [];
  const notes: string[] = [];
  for (const proof of pick(proofs, only)) {
    const result = await runProof(proof, { seed, short });
    for (const line of [...result.notes, ...result.figures.map(figureLine)]) console.log(line);
    notes.push(...result.notes);
    figures.push(...result.figures);
  }
  const judged = figures.map((figure) => ({ ...figure, reached: isReached(figure) }));
  const reached = judged.filter((figure) => figure.reached).length;
  console.log(`${reached} of ${judged.length} figures reached`);
  console.log(
    `written to ${writeJson('figures', { machine, seed, short, figures: judged, notes })}`,
  );
}

/** A proof that breaks is a missed figure, and the others still run. */
async function runProof(
  proof: Proof,
  settings: { seed: string; short: boolean },
): ReturnType<Proof['run']> {
  try {
    return await onWorkbench(proof.name, proof.minutes, (bench) => proof.run(bench, settings));
  } catch (error) {
    const invalid = (error as Error).message;
    return {
      notes: [],
      figures: [{ name: proof.name, value: Number.NaN, goal: { atLeast: 0 }, invalid }],
    };
  }
}

try {
  await main();
} catch (error) {
  console.error(`figures: ${(error as Error).message}`);
  process.exitCode = 1;
}
