import { readdirSync, readFileSync } from 'node:fs';

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch {
    return false;
  }
}

/** The children of a process (by /proc), those whose command line has the text. */
export function processesUnder(parent: number, commandPart = ''): number[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .filter((pid) => statusOf(pid)?.parent === parent)
    .filter((pid) => commandLine(pid).includes(commandPart));
}

function isZombie(pid: number): boolean {
  return statusOf(pid)?.state === 'Z';
}

function statusOf(pid: number): { state: string; parent: number } | undefined {
  try {
    // "pid (name) state parent …"; the name may hold anything, so read after its end.
    const text = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    const [state = '', parent = ''] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
