import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where a scenario puts what it starts: all of it is ended with the scenario, in reverse order. */
export interface Workbench {
  readonly directory: string;
  /** Registers an ending and hands its thing through. */
  keep<T>(thing: T, end: (thing: T) => Promise<void> | void): T;
}

/** Runs `work` on a workbench of its own; it may not take longer than `minutes`. */
export async function onWorkbench<T>(
  name: string,
  minutes: number,
  work: (bench: Workbench) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), `sallyport-bench-`));
  const endings: (() => Promise<void> | void)[] = [];
  let expire: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    expire = setTimeout(() => {
      reject(new Error(`${name} took longer than ${minutes} min`));
    }, minutes * 60_000);
  });
  try {
    const bench: Workbench = {
      directory,
      keep: (thing, end) => {
        endings.unshift(() => end(thing));
        return thing;
      },
    };
    return await Promise.race([work(bench), late]);
  } finally {
    clearTimeout(expire);
    for (const end of endings) await end();
    rmSync(directory, { recursive: true, force: true });
  }
}
