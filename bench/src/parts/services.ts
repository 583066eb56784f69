import { join } from 'node:path';
import { startChild, type ChildProcess } from '@sallyport/demo/child-process';
import { freePort } from '@sallyport/demo/free-port';
import { answering } from '@sallyport/demo/readiness';
import { root } from '../machine.js';
import type { Workbench } from '../workbench.js';
import { readerEnv } from './redis.js';

export interface Service {
  readonly child: ChildProcess;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly healthPort: number;
  readonly pid: () => number;
}

export interface ExtauthzOptions {
  readonly name: string;
  readonly redisPort: number;
  /** `SESSION_CACHE_MAX_ENTRIES`; left out: the default. */
  readonly cacheEntries?: number;
  /** How it reaches Redis; left out: as the shipped user, at `redisPort`. */
  readonly redisEnv?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeOptions?: readonly string[];
}

/** The real binary, as it is started in production. */
export async function startExtauthz(bench: Workbench, options: ExtauthzOptions): Promise<Service> {
  const ports = { httpPort: await freePort(), grpcPort: await freePort() };
  const healthPort = await freePort();
  const cache = options.cacheEntries;
  const child = await startNode(bench, {
    name: options.name,
    args: [...(options.nodeOptions ?? []), join(root, 'extauthz/dist/main.js')],
    env: {
      EXTAUTHZ_HTTP_PORT: String(ports.httpPort),
      EXTAUTHZ_GRPC_PORT: String(ports.grpcPort),
      EXTAUTHZ_HEALTH_PORT: String(healthPort),
      ...(options.redisEnv ?? readerEnv(options.redisPort)),
      ...(cache === undefined ? {} : { SESSION_CACHE_MAX_ENTRIES: String(cache) }),
      EXTAUTHZ_DRAIN_WAIT_MS: '0',
      ...options.env,
    },
    readyUrl: `http://127.0.0.1:${healthPort}/readyz`,
  });
  return { child, ...ports, healthPort, pid: pidOf(child) };
}

export type Baseline =
  'http-noop' | 'grpc-noop' | 'hgetall-per-check' | 'express-noop' | 'express-oidc';

/** One of the frozen baselines; its port is both `httpPort` and `grpcPort`. */
export async function startBaseline(
  bench: Workbench,
  name: Baseline,
  env: Readonly<Record<string, string>> = {},
): Promise<Service> {
  const port = await freePort();
  const healthPort = name === 'grpc-noop' ? await freePort() : port;
  const child = await startNode(bench, {
    name,
    args: [join(root, `bench/baselines/${name}.mjs`)],
    env: { PORT: String(port), HEALTH_PORT: String(healthPort), ...env },
    readyUrl: `http://127.0.0.1:${healthPort}/`,
    // The stand-in refuses whoever comes without a session: any answer will do.
    anyAnswer: name === 'hgetall-per-check',
  });
  return { child, httpPort: port, grpcPort: port, healthPort, pid: pidOf(child) };
}

/** A node process in production mode, ready when its address answers. */
export async function startNode(
  bench: Workbench,
  options: {
    readonly name: string;
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    readonly readyUrl: string;
    readonly anyAnswer?: boolean;
    /** Without NODE_ENV: what has DEV_INSECURE refuses production mode. */
    readonly devMode?: boolean;
  },
): Promise<ChildProcess> {
  const readiness = answering(options.readyUrl);
  return bench.keep(
    await startChild({
      name: options.name,
      command: process.execPath,
      args: options.args,
      env: { ...(options.devMode === true ? {} : { NODE_ENV: 'production' }), ...options.env },
      logFile: join(bench.directory, `${options.name}.log`),
      waitsFor: readiness.waitsFor,
      isReady:
        options.anyAnswer === true ? () => answersAtAll(options.readyUrl) : readiness.isReady,
    }),
    (child) => child.kill(),
  );
}

async function answersAtAll(url: string): Promise<boolean> {
  try {
    await fetch(url);
    return true;
  } catch {
    return false;
  }
}

export function pidOf(child: ChildProcess): () => number {
  return () => {
    if (child.pid === undefined) throw new Error(`${child.name} does not run`);
    return child.pid;
  };
}
