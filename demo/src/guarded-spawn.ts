import { spawn, type ChildProcess } from 'node:child_process';
import type { Writable } from 'node:stream';

/**
 * The guard waits on a pipe that only this process holds open. A line means that the child was
 * stopped properly (and its pid may belong to somebody else by now); the end of the pipe without one
 * means that this process is gone, however it went: exit handlers do not run on SIGKILL. The guard
 * is there before the program replaces the shell (same pid), so there is no moment without one.
 */
const guarded = '( ( read -r _ <&3 || kill -9 $$ ) >/dev/null 2>&1 & ); exec "$@" 3<&-';

/** A child whose output goes to an open file and that never outlives this process. */
export function spawnGuarded(
  command: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly log: number },
): ChildProcess {
  const child = spawn('/bin/sh', ['-c', guarded, 'sh', command, ...args], {
    env: options.env,
    stdio: ['ignore', options.log, options.log, 'pipe'],
    // Its own process group: Ctrl-C reaches only this process, which then stops all in order.
    detached: true,
  });
  const pipe = child.stdio[3] as (Writable & { unref(): void }) | null | undefined;
  pipe?.on('error', () => {
    // The guard was killed; there is nobody to tell.
  });
  pipe?.unref();
  child.once('exit', () => pipe?.end('stopped\n'));
  return child;
}
