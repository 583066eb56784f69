import { watch, type FSWatcher } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Unit } from '@sallyport/shared/runtime';
import type { Policy } from './policy.js';
import type { PolicyReading } from './policy-file.js';

export interface PolicyWatch extends Unit {
  /** The rules in force. */
  readonly current: () => Policy;
}

export interface PolicyWatchOptions {
  readonly file: string;
  /** What the file said at the start, and what that makes. */
  readonly initial: { readonly text: string; readonly policy: Policy };
  readonly read: (text: string) => PolicyReading;
  readonly onReload: (policy: Policy) => void;
  readonly onBad: (problems: readonly string[]) => void;
  /** How often to look where the file system tells nothing (network mounts), ms. */
  readonly pollInterval?: number;
}

/**
 * Keeps the policy as its file is. The folder is watched rather than the file: an editor replaces
 * the file by a rename, and Kubernetes swaps the `..data` link beside it; both leave a watch on the
 * file itself deaf. A bad file changes nothing.
 */
export function policyWatch(options: PolicyWatchOptions): PolicyWatch {
  const { file, initial, read, onReload, onBad, pollInterval = 5000 } = options;
  let policy = initial.policy;
  let seen: string | undefined = initial.text;
  let watcher: FSWatcher | undefined;
  let timer: NodeJS.Timeout | undefined;
  let reading = false;
  let again = false;
  let stopped = false;

  const take = (text: string | undefined, reason: string): void => {
    if (text === seen) return;
    seen = text;
    const result = text === undefined ? { problems: [reason] } : read(text);
    if ('problems' in result) {
      onBad(result.problems);
      return;
    }
    policy = result.policy;
    onReload(policy);
  };

  /** One reading at a time; a change during one is read right after it. */
  const look = async (): Promise<void> => {
    again = reading;
    if (reading) return;
    reading = true;
    let text: string | undefined;
    let reason = '';
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
      reason = `the file cannot be read (${code}). Check the path and its mode.`;
    }
    reading = false;
    if (stopped) return;
    if (again) return look();
    take(text, reason);
  };

  const watchFolder = (): void => {
    if (watcher !== undefined) return;
    try {
      watcher = watch(dirname(file), { persistent: false }, () => void look());
      watcher.on('error', unwatch);
    } catch {
      // No inotify left, or no folder: the poll sees the change.
    }
  };
  const unwatch = (): void => {
    watcher?.close();
    watcher = undefined;
  };

  return {
    name: 'policy file',
    current: () => policy,
    start: async () => {
      watchFolder();
      timer = setInterval(() => {
        watchFolder();
        void look();
      }, pollInterval);
      // Between the reading at the start and the watch it may have changed.
      await look();
    },
    stop: async () => {
      stopped = true;
      clearInterval(timer);
      unwatch();
      await Promise.resolve();
    },
  };
}
