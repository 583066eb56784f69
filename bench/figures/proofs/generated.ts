import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Figure, Proof, ProofResult } from '../figure.js';

const root = fileURLToPath(new URL('../../../..', import.meta.url));

/**
 * Proofs by generated cases live in the tests; here they run in their long form, by their seed. What
 * a test reports (`test/support/figures.ts`) is printed beside the count of what went wrong.
 */
function generated(options: {
  name: string;
  about: string;
  minutes: number;
  project: string;
  pattern: string;
}): Proof {
  return {
    name: options.name,
    about: options.about,
    minutes: options.minutes,
    run: async (bench, { seed, short }): Promise<ProofResult> => {
      const report = join(bench.directory, 'report.json');
      const reported = join(bench.directory, 'figures.jsonl');
      const number = createHash('sha256').update(seed).digest().readUInt32BE() >>> 1;
      const child = spawn(
        process.execPath,
        [
          '--experimental-vm-modules',
          '--disable-warning=ExperimentalWarning',
          'node_modules/jest/bin/jest.js',
          ...['--selectProjects', options.project, '--testPathPatterns', options.pattern],
          ...['--silent', '--json', '--outputFile', report],
        ],
        {
          cwd: root,
          stdio: 'ignore',
          env: {
            ...process.env,
            PROOF_LENGTH: short ? 'short' : 'long',
            PROOF_SEED: String(number),
            FIGURES_FILE: reported,
          },
        },
      );
      bench.keep(child, () => void child.kill());
      await new Promise((resolve) => child.once('close', resolve));
      const { numFailedTests, numFailedTestSuites, numPassedTests } = JSON.parse(
        readFileSync(report, 'utf8'),
      ) as Record<'numFailedTests' | 'numFailedTestSuites' | 'numPassedTests', number>;
      const value = numFailedTests + numFailedTestSuites;
      return {
        notes: [`${options.name}: PROOF_SEED=${number}, ${numPassedTests} tests passed`],
        figures: [
          { name: `${options.name}-wrong`, value, goal: { atMost: 0 } },
          ...worstOf(reported),
        ],
      };
    },
  };
}

/** What the tests measured on the way and assert nothing of; of several with one name the worst. */
function worstOf(file: string): Figure[] {
  if (!existsSync(file)) return [];
  const worst = new Map<string, Figure>();
  for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
    const figure = JSON.parse(line) as Figure;
    const before = worst.get(figure.name);
    const isWorse =
      before === undefined ||
      ('atMost' in figure.goal ? figure.value > before.value : figure.value < before.value);
    if (isWorse) worst.set(figure.name, figure);
  }
  return [...worst.values()];
}

export const generatedProofs: readonly Proof[] = [
  generated({
    name: 'codec',
    about:
      'Our gRPC codec equals proto-loader on >= 100,000 generated messages; hostile bytes refused',
    minutes: 10,
    project: 'unit',
    pattern: 'unit/extauthz/grpc-codec',
  }),
  generated({
    name: 'differential',
    about: 'HTTP = gRPC = a plain model on >= 100,000 generated inputs',
    minutes: 45,
    project: 'integration',
    pattern: 'extauthz-differential',
  }),
  generated({
    name: 'hostile',
    about: 'Hostile bytes at both check ports: raw HTTP, HTTP/2 frames, messages, slow clients',
    minutes: 15,
    project: 'integration',
    pattern: 'extauthz-(hostile|slow-clients)',
  }),
  generated({
    name: 'refresh-once',
    about: 'One use of a refresh token per expiry: 50 callers on each of three replicas',
    minutes: 20,
    project: 'integration',
    pattern: 'integration/refresh-once',
  }),
  generated({
    name: 'crash-points',
    about: 'The gateway is killed at every Redis command and every call of login, refresh, logout',
    minutes: 20,
    project: 'integration',
    pattern: 'integration/crash-points',
  }),
  generated({
    name: 'login-swaps',
    about:
      'Two browsers swap cookies, states, codes, issuers and callbacks: one honest combination',
    minutes: 10,
    project: 'integration',
    pattern: 'integration/login-swaps',
  }),
  generated({
    name: 'invariants',
    about: 'I1–I10 of the sessions on real Redis, by generated schedules, with and without kills',
    minutes: 40,
    project: 'integration',
    pattern: 'integration/invariants',
  }),
  generated({
    name: 'failover',
    about:
      'Sentinel loses its primary under load, killed and cut off: recovery, and no logout comes back',
    minutes: 15,
    project: 'integration',
    pattern: 'modes/gateway-failover',
  }),
  generated({
    name: 'overload',
    about:
      'extauthz far above its limit of waiting checks: sheds, stays small, serves what it knows',
    minutes: 10,
    project: 'integration',
    pattern: 'extauthz-overload',
  }),
];
