import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { until } from './until.js';

/** Every command that reaches this Redis while `run` does, whoever sent it, in Redis's own order. */
export async function commandsDuring(
  admin: Redis,
  run: () => Promise<unknown>,
): Promise<readonly (readonly string[])[]> {
  const seen: string[][] = [];
  const monitor = await admin.monitor();
  monitor.on('monitor', (_time: string, words: string[]) => seen.push(words));
  try {
    await run();
    // What Redis ran before this has been told before it.
    const mark = randomUUID();
    await admin.echo(mark);
    const at = (): number => seen.findIndex(([, word]) => word === mark);
    await until(() => at() !== -1);
    return seen.slice(0, at());
  } finally {
    monitor.disconnect();
  }
}
