import { readdirSync, readFileSync } from 'node:fs';

/**
 * CPU time of a process so far, all threads, user and system, in milliseconds. It is what
 * utime + stime of /proc/<pid>/stat say, but from the scheduler's own nanoseconds where the kernel
 * offers them: the 10 ms ticks of `stat` are coarser than Redis's whole share of a short round.
 */
export function cpuMs(pid: number): number {
  let nanoseconds = 0;
  try {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      nanoseconds += Number(read(`/proc/${pid}/task/${task}/schedstat`).split(' ')[0]);
    }
  } catch {
    return ticksMs(pid);
  }
  return nanoseconds / 1e6;
}

function ticksMs(pid: number): number {
  // "pid (name) state …": the name may hold anything, so read after its end.
  const text = read(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticksPerSecond = 100;
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond;
}

/** Resident memory in MiB. */
export function residentMib(pid: number): number {
  const [, kib] = /^VmRSS:\s+([0-9]+) kB/m.exec(read(`/proc/${pid}/status`)) ?? [];
  return Number(kib) / 1024;
}

function read(path: string): string {
  return readFileSync(path, 'utf8');
}
