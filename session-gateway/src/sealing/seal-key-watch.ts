import { readFile } from 'node:fs/promises';
import type { Unit } from '@sallyport/shared/runtime';
import type { SealKey } from './key-ring.js';

export interface SealKeyWatch extends Unit {
  /** The keys in force. */
  readonly current: () => readonly SealKey[];
}

export interface SealKeyWatchOptions {
  /** `TOKEN_SEAL_KEYS_FILE`; undefined where the keys came by the environment and cannot change. */
  readonly file: string | undefined;
  readonly initial: readonly SealKey[];
  readonly read: (text: string) => { keys: readonly SealKey[]; problems: readonly string[] };
  /** The file is good, also where it is what it was before it was bad. */
  readonly onGood: () => void;
  readonly onReload: (keys: readonly SealKey[]) => void;
  readonly onBad: (problems: readonly string[]) => void;
  /** ms; 1000 if left out. */
  readonly interval?: number;
}

/**
 * Keeps the ring as its file is. Read every second rather than watched: Kubernetes swaps a link, and
 * network mounts tell nothing. A bad file changes nothing, and says so once.
 */
export function sealKeyWatch(options: SealKeyWatchOptions): SealKeyWatch {
  const { file, initial, read, onGood, onReload, onBad, interval = 1000 } = options;
  let keys = initial;
  let seen: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const take = (text: string, problem?: string): void => {
    if (text === seen) return;
    seen = text;
    const found = problem === undefined ? read(text) : { keys: [], problems: [problem] };
    if (found.problems.length > 0) {
      onBad(found.problems);
      return;
    }
    onGood();
    if (fingerprint(found.keys) === fingerprint(keys)) return;
    keys = found.keys;
    onReload(keys);
  };

  const look = async (path: string): Promise<void> => {
    try {
      take((await readFile(path, 'utf8')).replace(/\r?\n$/, ''));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
      take(`\0${code}`, `the file cannot be read (${code}). Check the path and its mode.`);
    }
    if (!stopped) timer = setTimeout(() => void look(path), interval).unref();
  };

  return {
    name: 'seal keys',
    current: () => keys,
    start: () => (file === undefined ? Promise.resolve() : look(file)),
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      return Promise.resolve();
    },
  };
}

/** Compared in this process only. */
function fingerprint(keys: readonly SealKey[]): string {
  return keys.map(({ kid, key }) => `${kid}:${Buffer.from(key).toString('hex')}`).join(',');
}
