import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { startChild, type ChildProcess, type Death } from './child-process.js';
import type { Ports } from './ports.js';
import { answering } from './readiness.js';

export type Mode = 'http' | 'grpc';

interface EnvoyOptions {
  readonly binary: string;
  readonly mode: Mode;
  readonly ports: Ports;
  readonly directory: string;
  readonly logFile: string;
  readonly env: Readonly<Record<string, string>>;
  readonly onDeath: (death: Death) => void;
  readonly signal: AbortSignal;
}

/** Envoy with the shipped configuration of a mode; only its addresses are this run's. */
export function startEnvoy(options: EnvoyOptions): Promise<ChildProcess> {
  const shipped = new URL(`../../envoy/envoy-${options.mode}.yaml`, import.meta.url);
  const configFile = join(options.directory, 'envoy.json');
  const config = withPorts(parse(readFileSync(fileURLToPath(shipped), 'utf8'), { merge: true }), {
    ...options.ports,
    extauthz: options.mode === 'http' ? options.ports.extauthzHttp : options.ports.extauthzGrpc,
  });
  writeFileSync(configFile, JSON.stringify(config, undefined, 2));
  return startChild({
    name: 'envoy',
    command: options.binary,
    args: ['-c', configFile, '--disable-hot-restart', '--concurrency', '2', '--log-level', 'warn'],
    env: options.env,
    logFile: options.logFile,
    ...answering(`http://127.0.0.1:${options.ports.envoyAdmin}/ready`),
    onDeath: options.onDeath,
    signal: options.signal,
  });
}

interface EnvoyPorts {
  readonly ingress: number;
  readonly envoyAdmin: number;
  readonly gateway: number;
  readonly extauthz: number;
  readonly extauthzHealth: number;
  readonly api: number;
  readonly app: number;
}

interface SocketAddress {
  port_value: number;
}
interface Address {
  address: { socket_address: SocketAddress };
}
interface Endpoint extends Address {
  health_check_config?: { port_value: number };
}
/** The part of Envoy's bootstrap that holds addresses. */
interface Bootstrap {
  admin: Address;
  static_resources: {
    listeners: (Address & { name: string })[];
    clusters: {
      name: string;
      load_assignment: { endpoints: { lb_endpoints: { endpoint: Endpoint }[] }[] };
    }[];
  };
}

/** @throws Error when the file lacks a part or has one nobody knows the port of. */
function withPorts(parsed: unknown, ports: EnvoyPorts): Bootstrap {
  const config = structuredClone(parsed) as Bootstrap;
  config.admin.address.socket_address.port_value = ports.envoyAdmin;
  const listeners: Partial<Record<string, number>> = { ingress: ports.ingress };
  const clusters: Partial<Record<string, number>> = {
    'session-gateway': ports.gateway,
    extauthz: ports.extauthz,
    api: ports.api,
    app: ports.app,
  };
  const health: Partial<Record<string, number>> = { extauthz: ports.extauthzHealth };
  for (const { name, address } of config.static_resources.listeners) {
    address.socket_address.port_value = known('listener', name, listeners);
  }
  for (const { name, load_assignment } of config.static_resources.clusters) {
    for (const { lb_endpoints } of load_assignment.endpoints) {
      for (const { endpoint } of lb_endpoints) {
        endpoint.address.socket_address.port_value = known('cluster', name, clusters);
        if (endpoint.health_check_config === undefined) continue;
        endpoint.health_check_config.port_value = known('health of cluster', name, health);
      }
    }
  }
  return config;
}

function known(kind: string, name: string, ports: Partial<Record<string, number>>): number {
  const port = ports[name];
  if (port === undefined) throw new Error(`envoy: the demo knows no port for ${kind} ${name}`);
  return port;
}
