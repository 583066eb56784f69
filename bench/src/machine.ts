import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { findEnvoy } from '@sallyport/demo/parts/envoy';
import { findRedisServer } from '@sallyport/demo/parts/redis-server';

/** The repository: this file runs from bench/dist/src. */
export const root = fileURLToPath(new URL('../../..', import.meta.url));

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly node: string;
  readonly redis: string;
  readonly envoy: string;
  readonly commit: string;
}

/** What a figure was measured on, and what measured it. */
export async function describeMachine(): Promise<Machine> {
  const redis = await findRedisServer();
  const envoy = await findEnvoy();
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    redis: /v=([^ ]+)/.exec(output(redis.path, ['--version']))?.[1] ?? 'unknown',
    envoy: /\/([0-9]+\.[0-9.]+)\//.exec(output(envoy.path, ['--version']))?.[1] ?? 'unknown',
    commit: commitOf(),
  };
}

function commitOf(): string {
  try {
    const commit = output('git', ['-C', root, 'rev-parse', '--short=12', 'HEAD']);
    const changed = output('git', ['-C', root, 'status', '--porcelain']) !== '';
    return changed ? `${commit} with uncommitted changes` : commit;
  } catch {
    return 'unknown (no git repository)';
  }
}

function output(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8' }).trim();
}
