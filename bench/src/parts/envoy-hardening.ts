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

/** Another try at once, elsewhere: a check changes nothing, so repeating it is safe. */
const retryPolicy = {
  retry_on: 'connect-failure,refused-stream,reset,unavailable',
  num_retries: 2,
  retry_back_off: { base_interval: '0.005s', max_interval: '0.05s' },
  retry_host_predicate: [
    {
      name: 'envoy.retry_host_predicates.previous_hosts',
      typed_config: {
        '@type':
          'type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
      },
    },
  ],
  host_selection_retry_max_attempts: 3,
};

/** Envoy's default lets only 3 checks of a cluster be repeated at a time. */
const maxRetries = 1024;

/**
 * What a deployment with several replicas needs beyond two endpoints: a check that lost its replica
 * is asked again elsewhere, and a replica that is going or gone is not asked. Where the shipped file
 * has its own, that one stays.
 */
export function harden(setup: EnvoySetup, filter: Filter, cluster: Cluster): void {
  const config = filter.typed_config;
  const grpc = (config['grpc_service'] as { envoy_grpc?: Tree } | undefined)?.envoy_grpc;
  const http = config['http_service'] as Tree | undefined;
  if (grpc !== undefined) grpc['retry_policy'] ??= retryPolicy;
  if (http !== undefined) http['retry_policy'] ??= retryPolicy;
  const breakers = cluster['circuit_breakers'] as { thresholds?: Tree[] } | undefined;
  for (const threshold of breakers?.thresholds ?? []) threshold['max_retries'] ??= maxRetries;
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
