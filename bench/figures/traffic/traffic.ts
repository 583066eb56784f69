import { execFile, fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { defaultSessionCookieName } from '@sallyport/shared';
import type { Target } from '../../src/load/asker.js';
import type { BenchRedis } from '../../src/parts/redis.js';
import { holdsWithin } from '../../src/poll.js';
import type { Workbench } from '../../src/workbench.js';
import type { Verdict } from '../oracle/judge.js';
import type { Progress, TrafficSpec } from './traffic-spec.js';

export interface Traffic {
  /** Resolves once so many checks are answered. */
  reach(checks: number): Promise<void>;
  /** Whether an answer that is neither an allow nor a 401 came since `before` of them. */
  readonly trouble: () => number;
  /** Waits for the end and lets the oracle judge. */
  verdict(): Promise<Verdict>;
}

export function target(protocol: 'http' | 'grpc', port: number, userHeader = 'x-user-id'): Target {
  const cookieName = defaultSessionCookieName;
  return { protocol, port, cookieName, path: '/api/orders?page=2', userHeader };
}

export function startTraffic(
  bench: Workbench,
  redis: BenchRedis,
  options: Pick<TrafficSpec, 'targets' | 'seed' | 'checks' | 'rate'>,
): Traffic {
  const journal = join(bench.directory, 'journal');
  const spec: TrafficSpec = {
    ...options,
    redis: { port: redis.process.port, ...redis.adminCredentials },
    journal,
  };
  const child = fork(here('main.js'), [JSON.stringify(spec)]);
  bench.keep(child, (one) => {
    if (one.connected) one.disconnect();
  });
  let progress: Progress = { checks: 0, trouble: 0, over: false };
  let ended = false;
  child.on('message', (message: Progress) => (progress = message));
  child.once('exit', () => (ended = true));
  // Twice its own time: the generator waits for answers, and the machine may be busy.
  const patience = (2_000 * options.checks) / options.rate + 60_000;
  const reach = async (reached: () => boolean): Promise<void> => {
    const came = await holdsWithin(patience, () => ended || reached());
    if (!came || !reached()) throw new Error(`the traffic stopped at ${progress.checks} checks`);
  };
  return {
    reach: (checks) => reach(() => progress.checks >= checks),
    trouble: () => progress.trouble,
    verdict: async () => {
      await reach(() => progress.over);
      return askOracle(journal);
    },
  };
}

async function askOracle(journal: string): Promise<Verdict> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    here('../oracle/main.js'),
    journal,
  ]);
  return JSON.parse(stdout) as Verdict;
}

function here(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}
