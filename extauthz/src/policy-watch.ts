import { watch, type FSWatcher } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
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
  /** How long a change must stand still before it is taken, ms. */
  readonly settleTime?: number;
}

/**
 * Keeps the policy as its file is. The folder is watched rather than the file: an editor replaces
 * the file by a rename, and Kubernetes swaps the `..data` link beside it; both leave a watch on the
 * file itself deaf. A bad file changes nothing. A file that is written in place is read half-way, and half
 * a policy may be a good one: what has changed is taken once two readings agree.
 */
export function policyWatch(options: PolicyWatchOptions): PolicyWatch {
  const { file, initial, read, onReload, onBad } = options;
  const { pollInterval = 5000, settleTime = 100 } = options;
  let policy = initial.policy;
  let seen: string | undefined = initial.text;
  let watcher: FSWatcher | undefined;
  let timer: NodeJS.Timeout | undefined;
  let reading = false;
  const stopping = new AbortController();
  const isOver = (): boolean => stopping.signal.aborted;
  /** Something may have changed since the last reading began. */
  let again = false;

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

  const readNow = async (): Promise<{ readonly text?: string; readonly reason: string }> => {
    try {
      return { text: await readFile(file, 'utf8'), reason: '' };
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
      return { reason: `the file cannot be read (${code}). Check the path and its mode.` };
    }
  };

  /** One at a time: a change meanwhile is seen by the next reading, and there is one after each change. */
  const look = async (): Promise<void> => {
    again = true;
    if (reading) return;
    reading = true;
    while (again && !isOver()) {
      again = false;
      let now = await readNow();
      while (now.text !== seen && !isOver()) {
        const before = now;
        await delay(settleTime, undefined, { ref: false });
        now = await readNow();
        if (now.text === before.text) break;
      }
      if (!isOver()) take(now.text, now.reason);
    }
    reading = false;
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
      stopping.abort();
      clearInterval(timer);
      unwatch();
      await Promise.resolve();
    },
  };
}
