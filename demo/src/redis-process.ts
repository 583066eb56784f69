import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { spawnGuarded } from './guarded-spawn.js';
import { findRedisServer } from './parts/redis-server.js';
import { redisSettings, type RedisSettings } from './redis-settings.js';

export interface RedisProcessOptions extends RedisSettings {
  /** Left out: a free one. */
  readonly port?: number;
  /** Holds the configuration, the log and the data; made if missing. */
  readonly directory: string;
  /** A redis-server; left out: {@link findRedisServer}. */
  readonly binary?: string;
}

export interface RedisProcess {
  readonly port: number;
  readonly directory: string;
  readonly logFile: string;
  /** The running process's; undefined while stopped. */
  readonly pid: number | undefined;
  url(user?: { readonly name: string; readonly password: string }): string;
  /** Ends it in order: with `appendOnly` nothing is lost. */
  stop(): Promise<void>;
  /** SIGKILL: what was not yet written is lost. */
  kill(): Promise<void>;
  /** SIGSTOP: the sockets stay open, nothing answers. */
  pause(): void;
  resume(): void;
  /** Same port, same directory; also after `stop` or `kill`. */
  restart(): Promise<void>;
}

/** A real Redis on 127.0.0.1, ready when this resolves. It never outlives this process. */
export async function startRedis(options: RedisProcessOptions): Promise<RedisProcess> {
  const binary = options.binary ?? (await findRedisServer()).path;
  const port = options.port ?? (await freePort({ clusterBus: options.clusterEnabled === true }));
  const { directory } = options;
  mkdirSync(directory, { recursive: true });
  const configFile = join(directory, 'redis.conf');
  const logFile = join(directory, 'redis.log');
  // Settings may hold passwords.
  writeFileSync(configFile, redisSettings(port, directory, options), { mode: 0o600 });
  let running = await launch(binary, configFile, logFile);
  const scheme = options.tls === undefined ? 'redis' : 'rediss';
  return {
    port,
    directory,
    logFile,
    get pid() {
      return running.hasEnded() ? undefined : running.child.pid;
    },
    url: (user) => {
      const credentials = user
        ? `${encodeURIComponent(user.name)}:${encodeURIComponent(user.password)}@`
        : '';
      return `${scheme}://${credentials}127.0.0.1:${port}`;
    },
    stop: () => end(running, 'SIGTERM'),
    kill: () => end(running, 'SIGKILL'),
    pause: () => void running.child.kill('SIGSTOP'),
    resume: () => void running.child.kill('SIGCONT'),
    restart: async () => {
      await end(running, 'SIGTERM');
      running = await launch(binary, configFile, logFile);
    },
  };
}

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
  readonly hasEnded: () => boolean;
}

async function launch(binary: string, configFile: string, logFile: string): Promise<Running> {
  const log = openSync(logFile, 'a', 0o600);
  const logStart = statSync(logFile).size;
  const child = spawnGuarded(binary, [configFile], { log });
  closeSync(log);
  const running = watch(child);
  const outcome = await firstOf(running, () => readFileSync(logFile, 'utf8').slice(logStart));
  if (outcome === 'ready') return running;
  if (outcome === 'late') await end(running, 'SIGKILL');
  const lines = readFileSync(logFile, 'utf8').slice(logStart).trim().split('\n');
  throw new Error(`redis-server did not start (${binary}): ${lines.slice(-5).join(' | ')}`);
}

function watch(child: ChildProcess): Running {
  let over = false;
  const ended = new Promise<void>((resolve) => {
    const settle = (): void => {
      over = true;
      resolve();
    };
    child.once('exit', settle);
    child.once('error', settle);
  });
  child.unref();
  return { child, ended, hasEnded: () => over };
}

/**
 * Its own log says when it accepts connections. A PING on the port would not do: if another server
 * took the port first, that one would answer.
 */
async function firstOf(
  running: Running,
  readLog: () => string,
): Promise<'ready' | 'ended' | 'late'> {
  for (let attempt = 0; attempt < 3_000; attempt += 1) {
    if (running.hasEnded()) return 'ended';
    if (readLog().includes('Ready to accept connections')) return 'ready';
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return 'late';
}

async function end(running: Running, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (running.hasEnded()) return;
  running.child.ref();
  running.child.kill(signal);
  // A paused process takes its SIGTERM only once it runs again.
  running.child.kill('SIGCONT');
  const impatience = setTimeout(() => running.child.kill('SIGKILL'), 10_000);
  await running.ended;
  clearTimeout(impatience);
}
