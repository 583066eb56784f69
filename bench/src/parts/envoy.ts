import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChild } from '@sallyport/demo/child-process';
import { freePort } from '@sallyport/demo/free-port';
import { findEnvoy } from '@sallyport/demo/parts/envoy';
import { answering } from '@sallyport/demo/readiness';
import type { Workbench } from '../workbench.js';
import { envoyConfig, type EnvoyMode } from './envoy-config.js';
import type { Service } from './services.js';

export interface BenchEnvoy {
  readonly port: number;
  readonly adminPort: number;
  readonly pid: () => number;
}

export interface BenchEnvoyOptions {
  readonly name: string;
  readonly mode: EnvoyMode;
  readonly authorizers: readonly Service[];
  /** Left out: a listener inside Envoy. */
  readonly upstreamPort?: number;
}

/** A real Envoy with the shipped configuration; what differs is said in envoy-config.ts. */
export async function startBenchEnvoy(
  bench: Workbench,
  options: BenchEnvoyOptions,
): Promise<BenchEnvoy> {
  const { path } = await findEnvoy();
  const [ingress, admin] = [await freePort(), await freePort()];
  const config = envoyConfig({
    mode: options.mode,
    ingress,
    admin,
    authorizers: options.authorizers.map((one) => ({
      port: options.mode === 'http' ? one.httpPort : one.grpcPort,
      healthPort: one.healthPort,
    })),
    upstream: {
      port: options.upstreamPort ?? (await freePort()),
      inside: options.upstreamPort === undefined,
    },
  });
  const configFile = join(bench.directory, `${options.name}.json`);
  writeFileSync(configFile, JSON.stringify(config, undefined, 2));
  const child = bench.keep(
    await startChild({
      name: options.name,
      command: path,
      args: ['-c', configFile, '--disable-hot-restart', '--concurrency', '2', '-l', 'error'],
      env: {},
      logFile: join(bench.directory, `${options.name}.log`),
      ...answering(`http://127.0.0.1:${admin}/ready`),
    }),
    (one) => one.kill(),
  );
  return {
    port: ingress,
    adminPort: admin,
    pid: () => {
      if (child.pid === undefined) throw new Error(`${options.name} does not run`);
      return child.pid;
    },
  };
}
