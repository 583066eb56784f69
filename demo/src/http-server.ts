import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Express, RequestHandler } from 'express';

/** Listens on 127.0.0.1 only: the demo's parts trust whoever reaches them. */
export function listenOnLoopback(app: Express, port: number): Promise<void> {
  // Longer than Envoy's idle timeout for its upstreams (50 s): Envoy closes first.
  const server = createServer({ keepAliveTimeout: 75_000 }, app);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      console.log(`listening on 127.0.0.1:${(server.address() as AddressInfo).port}`);
      resolve();
    });
  });
}

/**
 * One line per request: method, path, status. Never the query (a callback's holds the code), and of
 * an interaction's or resumption's path only the first part.
 */
export function logRequests(): RequestHandler {
  return (request, response, next) => {
    const path = request.path.replace(/^\/(interaction|auth)\/.*/, '/$1/…');
    response.once('finish', () => {
      console.log(`${request.method} ${path} ${response.statusCode}`);
    });
    next();
  };
}
