import { defaultSessionCookieName } from '@sallyport/shared';
import { startLoad } from './load/load-process.js';
import type { BenchEnvoy } from './parts/envoy.js';
import { echoedUserHeader } from './parts/envoy-upstream.js';
import type { BenchRedis } from './parts/redis.js';
import type { Service } from './parts/services.js';
import type { Variant } from './rounds.js';
import type { Workbench } from './workbench.js';

export interface VariantOptions {
  readonly name: string;
  readonly protocol: 'http' | 'grpc';
  readonly services: readonly Service[];
  readonly redis?: BenchRedis;
  readonly envoy?: BenchEnvoy;
  readonly seed: string;
  readonly sessions: number;
  /** False for a no-op. */
  readonly namesUser: boolean;
}

/** 64 checks at a time: 64 connections over HTTP, 2 connections of 32 streams over gRPC. */
export function variant(bench: Workbench, options: VariantOptions): Variant {
  const { protocol, services, redis, envoy } = options;
  const [first] = services;
  const asked = protocol === 'grpc' ? first?.grpcPort : (envoy?.port ?? first?.httpPort);
  const load = startLoad({
    target: {
      protocol,
      port: asked ?? 0,
      cookieName: defaultSessionCookieName,
      path: '/api/orders?page=2',
      userHeader: envoy === undefined ? 'x-user-id' : echoedUserHeader,
    },
    connections: protocol === 'http' ? 64 : 2,
    streams: protocol === 'http' ? 1 : 32,
    seed: options.seed,
    sessions: options.sessions,
    namesUser: options.namesUser,
  });
  bench.keep(load, (one) => one.stop());
  return {
    name: options.name,
    load,
    parts: [
      ...services.map(({ pid }) => ['service', pid] as const),
      ...(redis === undefined ? [] : [['redis', redis.pid] as const]),
      ...(envoy === undefined ? [] : [['envoy', envoy.pid] as const]),
    ],
  };
}
