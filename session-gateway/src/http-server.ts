import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closeServer, listen, type Unit } from '@sallyport/shared/runtime';

export interface GatewayServer extends Unit {
  readonly port: number;
  readonly listening: boolean;
}

/** Above Envoy's 32 KiB and what it adds, so that this server never refuses what Envoy let in. */
const maxHeaderBytes = 65_536;
/** Above Envoy's upstream idle timeout (50 s), or Envoy meets connections that are being closed. */
const keepAliveTimeout = 75_000;

/**
 * @param draining from then on every connection is given up after its answer: its caller has others
 * @param grace from the stop to the cut of what is still open, ms
 */
export function gatewayServer(
  port: number,
  listener: RequestListener,
  draining: () => boolean = () => false,
  grace = 10_000,
): GatewayServer {
  const server = createServer(
    {
      maxHeaderSize: maxHeaderBytes,
      keepAliveTimeout,
      headersTimeout: 10_000,
      requestTimeout: 10_000,
    },
    (request, response) => {
      if (draining()) response.setHeader('Connection', 'close');
      listener(request, response);
    },
  );
  // Node drops header lines after the 2000th: a second session cookie could hide there.
  server.maxHeadersCount = 0;
  return {
    name: 'gateway server',
    get port() {
      return (server.address() as AddressInfo | null)?.port ?? port;
    },
    get listening() {
      return server.listening;
    },
    start: () => listen(server, port),
    stop: () => closeServer(server, grace),
  };
}
