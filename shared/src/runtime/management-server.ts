import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Server as NetServer } from 'node:net';
import type { Registry } from 'prom-client';
import type { Health } from './health.js';
import type { Unit } from './lifecycle.js';

export interface ManagementServer extends Unit {
  /** The port it listens on, once started. */
  readonly port: number;
}

/**
 * `/livez`, `/readyz`, `/healthz` (as `/readyz`, the original's wire) and `/metrics`, on a port of
 * their own: never on the port that decides or serves (TRUST T29).
 */
export function managementServer(options: {
  port: number;
  health: Health;
  registry: Registry;
  /** Whatever lies under `/internal/`; nothing does if left out. */
  internal?: RequestListener;
  /** How long a stop waits for requests under way, ms. */
  grace: number;
}): ManagementServer {
  const server = createServer((request, response) => {
    if (options.internal !== undefined && request.url?.startsWith('/internal/') === true) {
      options.internal(request, response);
      return;
    }
    answer(options, request, response).catch(() => {
      if (!response.headersSent) send(response, 500, 'error\n');
      else response.destroy();
    });
  });
  return {
    name: 'management server',
    get port() {
      return (server.address() as AddressInfo | null)?.port ?? options.port;
    },
    start: () => listen(server, options.port),
    stop: () => closeServer(server, options.grace),
  };
}

async function answer(
  { health, registry }: { health: Health; registry: Registry },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    send(response, 405, 'only GET\n');
    return;
  }
  switch (request.url?.split('?', 1)[0]) {
    case '/livez':
      send(response, 200, 'ok\n');
      return;
    case '/readyz':
    case '/healthz': {
      const { ready, notReady } = await health.ready();
      send(response, ready ? 200 : 503, ready ? 'ok\n' : `unhealthy: ${notReady.join(', ')}\n`);
      return;
    }
    case '/metrics':
      response.setHeader('content-type', registry.contentType);
      response.end(await registry.metrics());
      return;
    case undefined:
    default:
      send(response, 404, 'not found\n');
  }
}

function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain', 'cache-control': 'no-store' });
  response.end(text);
}

/** Listens on all addresses; a taken port is an error that names it. */
export function listen(server: NetServer, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      const taken = error.code === 'EADDRINUSE';
      reject(taken ? new Error(`port ${port} is already in use`, { cause: error }) : error);
    };
    server.once('error', failed);
    server.listen(port, () => {
      server.off('error', failed);
      resolve();
    });
  });
}

/**
 * Stops accepting, closes idle connections, waits for the answers under way. From `close` on Node itself
 * looks neither for connections that fall idle nor for requests that take too long to come.
 * @param grace after which what is still open is cut, ms
 */
export function closeServer(server: Server, grace: number): Promise<void> {
  return new Promise((resolve) => {
    if (!server.listening) {
      resolve();
      return;
    }
    const idle = setInterval(() => server.closeIdleConnections(), 250);
    const cut = setTimeout(() => server.closeAllConnections(), grace);
    server.close(() => {
      clearInterval(idle);
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
