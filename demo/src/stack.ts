import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startChild, type ChildProcess, type Death } from './child-process.js';
import { startEnvoy, type Mode } from './envoy-process.js';
import { findEnvoy } from './parts/envoy.js';
import { findRedisServer } from './parts/redis-server.js';
import type { Ports } from './ports.js';
import { answering } from './readiness.js';
import { redisAcl } from './redis-acl.js';
import { startRedis, type RedisProcess } from './redis-process.js';
import { newSecrets, type RunSecrets } from './secrets.js';
import {
  idpOrigin,
  publicOrigin,
  repository,
  services,
  type ServiceContext,
  type ServiceName,
} from './services.js';
import { StartedParts, type PartName } from './started-parts.js';

export interface StackOptions extends Pick<ServiceContext, 'recordFile' | 'extraEnv'> {
  readonly mode: Mode;
  readonly ports: Ports;
  /** Gets everything this run writes. */
  readonly directory: string;
  readonly progress: StackProgress;
  readonly logLevel?: string;
  /** Gives the start up: whatever runs by then is stopped. */
  readonly signal?: AbortSignal;
}

export interface StackProgress {
  /** A part is being got or started; `what` says what is waited for. */
  waiting(part: string, what: string): void;
  ready(part: string, milliseconds: number): void;
}

export interface Stack {
  readonly mode: Mode;
  readonly ports: Ports;
  /** Where a browser goes. */
  readonly origin: string;
  readonly idpOrigin: string;
  readonly directory: string;
  readonly logDirectory: string;
  readonly secrets: RunSecrets;
  readonly redis: RedisProcess;
  part(name: PartName): ChildProcess;
  /** Settles with the first part that ended without being asked to. */
  readonly firstDeath: Promise<Death>;
  /** Ends every part, those in front first. Safe to repeat. */
  stop(): Promise<void>;
}

/** Everything of the demo, ready when this resolves. When it rejects, nothing is left running. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { directory, mode, ports } = options;
  const logDirectory = join(directory, 'logs');
  mkdirSync(logDirectory, { recursive: true });
  const secrets = newSecrets();
  const deaths = firstOf<Death>();
  const started = new StartedParts();
  const launcher = new Launcher(options, secrets, logDirectory, started, deaths.report);
  try {
    await launcher.startAll();
  } catch (error) {
    await started.stopAll();
    throw error;
  }
  return {
    mode,
    ports,
    origin: publicOrigin(ports),
    idpOrigin: idpOrigin(ports),
    directory,
    logDirectory,
    secrets,
    redis: started.redis(),
    part: (name) => started.part(name),
    firstDeath: deaths.first,
    stop: () => started.stopAll(),
  };
}

class Launcher {
  readonly #options: StackOptions;
  readonly #secrets: RunSecrets;
  readonly #logs: string;
  readonly #started: StartedParts;
  readonly #onDeath: (death: Death) => void;
  readonly #giveUp = new AbortController();

  constructor(
    options: StackOptions,
    secrets: RunSecrets,
    logs: string,
    started: StartedParts,
    onDeath: (death: Death) => void,
  ) {
    this.#options = options;
    this.#secrets = secrets;
    this.#logs = logs;
    this.#started = started;
    this.#onDeath = onDeath;
    options.signal?.addEventListener('abort', () => this.#giveUp.abort());
  }

  /** What depends on nothing starts at once; the services when Redis and the provider answer. */
  async startAll(): Promise<void> {
    const envoy = this.#startEnvoy();
    const behind = [this.#startRedis(), this.#startService('idp')];
    const beside = (['permission-service', 'api', 'app'] as const).map((name) =>
      this.#startService(name),
    );
    const inFront = Promise.all(behind).then(() =>
      Promise.all([this.#startService('session-gateway'), this.#startService('extauthz')]),
    );
    const all = [envoy, ...behind, ...beside, inFront];
    try {
      await Promise.all(all);
    } catch (error) {
      // The others' starts end at once too; none may still be on its way when all are stopped.
      this.#giveUp.abort();
      await Promise.allSettled(all);
      throw error;
    }
  }

  async #startRedis(): Promise<void> {
    const { directory, ports, progress } = this.#options;
    await this.#timed('redis', `its log to say that port ${ports.redis} is open`, async () => {
      const server = await findRedisServer((line) => progress.waiting('redis', line));
      const { extauthz, sessionGateway, admin } = this.#secrets.redis;
      const passwords = { extauthz, sessionGateway };
      const adminHash = createHash('sha256').update(admin).digest('hex');
      this.#started.addRedis(
        await startRedis({
          binary: server.path,
          port: ports.redis,
          directory: join(directory, 'redis'),
          appendOnly: true,
          acl: [
            ...redisAcl({ version: server.version, passwords }),
            `user admin on #${adminHash} ~* &* +@all`,
          ],
        }),
        this.#onDeath,
      );
    });
  }

  async #startService(name: ServiceName): Promise<void> {
    const { script, env, readyUrl } = services({
      ...this.#options,
      secrets: this.#secrets,
      logLevel: this.#options.logLevel ?? 'info',
    })[name];
    await this.#timed(name, readyUrl, async () => {
      this.#started.add(
        await startChild({
          name,
          command: process.execPath,
          args: [join(repository, script)],
          env: { ...inheritedEnv(), ...env },
          logFile: join(this.#logs, `${name}.log`),
          ...answering(readyUrl),
          onDeath: this.#onDeath,
          signal: this.#giveUp.signal,
        }),
      );
    });
  }

  async #startEnvoy(): Promise<void> {
    const { directory, mode, ports, progress } = this.#options;
    await this.#timed('envoy', `http://127.0.0.1:${ports.envoyAdmin}/ready`, async () => {
      const { path } = await findEnvoy((line) => progress.waiting('envoy', line));
      const logFile = join(this.#logs, 'envoy.log');
      this.#started.add(
        await startEnvoy({
          binary: path,
          mode,
          ports,
          directory,
          logFile,
          env: inheritedEnv(),
          onDeath: this.#onDeath,
          signal: this.#giveUp.signal,
        }),
      );
    });
  }

  async #timed(part: string, what: string, start: () => Promise<void>): Promise<void> {
    const began = performance.now();
    this.#options.progress.waiting(part, `waiting for ${what}`);
    await start();
    this.#options.progress.ready(part, performance.now() - began);
  }
}

/** Only what a program needs to run at all: a stray setting of this shell must change no service. */
function inheritedEnv(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function firstOf<T>(): { first: Promise<T>; report: (value: T) => void } {
  let report: (value: T) => void = () => undefined;
  const first = new Promise<T>((resolve) => (report = resolve));
  return { first, report };
}
