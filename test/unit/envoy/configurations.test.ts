import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { findEnvoy } from '@sallyport/demo/parts/envoy';
import { inboundHeadersToStrip } from '@sallyport/shared';
import { parse } from 'yaml';

type Tree = { [key: string]: Tree } & Tree[] & string;
const file = (mode: string) => join(import.meta.dirname, `../../../envoy/envoy-${mode}.yaml`);
const load = (mode: string) => parse(readFileSync(file(mode), 'utf8')) as Tree;
const manager = (config: Tree): Tree =>
  config.static_resources!.listeners![0]!.filter_chains![0]!.filters![0]!.typed_config!;

describe.each(['http', 'grpc'])('envoy-%s.yaml', (mode) => {
  it('is valid for Envoy itself', async () => {
    const { path } = await findEnvoy();
    const { stderr } = await promisify(execFile)(path, ['--mode', 'validate', '-c', file(mode)]);
    expect(stderr).toBeDefined();
  }, 120_000);

  it('takes every identity header off before routing', () => {
    const mutations = manager(load(mode)).early_header_mutation_extensions![0]!.typed_config!
      .mutations!;
    expect(mutations.map((mutation) => mutation.remove)).toEqual([...inboundHeadersToStrip]);
  });

  it('fails closed, with 503', () => {
    const [filter] = manager(load(mode)).http_filters!;
    expect(filter).toMatchObject({
      name: 'envoy.filters.http.ext_authz',
      typed_config: {
        failure_mode_allow: false,
        status_on_error: { code: 'ServiceUnavailable' },
        clear_route_cache: false,
      },
    });
    expect(filter!.typed_config).not.toHaveProperty('with_request_body');
  });

  it('normalises paths and refuses escaped slashes and underscores', () => {
    expect(manager(load(mode))).toMatchObject({
      normalize_path: true,
      merge_slashes: true,
      path_with_escaped_slashes_action: 'REJECT_REQUEST',
      use_remote_address: true,
      common_http_protocol_options: { headers_with_underscores_action: 'REJECT_REQUEST' },
    });
  });

  it('switches the check off only on the gateway’s and the app’s routes', () => {
    const routes = manager(load(mode)).route_config!.virtual_hosts![0]!.routes!;
    const unchecked = routes.filter((route) => route.typed_per_filter_config !== undefined);
    expect(unchecked.map((route) => route.route!.cluster)).toEqual([
      ...Array.from({ length: 5 }, () => 'session-gateway'),
      'app',
    ]);
    const app = routes.find((route) => route.route!.cluster === 'app');
    expect(app!.request_headers_to_remove).toEqual(['cookie', 'authorization']);
  });
});

describe('the two configurations', () => {
  it('differ only in how extauthz is asked', () => {
    const strip = (mode: string) => {
      const config = load(mode);
      const filter = manager(config).http_filters![0]!.typed_config!;
      delete (filter as Partial<Tree>).http_service;
      delete (filter as Partial<Tree>).grpc_service;
      const clusters = config.static_resources!.clusters!;
      const { length } = clusters;
      const others = clusters.filter((cluster) => cluster.name !== ('extauthz' as unknown));
      expect(others).toHaveLength(length - 1);
      return { ...config, static_resources: { ...config.static_resources, clusters: others } };
    };
    expect(strip('grpc')).toEqual(strip('http'));
  });
});
