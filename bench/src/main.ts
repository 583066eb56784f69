import { join } from 'node:path';
import { pick, readCommandLine } from './command-line.js';
import { baselinesHash, recordedHash } from './frozen.js';
import { goalLine, isReached, type Goal } from './goals.js';
import { describeMachine, root } from './machine.js';
import { table, writeJson } from './report.js';
import type { Scenario, ScenarioResult, Settings } from './scenario.js';
import { suites } from './suites.js';
import { onWorkbench } from './workbench.js';

const mostMinutes = 25;
/** What the short form of a whole suite may take. */
const quickSeconds = 120;

const usage = `npm run bench -- [suite] [options]

  suite          ${Object.keys(suites).join(', ')}; left out: extauthz
  --only a,b     only these scenarios
  --list         the suite's scenarios, and what each asks
  --quick        fewer and shorter rounds, for a first look (extauthz: within ${quickSeconds} s)
  --seed text    the sessions and the order of the load; left out: sallyport

Prints a table per scenario and a line per goal, and writes JSON to bench/out/.
What the rows mean: docs/performance.md`;

async function main(): Promise<void> {
  const chosen = readCommandLine(process.argv.slice(2), 'extauthz');
  if (chosen.help) {
    console.log(usage);
    return;
  }
  const suite = suites[chosen.suite];
  if (suite === undefined) {
    throw new Error(`no suite ${chosen.suite}; there are: ${Object.keys(suites).join(', ')}`);
  }
  if (chosen.list) {
    for (const { name, about } of suite) console.log(`${name}: ${about}`);
    return;
  }
  const settings: Settings = {
    seed: chosen.seed,
    quick: chosen.short,
    timing: chosen.short
      ? { rounds: 3, roundMs: 500, warmUpMs: 1_500, warmUpChecks: 10_000 }
      : { rounds: 9, roundMs: 5_000, warmUpMs: 6_000 },
  };
  const baselines = checkedBaselines();
  const machine = await describeMachine();
  console.log(`machine ${JSON.stringify(machine)}`);
  console.log(`settings ${JSON.stringify({ suite: chosen.suite, ...settings })}`);
  console.log(`baselines sha256 ${baselines}`);
  const goals: Goal[] = [];
  const scenarios: object[] = [];
  const started = performance.now();
  for (const scenario of pick(suite, chosen.only)) {
    const result = await runScenario(scenario, settings);
    goals.push(...result.goals);
    scenarios.push({ name: scenario.name, ...result });
  }
  const seconds = (performance.now() - started) / 1000;
  console.log(`\ntook ${seconds.toFixed(0)} s\n`);
  for (const goal of goals) console.log(goalLine(goal));
  if (chosen.short && chosen.suite === 'extauthz' && chosen.only === undefined) {
    const verdict = seconds <= quickSeconds ? 'reached' : 'missed';
    console.log(`figure quick-seconds ${seconds.toFixed(0)} goal <=${quickSeconds} ${verdict}`);
  }
  const reached = goals.map((goal) => ({ ...goal, reached: isReached(goal) }));
  const report = { machine, settings, baselines, seconds, goals: reached, scenarios };
  console.log(`written to ${writeJson(`bench-${chosen.suite}`, report)}`);
}

async function runScenario(scenario: Scenario, settings: Settings): ReturnType<Scenario['run']> {
  const started = performance.now();
  const result = await onWorkbench(scenario.name, mostMinutes, (bench) =>
    scenario.run(bench, settings),
  ).catch((error: unknown) => broken(scenario.name, error));
  for (const { title, rows } of result.tables) console.log(`\n${table(title, rows)}`);
  if (result.notes.length > 0) console.log(`\n${result.notes.join('\n')}`);
  console.log(`\n(${scenario.name}: ${((performance.now() - started) / 1000).toFixed(0)} s)`);
  return result;
}

/** A scenario that breaks is a missed goal, and the others still run. */
function broken(name: string, error: unknown): ScenarioResult {
  const invalid = (error as Error).message;
  return { tables: [], notes: [], goals: [{ name, measured: NaN, atMost: 0, unit: '', invalid }] };
}

/** @throws Error when a baseline is not the recorded one: its figures would compare with nothing. */
function checkedBaselines(): string {
  const folder = join(root, 'bench/baselines');
  const hash = baselinesHash(folder);
  const recorded = recordedHash(folder);
  if (hash !== recorded) {
    throw new Error(`bench/baselines has changed: sha256 ${hash}, recorded ${recorded}`);
  }
  return hash;
}

try {
  await main();
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  process.exitCode = 1;
}
