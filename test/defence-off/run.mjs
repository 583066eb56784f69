/**
 * Takes one defence away at a time and runs the tests that should notice (TRUST F14). A defence
 * whose loss turns nothing red is not tested.
 *
 *   node test/defence-off/run.mjs [--only name,name] [--list]
 *
 * Each `<name>.patch` begins with two comment lines:
 *   # defence: what is taken away
 *   # red: <jest project> <pattern of test paths>
 * It is applied to a worktree of HEAD, never to this one.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';

const here = import.meta.dirname;
const root = join(here, '../..');
const { values } = parseArgs({
  options: { only: { type: 'string' }, list: { type: 'boolean', default: false } },
});

const only = values.only?.split(',');
const defences = readdirSync(here)
  .filter((file) => file.endsWith('.patch'))
  .map((file) => {
    const text = readFileSync(join(here, file), 'utf8');
    const [, what] = /^# defence: (.+)$/m.exec(text) ?? [];
    const [, project, pattern] = /^# red: (\S+) (\S+)$/m.exec(text) ?? [];
    if (what === undefined || project === undefined || pattern === undefined) {
      throw new Error(`${file}: needs a "# defence:" and a "# red:" line`);
    }
    return { name: basename(file, '.patch'), file: join(here, file), what, project, pattern };
  })
  .filter(({ name }) => only === undefined || only.includes(name));

if (values.list) {
  for (const { name, what } of defences) console.log(`${name}: ${what}`);
} else {
  process.exitCode = runAll();
}

function runAll() {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-defence-'));
  const tree = join(folder, 'tree');
  git(root, 'worktree', 'add', '--quiet', '--detach', tree, 'HEAD');
  let unnoticed = 0;
  try {
    linkModules(tree);
    for (const defence of defences) {
      const { reds, note } = without(tree, defence);
      if (reds === 0) unnoticed += 1;
      console.log(`defence ${defence.name} reds ${String(reds)} ${note}`);
    }
  } finally {
    git(root, 'worktree', 'remove', '--force', tree);
    rmSync(folder, { recursive: true, force: true });
  }
  const noticed = defences.length - unnoticed;
  const verdict = unnoticed === 0 ? 'reached' : 'missed';
  console.log(
    `figure defences-noticed ${String(noticed)} goal ${String(defences.length)} ${verdict}`,
  );
  return unnoticed === 0 ? 0 : 1;
}

/** @param {string} tree @param {(typeof defences)[number]} defence */
function without(tree, defence) {
  git(tree, 'apply', '--recount', '-C1', defence.file);
  try {
    if (defence.project !== 'unit') {
      const build = run(tree, ['node_modules/typescript/bin/tsc', '-b']);
      if (build.status !== 0) return { reds: 0, note: `does not build: ${build.stdout}` };
    }
    const report = join(tree, 'report.json');
    run(tree, [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      'node_modules/jest/bin/jest.js',
      '--selectProjects',
      defence.project,
      '--testPathPatterns',
      defence.pattern,
      '--forceExit',
      '--json',
      '--outputFile',
      report,
    ]);
    const { numFailedTests, numTotalTests, numRuntimeErrorTestSuites } = JSON.parse(
      readFileSync(report, 'utf8'),
    );
    if (numRuntimeErrorTestSuites > 0) return { reds: 0, note: 'a suite could not even load' };
    return { reds: numFailedTests, note: `of ${String(numTotalTests)}` };
  } finally {
    git(tree, 'checkout', '--quiet', '.');
  }
}

/** @param {string} cwd @param {string[]} args */
function run(cwd, args) {
  return spawnSync(process.execPath, args, { cwd, encoding: 'utf8', timeout: 300_000 });
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
