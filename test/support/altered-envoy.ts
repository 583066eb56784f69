import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChild, type ChildProcess } from '@sallyport/demo/child-process';
import type { Mode } from '@sallyport/demo/envoy-process';
import { freePort } from '@sallyport/demo/free-port';
import { findEnvoy } from '@sallyport/demo/parts/envoy';
import { answering } from '@sallyport/demo/readiness';

/** The connection manager of the shipped configuration, as far as tests change it. */
export interface AlteredManager {
  max_request_headers_kb?: number;
  http_filters: { name: string; typed_config: object }[];
  access_log: [{ typed_config: { log_format: { json_format: object } } }];
}
interface Bootstrap {
  admin: Address;
  static_resources: {
    listeners: [Address & { filter_chains: [{ filters: [{ typed_config: AlteredManager }] }] }];
  };
}
interface Address {
  address: { socket_address: { port_value: number } };
}

export interface AlteredEnvoy {
  readonly port: number;
  readonly child: ChildProcess;
  /** Its standard output: the access log. */
  readonly logFile: string;
}

/** A second Envoy beside the one that `startEdge` has started there, like it but for what `alter` does. */
export async function startAlteredEnvoy(options: {
  /** That of `startEdge`. */
  directory: string;
  mode: Mode;
  alter: (manager: AlteredManager) => unknown;
}): Promise<AlteredEnvoy> {
  const place = join(options.directory, `edge-${options.mode}`);
  const config = JSON.parse(readFileSync(join(place, 'envoy.json'), 'utf8')) as Bootstrap;
  const [port, admin] = [await freePort(), await freePort()];
  const [listener] = config.static_resources.listeners;
  config.admin.address.socket_address.port_value = admin;
  listener.address.socket_address.port_value = port;
  options.alter(listener.filter_chains[0].filters[0].typed_config);
  const file = join(place, 'altered.json');
  const logFile = join(place, 'altered.log');
  writeFileSync(file, JSON.stringify(config));
  const child = await startChild({
    name: 'envoy',
    command: (await findEnvoy()).path,
    args: [
      ...['-c', file, '--disable-hot-restart', '--concurrency', '1'],
      ...['--file-flush-interval-msec', '50'],
    ],
    env: {},
    logFile,
    ...answering(`http://127.0.0.1:${String(admin)}/ready`),
  });
  return { child, port, logFile };
}
