/**
 * Takes one defence away at a time and runs the tests that should notice (TRUST F14). A defence
 * whose loss turns nothing red is not tested.
 *
 *   node test/defence-off/run.mjs [--only name,name] [--list]
 *
 * Each `<name>.patch` begins with two comment lines:
 *   # defence: what is taken away
 *   # red: <jest project> <pattern of test paths>
 * It is applied to a worktree of HEAD, never to this one. What counts is a test that is green there
 * without the patch and fails with it: so every pattern is run once before, with all defences on.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { redsOf, statusesOf } from './reds.mjs';

const here = import.meta.dirname;
const root = join(here, '../..');
/** A suite that hangs without its defence is ended, and counts as one that noticed nothing. */
const patience = 300_000;
const { values } = parseArgs({
  options: { only: { type: 'string' }, list: { type: 'boolean', default: false } },
});

/** @typedef {{ name: string, file: string, what: string, project: string, pattern: string }} Defence */

const defences = chosen(
  readdirSync(here)
    .filter((file) => file.endsWith('.patch'))
    .map(read),
);
if (values.list) {
  for (const { name, what } of defences) console.log(`${name}: ${what}`);
} else {
  process.exitCode = runAll();
}

/** @param {string} file @returns {Defence} */
function read(file) {
  const text = readFileSync(join(here, file), 'utf8');
  const [, what] = /^# defence: (.+)$/m.exec(text) ?? [];
  const [, project, pattern] = /^# red: (\S+) (\S+)$/m.exec(text) ?? [];
  if (what === undefined || project === undefined || pattern === undefined) {
    throw new Error(`${file}: needs a "# defence:" and a "# red:" line`);
  }
  return { name: basename(file, '.patch'), file: join(here, file), what, project, pattern };
}

/** @param {Defence[]} all */
function chosen(all) {
  const only = values.only?.split(',');
  const unknown = only?.filter((name) => !all.some((defence) => defence.name === name)) ?? [];
  if (unknown.length > 0) throw new Error(`no such patch: ${unknown.join(', ')}; see --list`);
  return only === undefined ? all : all.filter(({ name }) => only.includes(name));
}

function runAll() {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-defence-'));
  const tree = join(folder, 'tree');
  git(root, 'worktree', 'add', '--quiet', '--detach', tree, 'HEAD');
  /** @type {string[]} */
  const unnoticed = [];
  /** @type {string[]} */
  const notApplied = [];
  try {
    linkModules(tree);
    const before = baselines(tree);
    for (const defence of defences) {
      const green = before(defence);
      if (!applies(tree, defence)) {
        notApplied.push(defence.name);
        console.log(`defence ${defence.name} reds 0 the patch does not apply to HEAD`);
        continue;
      }
      const { reds, note } = without(tree, defence, green);
      if (reds === 0) unnoticed.push(defence.name);
      console.log(`defence ${defence.name} reds ${String(reds)} ${note}`);
    }
  } finally {
    git(root, 'worktree', 'remove', '--force', tree);
    rmSync(folder, { recursive: true, force: true });
  }
  return summary(unnoticed, notApplied);
}

/** @param {string[]} unnoticed @param {string[]} notApplied */
function summary(unnoticed, notApplied) {
  if (unnoticed.length > 0) console.log(`turned nothing red: ${unnoticed.join(', ')}`);
  if (notApplied.length > 0) {
    console.log(`did not apply, to be written anew: ${notApplied.join(', ')}`);
  }
  const noticed = defences.length - unnoticed.length - notApplied.length;
  const isReached = noticed === defences.length;
  console.log(
    `figure defences-noticed ${String(noticed)} goal >=${String(defences.length)} ${isReached ? 'reached' : 'missed'}`,
  );
  return isReached ? 0 : 1;
}

/**
 * The tests of a pattern that are green with all defences on, each pattern run once.
 * @param {string} tree @returns {(defence: Defence) => ReadonlySet<string>}
 */
function baselines(tree) {
  /** @type {Map<string, ReadonlySet<string>>} */
  const known = new Map();
  return (defence) => {
    const key = `${defence.project} ${defence.pattern}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const { report, note } = test(tree, defence);
    const statuses = report === undefined ? new Map() : statusesOf(report);
    const green = new Set(
      [...statuses].filter(([, status]) => status === 'passed').map(([id]) => id),
    );
    const failed = [...statuses.values()].filter((status) => status === 'failed').length;
    if (failed > 0 || green.size === 0) {
      const count = `${String(green.size)} green, ${String(failed)} red`;
      console.log(`baseline ${key}: ${count} with all defences on ${note}`.trimEnd());
    }
    known.set(key, green);
    return green;
  };
}

/** @param {string} tree @param {Defence} defence */
function applies(tree, { file }) {
  return spawnSync('git', ['apply', '--recount', '-C1', file], { cwd: tree }).status === 0;
}

/** @param {string} tree @param {Defence} defence @param {ReadonlySet<string>} green */
function without(tree, defence, green) {
  try {
    const { report, note } = test(tree, defence);
    if (report === undefined) return { reds: 0, note };
    const { reds, unloaded } = redsOf(report, green);
    const rest = unloaded > 0 ? `; ${String(unloaded)} suites could not even load` : '';
    return { reds, note: `of ${String(green.size)} green before${rest}` };
  } finally {
    git(tree, 'checkout', '--quiet', '.');
    git(tree, 'clean', '-fdq', '-e', 'node_modules');
  }
}

/** @param {string} tree @param {Defence} defence @returns {{ report?: import('./reds.mjs').Report, note: string }} */
function test(tree, { project, pattern }) {
  const file = join(tree, 'report.json');
  // Else a run that died would be judged by the report of the one before.
  rmSync(file, { force: true });
  if (project !== 'unit') {
    const build = run(tree, ['node_modules/typescript/bin/tsc', '-b']);
    if (build.status !== 0) return { note: `does not build: ${build.stdout.trim()}` };
  }
  const { signal } = run(tree, [
    ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
    'node_modules/jest/bin/jest.js',
    ...['--selectProjects', project, '--testPathPatterns', pattern],
    ...['--forceExit', '--json', '--outputFile', file],
  ]);
  try {
    return { report: JSON.parse(readFileSync(file, 'utf8')), note: '' };
  } catch {
    return { note: signal === null ? 'jest left no report' : `jest ended by ${signal}, no report` };
  }
}

/** @param {string} cwd @param {string[]} args */
function run(cwd, args) {
  return spawnSync(process.execPath, args, {
    cwd,
    encoding: 'utf8',
    timeout: patience,
    maxBuffer: 2 ** 28,
    // Some tests have their seed in their name: with another seed they would be other tests.
    env: { ...process.env, PROOF_SEED: '1' },
  });
}

/** @param {string} cwd @param {string[]} args */
function git(cwd, ...args) {
  execFileSync('git', args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** The installed packages of this checkout, with the worktree's own workspaces in their place. */
function linkModules(tree) {
  const modules = join(tree, 'node_modules');
  mkdirSync(join(modules, '@sallyport'), { recursive: true });
  for (const entry of readdirSync(join(root, 'node_modules'))) {
    if (entry === '@sallyport') continue;
    symlinkSync(join(root, 'node_modules', entry), join(modules, entry));
  }
  for (const name of ['shared', 'extauthz', 'session-gateway', 'demo']) {
    symlinkSync(join(tree, name), join(modules, '@sallyport', name));
  }
}
