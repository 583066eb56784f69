import { readFileSync, rmSync } from 'node:fs';
import { holdsWithin } from '../poll.js';

/** How a node process is started so that {@link collectedMemory} can ask it. */
export function probeOptions(file: string): {
  nodeOptions: readonly string[];
  env: Readonly<Record<string, string>>;
} {
  const probe = new URL('memory-probe.js', import.meta.url).href;
  return {
    nodeOptions: ['--expose-gc', '--import', probe],
    env: { MEMORY_PROBE_FILE: file },
  };
}

/** What a process holds after forced collections. @throws Error when it does not answer */
export async function collectedMemory(pid: number, file: string): Promise<NodeJS.MemoryUsage> {
  rmSync(file, { force: true });
  process.kill(pid, 'SIGUSR2');
  let usage: NodeJS.MemoryUsage | undefined;
  await holdsWithin(10_000, () => {
    try {
      usage = JSON.parse(readFileSync(file, 'utf8')) as NodeJS.MemoryUsage;
    } catch {
      // Not written yet, or half.
    }
    return usage !== undefined;
  });
  if (usage === undefined) throw new Error('the memory probe did not answer');
  return usage;
}
