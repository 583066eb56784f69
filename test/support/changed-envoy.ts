import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChild, type ChildProcess } from '@sallyport/demo/child-process';
import { freePort } from '@sallyport/demo/free-port';
import { findEnvoy } from '@sallyport/demo/parts/envoy';
import { answering } from '@sallyport/demo/readiness';

interface Address {
  address: { socket_address: { port_value: number } };
}
export interface ExtAuthzFilter {
  name: string;
  typed_config: { allowed_headers?: { patterns: object[] } };
}
interface Bootstrap {
  admin: Address;
  static_resources: {
    listeners: [
      Address & {
        filter_chains: [{ filters: [{ typed_config: { http_filters: ExtAuthzFilter[] } }] }];
      },
    ];
  };
}

/**
 * A second Envoy beside that of an edge, configured alike but for its ports and the ext_authz filter:
 * what an operator may have got wrong.
 */
export async function startChangedEnvoy(options: {
  /** The first one's, as `startEdge` leaves it. */
  readonly configFile: string;
  readonly directory: string;
  readonly name: string;
  readonly change: (filter: ExtAuthzFilter['typed_config']) => void;
}): Promise<{ readonly port: number; readonly child: ChildProcess }> {
  const config = JSON.parse(readFileSync(options.configFile, 'utf8')) as Bootstrap;
  const [port, admin] = [await freePort(), await freePort()];
  const [listener] = config.static_resources.listeners;
  config.admin.address.socket_address.port_value = admin;
  listener.address.socket_address.port_value = port;
  const filters = listener.filter_chains[0].filters[0].typed_config.http_filters;
  const filter = filters.find(({ name }) => name === 'envoy.filters.http.ext_authz');
  if (filter === undefined) throw new Error(`${options.configFile}: no ext_authz filter`);
  options.change(filter.typed_config);
  const file = join(options.directory, `${options.name}.json`);
  writeFileSync(file, JSON.stringify(config));
  const child = await startChild({
    name: 'envoy',
    command: (await findEnvoy()).path,
    args: ['-c', file, '--disable-hot-restart', '--concurrency', '1', '--log-level', 'warn'],
    env: {},
    logFile: join(options.directory, `${options.name}.log`),
    ...answering(`http://127.0.0.1:${String(admin)}/ready`),
  });
  return { port, child };
}
