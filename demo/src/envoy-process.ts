import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { startChild, type ChildProcess, type Death } from './child-process.js';
import type { Ports } from './ports.js';
import { answering } from './readiness.js';

export type Mode = 'http' | 'grpc';

type ExtauthzPort = 'extauthzHttp' | 'extauthzGrpc' | 'extauthzHealth';

interface EnvoyOptions {
  readonly binary: string;
  readonly mode: Mode;
  readonly ports: Ports;
  /** Of further extauthz beside the one in `ports`. */
  readonly moreExtauthz?: readonly Pick<Ports, ExtauthzPort>[];
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
  const config = withPorts(
    parse(readFileSync(fileURLToPath(shipped), 'utf8'), { merge: true }),
    options.ports,
    [options.ports, ...(options.moreExtauthz ?? [])].map((ports) => ({
      check: options.mode === 'http' ? ports.extauthzHttp : ports.extauthzGrpc,
      health: ports.extauthzHealth,
    })),
  );
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
function withPorts(
  parsed: unknown,
  ports: Ports,
  extauthz: readonly { readonly check: number; readonly health: number }[],
): Bootstrap {
  const config = structuredClone(parsed) as Bootstrap;
  config.admin.address.socket_address.port_value = ports.envoyAdmin;
  const listeners: Partial<Record<string, number>> = { ingress: ports.ingress };
  const clusters: Partial<Record<string, number>> = {
    'session-gateway': ports.gateway,
    api: ports.api,
    app: ports.app,
  };
  for (const { name, address } of config.static_resources.listeners) {
    address.socket_address.port_value = known('listener', name, listeners);
  }
  for (const { name, load_assignment } of config.static_resources.clusters) {
    for (const locality of load_assignment.endpoints) {
      if (name === 'extauthz') {
        locality.lb_endpoints = extauthz.flatMap((replica) =>
          locality.lb_endpoints.map(({ endpoint }) => ({ endpoint: at(endpoint, replica) })),
        );
        continue;
      }
      for (const { endpoint } of locality.lb_endpoints) {
        endpoint.address.socket_address.port_value = known('cluster', name, clusters);
      }
    }
  }
  return config;
}

function at(endpoint: Endpoint, { check, health }: { check: number; health: number }): Endpoint {
  const moved = structuredClone(endpoint);
  moved.address.socket_address.port_value = check;
  if (moved.health_check_config !== undefined) moved.health_check_config.port_value = health;
  return moved;
}

function known(kind: string, name: string, ports: Partial<Record<string, number>>): number {
  const port = ports[name];
  if (port === undefined) throw new Error(`envoy: the demo knows no port for ${kind} ${name}`);
  return port;
}
