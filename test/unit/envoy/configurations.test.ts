import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { findEnvoy } from '@sallyport/demo/parts/envoy';
import { inboundHeadersToStrip } from '@sallyport/shared';
import { parse } from 'yaml';
import { maxCheckBytes } from '../../../extauthz/src/header-limits.js';
import { serverOptions } from '../../../extauthz/src/http/server.js';
import { decisiveHeaders } from '../../../extauthz/src/request-facts.js';

interface Filter {
  name: string;
  typed_config: Record<string, unknown>;
}
interface RetryPolicy {
  retry_on: string;
  num_retries: number;
  retry_back_off: { max_interval: string };
}
interface Route {
  route: { cluster: string };
  typed_per_filter_config?: object;
  request_headers_to_remove?: string[];
}
interface Manager {
  max_request_headers_kb: number;
  early_header_mutation_extensions: [{ typed_config: { mutations: { remove: string }[] } }];
  http_filters: [Filter, Filter];
  route_config: { virtual_hosts: [{ routes: Route[] }] };
}
interface Bootstrap {
  static_resources: {
    listeners: [{ filter_chains: [{ filters: [{ typed_config: Manager }] }] }];
    clusters: { name: string }[];
  };
}

const file = (mode: string) => join(import.meta.dirname, `../../../envoy/envoy-${mode}.yaml`);
const load = (mode: string) => parse(readFileSync(file(mode), 'utf8')) as Bootstrap;
const managerOf = (config: Bootstrap): Manager =>
  config.static_resources.listeners[0].filter_chains[0].filters[0].typed_config;

describe.each(['http', 'grpc'])('envoy-%s.yaml', (mode) => {
  const manager = managerOf(load(mode));
  const { routes } = manager.route_config.virtual_hosts[0];

  it('is valid for Envoy itself', async () => {
    const { path } = await findEnvoy();
    const { stdout } = await promisify(execFile)(path, ['--mode', 'validate', '-c', file(mode)]);
    expect(stdout).toContain('OK');
  }, 120_000);

  it('takes every identity header off before routing', () => {
    const { mutations } = manager.early_header_mutation_extensions[0].typed_config;
    expect(mutations.map(({ remove }) => remove)).toEqual([...inboundHeadersToStrip]);
  });

  it('fails closed, with 503', () => {
    const [filter] = manager.http_filters;
    expect(filter).toMatchObject({
      name: 'envoy.filters.http.ext_authz',
      typed_config: {
        failure_mode_allow: false,
        status_on_error: { code: 'ServiceUnavailable' },
        clear_route_cache: false,
      },
    });
    expect(filter.typed_config).not.toHaveProperty('with_request_body');
  });

  it('tells the check every header that a decision reads', () => {
    const { allowed_headers } = manager.http_filters[0].typed_config as {
      allowed_headers: { patterns: { exact?: string; prefix?: string }[] };
    };
    const unheard = decisiveHeaders.filter(
      (name) =>
        !allowed_headers.patterns.some(
          ({ exact, prefix }) =>
            exact === name || (prefix !== undefined && name.startsWith(prefix)),
        ),
    );
    expect(unheard).toEqual([]);
  });

  it('keeps its connections to the check for a shorter time than the check does', () => {
    const extauthz = load(mode).static_resources.clusters.find(({ name }) => name === 'extauthz');
    const text = JSON.stringify(extauthz);
    const [, seconds] = /"idle_timeout":"([0-9]+)s"/.exec(text) ?? [];
    expect(Number(seconds) * 1000).toBeLessThan(Number(serverOptions.keepAliveTimeout));
  });

  it('lets in no larger headers than the check takes, nor would Envoy by default', () => {
    const envoysDefault = 60;
    expect(manager.max_request_headers_kb).toBeLessThanOrEqual(envoysDefault);
    // Addresses, tracing, a name's length and end for each of a hundred headers.
    const added = 4 * 1024;
    expect(maxCheckBytes).toBeGreaterThanOrEqual(envoysDefault * 1024 + added);
    expect(serverOptions.maxHeaderSize).toBe(maxCheckBytes);
  });

  it('asks another replica once when one does not answer, never because one said 503', () => {
    const [{ typed_config }] = manager.http_filters;
    const service = typed_config[`${mode}_service`] as { retry_policy: RetryPolicy };
    const { retry_on, num_retries, retry_back_off } = service.retry_policy;
    expect(retry_on.split(',')).toEqual(['connect-failure', 'refused-stream', 'reset']);
    expect(num_retries).toBe(1);
    // Envoy's timeout of one try: below the check's own 0.5 s, an overload would be asked twice.
    expect(retry_back_off.max_interval).toBe('1s');
  });

  it('asks only replicas that are ready, and all of them when none is', () => {
    const extauthz = load(mode).static_resources.clusters.find(({ name }) => name === 'extauthz');
    expect(extauthz).toMatchObject({
      common_lb_config: { healthy_panic_threshold: { value: 1 } },
      health_checks: [
        mode === 'http'
          ? { http_health_check: { path: '/readyz' } }
          : { grpc_health_check: { service_name: 'envoy.service.auth.v3.Authorization' } },
      ],
      // A 503 that extauthz decided throws nobody out.
      outlier_detection: { enforcing_consecutive_5xx: 0, enforcing_consecutive_gateway_failure: 0 },
    });
  });

  it('normalises paths and refuses escaped slashes and underscores', () => {
    expect(manager).toMatchObject({
      normalize_path: true,
      merge_slashes: true,
      path_with_escaped_slashes_action: 'REJECT_REQUEST',
      use_remote_address: true,
      common_http_protocol_options: { headers_with_underscores_action: 'REJECT_REQUEST' },
    });
  });

  it('switches the check off only on the gateway’s and the app’s routes', () => {
    const unchecked = routes.filter((route) => route.typed_per_filter_config !== undefined);
    expect(unchecked.map(({ route }) => route.cluster)).toEqual([
      ...Array.from({ length: 5 }, () => 'session-gateway'),
      'app',
    ]);
  });

  it('keeps credentials from the app', () => {
    const app = routes.find(({ route }) => route.cluster === 'app');
    expect(app?.request_headers_to_remove).toEqual(['cookie', 'authorization']);
  });
});

describe('the two configurations', () => {
  it('differ only in how extauthz is asked', () => {
    const withoutTheCheck = (mode: string): Bootstrap => {
      const config = load(mode);
      const { typed_config } = managerOf(config).http_filters[0];
      delete typed_config['http_service'];
      delete typed_config['grpc_service'];
      const { clusters } = config.static_resources;
      config.static_resources.clusters = clusters.filter(({ name }) => name !== 'extauthz');
      expect(config.static_resources.clusters).toHaveLength(clusters.length - 1);
      return config;
    };
    expect(withoutTheCheck('grpc')).toEqual(withoutTheCheck('http'));
  });
});
