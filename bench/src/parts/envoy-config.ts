import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { root } from '../machine.js';
import { upstreamInside } from './envoy-upstream.js';

export type EnvoyMode = 'http' | 'grpc';

export interface EnvoySetup {
  readonly mode: EnvoyMode;
  readonly ingress: number;
  readonly admin: number;
  /** Who is asked; empty: the ext_authz filter is taken out. */
  readonly authorizers: readonly { readonly port: number; readonly healthPort: number }[];
  /** Where /api and the app's routes lead: a port of somebody's, or a listener inside this Envoy. */
  readonly upstream: { readonly port: number; readonly inside: boolean };
}

/** As much of Envoy's bootstrap as is changed here. */
export interface Tree {
  [key: string]: unknown;
}
interface Cluster extends Tree {
  name: string;
  load_assignment: { endpoints: { lb_endpoints: { endpoint: Endpoint }[] }[] };
}
interface Endpoint extends Tree {
  address: Address;
}
interface Address {
  socket_address: { address: string; port_value: number };
}
interface Filter extends Tree {
  name: string;
  typed_config: Tree;
}
interface Bootstrap extends Tree {
  admin: { address: Address };
  static_resources: {
    listeners: (Tree & { address: Address; filter_chains: { filters: Filter[] }[] })[];
    clusters: Cluster[];
  };
}

const extAuthz = 'envoy.filters.http.ext_authz';

/**
 * The shipped configuration of a mode, with this run's addresses. Nothing else is changed but the
 * access log, which is left out on both sides of every comparison: it costs Envoy the same whoever
 * is asked, and would make any service look closer to a no-op than it is.
 */
export function envoyConfig(setup: EnvoySetup): Tree {
  const file = join(root, `envoy/envoy-${setup.mode}.yaml`);
  // Cloned, since YAML anchors make several places one object.
  const config = JSON.parse(
    JSON.stringify(parse(readFileSync(file, 'utf8'), { merge: true })),
  ) as Bootstrap;
  config.admin.address.socket_address.port_value = setup.admin;
  const { listeners, clusters } = config.static_resources;
  const [ingress] = listeners;
  const manager = ingress?.filter_chains[0]?.filters[0]?.typed_config;
  if (ingress === undefined || manager === undefined) throw new Error(`${file}: no listener`);
  ingress.address.socket_address.port_value = setup.ingress;
  delete manager['access_log'];
  for (const cluster of clusters) {
    if (cluster.name === 'extauthz') setAuthorizers(cluster, setup);
    else setPorts(cluster, [setup.upstream.port]);
  }
  const filters = manager['http_filters'] as Filter[];
  if (setup.authorizers.length === 0) {
    manager['http_filters'] = filters.filter(({ name }) => name !== extAuthz);
    withoutPerRoute(manager);
  }
  if (setup.upstream.inside) listeners.push(upstreamInside(setup.upstream.port) as never);
  return config;
}

function setAuthorizers(cluster: Cluster, { authorizers }: EnvoySetup): void {
  setPorts(
    cluster,
    authorizers.map(({ port }) => port),
  );
  const [group] = cluster.load_assignment.endpoints;
  for (const [index, { endpoint }] of group?.lb_endpoints.entries() ?? []) {
    const health = endpoint['health_check_config'] as Tree | undefined;
    // Each replica has its own: with the shipped port all of them would look ill, and be asked anyway.
    if (health !== undefined) health['port_value'] = authorizers[index]?.healthPort;
  }
}

/** One endpoint per port, each like the shipped one. */
function setPorts(cluster: Cluster, ports: readonly number[]): void {
  const [group] = cluster.load_assignment.endpoints;
  const [shipped] = group?.lb_endpoints ?? [];
  if (group === undefined || shipped === undefined) throw new Error(`${cluster.name}: no endpoint`);
  group.lb_endpoints = ports.map((port) => {
    const copy = structuredClone(shipped);
    copy.endpoint.address.socket_address.port_value = port;
    return copy;
  });
}

/** Envoy refuses per-route settings of a filter that is not there. */
function withoutPerRoute(manager: Tree): void {
  const { virtual_hosts } = manager['route_config'] as { virtual_hosts: { routes: Tree[] }[] };
  for (const { routes } of virtual_hosts) {
    for (const route of routes) delete route['typed_per_filter_config'];
  }
}
