import type { ChildProcess as NodeChild } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { spawnGuarded } from './guarded-spawn.js';

export interface ChildOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment: nothing is inherited, so no stray variable changes a run. */
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Asked again and again until it says yes. */
  readonly isReady: () => Promise<boolean>;
  /** For people: what `isReady` asks. */
  readonly waitsFor: string;
  /** Told of an end that nobody asked for. */
  readonly onDeath?: (death: Death) => void;
  /** Gives the wait for readiness up. */
  readonly signal?: AbortSignal;
}

export interface Death {
  readonly name: string;
  /** `exit code 1`, `SIGKILL`, … */
  readonly how: string;
  readonly lastLines: readonly string[];
}

/** A child that never became ready. */
export class ChildStartError extends Error {
  override readonly name = 'ChildStartError';
  readonly code = 'child_not_ready';
}

export interface ChildProcess {
  readonly name: string;
  readonly logFile: string;
  /** Undefined while it does not run. */
  readonly pid: number | undefined;
  /** SIGTERM, and SIGKILL if it is still there after the deadline. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Ready again, with the same command and environment. */
  restart(): Promise<void>;
}

const readyDeadline = 30_000;
const stopDeadline = 8_000;
const pollInterval = 25;

/** Starts a process and resolves when it is ready. It never outlives this process. */
export async function startChild(options: ChildOptions): Promise<ChildProcess> {
  let running = await launch(options);
  return {
    name: options.name,
    logFile: options.logFile,
    get pid() {
      return running.over() === undefined ? running.child.pid : undefined;
    },
    stop: () => end(running, 'SIGTERM'),
    kill: () => end(running, 'SIGKILL'),
    restart: async () => {
      await end(running, 'SIGTERM');
      running = await launch(options);
    },
  };
}

interface Running {
  readonly child: NodeChild;
  readonly ended: Promise<void>;
  /** How it ended, once it has. */
  readonly over: () => string | undefined;
  /** From here on its end is no surprise. */
  readonly expectEnd: () => void;
  /** From here on its end is one that `onDeath` must hear of. */
  readonly markReady: () => void;
}

async function launch(options: ChildOptions): Promise<Running> {
  const running = spawnLogged(options);
  const deadline = performance.now() + readyDeadline;
  while (running.over() === undefined && !options.signal?.aborted) {
    if (performance.now() > deadline) break;
    // Looked at once more: if it ended over a taken port, the one that answered is another program.
    if ((await options.isReady()) && running.over() === undefined) {
      running.markReady();
      return running;
    }
    await new Promise((resolve) => setTimeout(resolve, pollInterval));
  }
  const how = options.signal?.aborted
    ? 'given up'
    : (running.over() ?? `not ready after ${readyDeadline / 1000} s (${options.waitsFor})`);
  await end(running, 'SIGKILL');
  throw new ChildStartError(
    [`${options.name} did not start: ${how}`, ...lastLines(options.logFile)].join('\n    '),
  );
}

function spawnLogged(options: ChildOptions): Running {
  // Straight into the file: no pipe that a stopped parent would leave full.
  const log = openSync(options.logFile, 'a', 0o600);
  const child = spawnGuarded(options.command, options.args, { env: options.env, log });
  closeSync(log);
  let over: string | undefined;
  // Until it is ready, its end is the starter's to report.
  let expected = true;
  const ended = new Promise<void>((resolve) => {
    const settle = (how: string): void => {
      if (over !== undefined) return;
      over = how;
      if (!expected) {
        options.onDeath?.({ name: options.name, how, lastLines: lastLines(options.logFile) });
      }
      resolve();
    };
    child.once('exit', (code, signal) => settle(signal ?? `exit code ${code ?? 'unknown'}`));
    child.once('error', (error) => settle(error.message));
  });
  return {
    child,
    ended,
    over: () => over,
    markReady: () => (expected = false),
    expectEnd: () => (expected = true),
  };
}

async function end(running: Running, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  running.expectEnd();
  if (running.over() !== undefined) return;
  running.child.kill(signal);
  const impatience = setTimeout(() => running.child.kill('SIGKILL'), stopDeadline);
  await running.ended;
  clearTimeout(impatience);
}

/** The end of a log, for whoever has to say why something ended. */
export function lastLines(logFile: string): string[] {
  return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-12);
}
