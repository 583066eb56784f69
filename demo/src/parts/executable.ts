import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { Env } from './progress.js';

/** Where an executable came from, for the banner and for skipped tests' reasons. */
export type Source = 'environment' | 'path' | 'cache' | 'wheel';

const run = promisify(execFile);

export async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** The first of the names that PATH has. */
export async function findOnPath(
  names: readonly string[],
  env: Env = process.env,
): Promise<string | undefined> {
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const name of names) {
    for (const folder of folders) {
      const path = join(folder, name);
      if (await isExecutable(path)) return path;
    }
  }
  return undefined;
}

/** Major and minor from `--version`; undefined if it does not run or says something else. */
export async function versionOf(
  path: string,
  grammar: RegExp,
): Promise<readonly [number, number] | undefined> {
  try {
    const { stdout } = await run(path, ['--version'], { timeout: 20_000 });
    const [, major, minor] = grammar.exec(stdout) ?? [];
    return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor)];
  } catch {
    return undefined;
  }
}
