import type { Cluster, EnvoySetup, Filter, Tree } from './envoy-config.js';

/** Of both kinds of check: a replica is out after two failures and back after one success. */
const healthCheck = {
  timeout: '0.5s',
  interval: '0.5s',
  unhealthy_threshold: 2,
  healthy_threshold: 1,
  no_traffic_interval: '0.5s',
  // Without it a whole interval passes after a refused connection before the next look.
  unhealthy_interval: '0.25s',
};

/** One more try at once, elsewhere: a check changes nothing, so repeating it is safe. */
const retryPolicy = {
  retry_on: 'connect-failure,refused-stream,reset,unavailable',
  num_retries: 2,
};

/**
 * What a deployment with several replicas needs beyond two endpoints: a check that lost its replica
 * is asked again elsewhere, and a replica that is going or gone is not asked. Where the shipped file
 * has its own, that one stays.
 */
export function harden(setup: EnvoySetup, filter: Filter, cluster: Cluster): void {
  const config = filter.typed_config;
  const grpc = (config['grpc_service'] as { envoy_grpc?: Tree } | undefined)?.envoy_grpc;
  const http = config['http_service'] as Tree | undefined;
  const retryOn = {
    retry_on: retryPolicy.retry_on,
    num_retries: retryPolicy.num_retries,
  };
  if (grpc !== undefined) grpc['retry_policy'] ??= { ...retryOn };
  if (http !== undefined) http['retry_policy'] ??= { ...retryOn };
  cluster['health_checks'] ??= [
    setup.mode === 'http'
      ? { ...healthCheck, http_health_check: { path: '/readyz' } }
      : { ...healthCheck, grpc_health_check: {} },
  ];
  // All replicas "unhealthy" must not mean "all are asked": that is what a panic threshold does.
  cluster['common_lb_config'] ??= { healthy_panic_threshold: { value: 0 } };
  if (setup.mode === 'http') {
    for (const [index, { endpoint }] of (
      cluster.load_assignment.endpoints[0]?.lb_endpoints ?? []
    ).entries()) {
      endpoint['health_check_config'] ??= {
        port_value: setup.authorizers[index]?.healthPort ?? 0,
      };
    }
  }
}
