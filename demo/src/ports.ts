import { freePort } from './free-port.js';
import { isTaken } from './readiness.js';

/** Every port of the demo: what listens there, its usual number, the variable that changes it. */
export const portTable = {
  ingress: ['Envoy, the way in', 8080, 'PORT'],
  envoyAdmin: ['Envoy admin', 9901, 'ENVOY_ADMIN_PORT'],
  gateway: ['session-gateway', 8081, 'GATEWAY_PORT'],
  gatewayManagement: ['session-gateway management', 8091, 'GATEWAY_MANAGEMENT_PORT'],
  extauthzHttp: ['extauthz over HTTP', 9002, 'EXTAUTHZ_HTTP_PORT'],
  extauthzGrpc: ['extauthz over gRPC', 9001, 'EXTAUTHZ_GRPC_PORT'],
  extauthzHealth: ['extauthz health', 8090, 'EXTAUTHZ_HEALTH_PORT'],
  permissionService: ['permission service', 8086, 'DEMO_PERMISSION_SERVICE_PORT'],
  idp: ['identity provider', 9400, 'DEMO_IDP_PORT'],
  api: ['sample API', 8082, 'DEMO_API_PORT'],
  app: ['app', 8083, 'DEMO_APP_PORT'],
  redis: ['Redis', 6390, 'DEMO_REDIS_PORT'],
} as const;

export type PortName = keyof typeof portTable;
export type Ports = Readonly<Record<PortName, number>>;

/** A port that cannot be used. The message names the variable that changes it. */
export class PortError extends Error {
  override readonly name = 'PortError';
  readonly code = 'bad_port';
}

const names = Object.keys(portTable) as PortName[];

/** The demo's fixed ports, each replaced by its variable. @throws PortError */
export function fixedPorts(env: Readonly<Record<string, string | undefined>>): Ports {
  const ports = Object.fromEntries(
    names.map((name) => {
      const [, usual, variable] = portTable[name];
      const text = env[variable] || String(usual);
      const port = Number(text);
      if (!/^[0-9]{1,5}$/.test(text) || port < 1 || port > 65535) {
        throw new PortError(`${variable}=${text} is not a port number, 1 to 65535.`);
      }
      return [name, port];
    }),
  ) as Record<PortName, number>;
  for (const name of names) {
    const twin = names.find((other) => other !== name && ports[other] === ports[name]);
    if (twin === undefined) continue;
    const [[what, , variable], [otherWhat, , otherVariable]] = [portTable[name], portTable[twin]];
    throw new PortError(
      `Port ${ports[name]} is meant for both ${what} (${variable}) and ${otherWhat} (${otherVariable}).`,
    );
  }
  return ports;
}

export async function freePorts(): Promise<Ports> {
  const ports: Partial<Record<PortName, number>> = {};
  for (const name of names) ports[name] = await freePort();
  return ports as Ports;
}

/** @throws PortError with one line for each port that somebody else holds. */
export async function requireFree(ports: Ports): Promise<void> {
  const taken = await Promise.all(names.map((name) => isTaken(ports[name])));
  const lines = names
    .filter((_name, index) => taken[index])
    .map((name) => {
      const [what, , variable] = portTable[name];
      return `Port ${ports[name]} (${what}) is already in use. Choose another one: ${variable}=${ports[name] + 10_000 > 65_535 ? 'N' : ports[name] + 10_000} npm start`;
    });
  if (lines.length > 0) throw new PortError(lines.join('\n'));
}
