import { mkdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { startEnvoy, type Mode } from '@sallyport/demo/envoy-process';
import { findEnvoy } from '@sallyport/demo/parts/envoy';
import { freePorts } from '@sallyport/demo/ports';
import type { ExtauthzProcess } from './extauthz.js';

/** What an upstream was sent, as it came over the wire. */
export interface Arrival {
  readonly upstream: 'api' | 'app' | 'gateway';
  readonly method: string;
  readonly path: string;
  /** Name in lower case and value, line by line. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface Edge {
  readonly port: number;
  readonly arrivals: Arrival[];
  stop(): Promise<void>;
}

/** Envoy with its shipped configuration in front of a running extauthz, and upstreams that write down. */
export async function startEdge(options: {
  mode: Mode;
  directory: string;
  extauthz: ExtauthzProcess;
}): Promise<Edge> {
  const directory = join(options.directory, `edge-${options.mode}`);
  mkdirSync(directory, { recursive: true });
  const arrivals: Arrival[] = [];
  const upstreams: Server[] = [];
  const upstream = async (name: Arrival['upstream']): Promise<number> => {
    const server = createServer(
      { keepAliveTimeout: 75_000, maxHeaderSize: 1 << 20 },
      (request, response) => {
        const raw = request.rawHeaders;
        arrivals.push({
          upstream: name,
          method: request.method ?? '',
          path: request.url ?? '',
          headers: raw.flatMap((text, at) =>
            at % 2 === 0 ? [[text.toLowerCase(), raw[at + 1] ?? ''] as const] : [],
          ),
        });
        response.writeHead(200, { 'x-upstream': name }).end(name);
      },
    );
    upstreams.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };
  const ports = {
    ...(await freePorts()),
    api: await upstream('api'),
    app: await upstream('app'),
    gateway: await upstream('gateway'),
    extauthzHttp: options.extauthz.httpPort,
    extauthzGrpc: options.extauthz.grpcPort,
  };
  const envoy = await startEnvoy({
    binary: (await findEnvoy()).path,
    mode: options.mode,
    ports,
    directory,
    logFile: join(directory, 'envoy.log'),
    env: {},
    onDeath: () => undefined,
    signal: new AbortController().signal,
  });
  return {
    port: ports.ingress,
    arrivals,
    stop: async () => {
      await envoy.stop();
      for (const server of upstreams) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
}
