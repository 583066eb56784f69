import { createServer as createPlainServer, type Server as Listener, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { ServerCredentials, type Server } from '@grpc/grpc-js';
import { listen } from '@sallyport/shared/runtime';
import type { Certificates } from '../certificates.js';

/** What nobody may take more of; per process. */
export interface ConnectionLimits {
  /** Far above what Envoy's workers open; each costs some KiB. */
  readonly connections: number;
  /** To shake hands, and then to say what every HTTP/2 client says first; ms (TRUST T27). */
  readonly opening: number;
}

/** An HTTP/2 client's first words: the preface and an empty SETTINGS frame (RFC 9113 §3.4). */
const openingBytes = 24 + 9;

export interface Connections {
  /** @returns the port, once it is listening */
  start(port: number): Promise<number>;
  /** GOAWAY to all; what is open after `grace` ms is cut. Resolves when nothing is open any more. */
  drain(grace: number): Promise<void>;
}

/**
 * The gRPC server's connections, accepted here and handed to it: a server that grpc-js binds itself
 * takes any number of them and lets each be silent, or half through its handshake, for minutes.
 */
export function connections(
  server: Server,
  certificates: Certificates | undefined,
  limits: ConnectionLimits,
): Connections {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const open = new Set<Socket>();
  const take = (socket: Socket): void => {
    // Once it is in use grpc-js listens; until then an error would end the process.
    socket.on('error', () => undefined);
    const opening = setTimeout(() => {
      if (socket.bytesRead < openingBytes) socket.destroy();
    }, limits.opening).unref();
    socket.once('close', () => clearTimeout(opening));
    injector.injectConnection(socket);
  };
  const listener =
    certificates === undefined
      ? createPlainServer({ noDelay: true }, take)
      : tlsListener(certificates, limits, take);
  listener.maxConnections = limits.connections;
  // With TLS these are the sockets below it, before any handshake.
  listener.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return {
    start: async (port) => {
      await listen(listener, port);
      const address = listener.address();
      return typeof address === 'object' && address !== null ? address.port : port;
    },
    drain: async (grace) => {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      injector.drain(grace);
      const cut = setTimeout(() => open.forEach((socket) => socket.destroy()), grace);
      // grpc-js would not wait: it takes a session for gone that has only been told to close.
      await closed;
      clearTimeout(cut);
      server.forceShutdown();
    },
  };
}

/** Its certificate follows `certificates` without a restart. */
function tlsListener(
  certificates: Certificates,
  { opening }: ConnectionLimits,
  take: (socket: Socket) => void,
): Listener {
  const { mutual } = certificates;
  const listener = createTlsServer(
    {
      noDelay: true,
      ALPNProtocols: ['h2'],
      handshakeTimeout: opening,
      requestCert: mutual,
      rejectUnauthorized: mutual,
    },
    take,
  );
  // Node leaves it to us to let go of a client whose handshake failed, or took too long.
  listener.on('tlsClientError', (_error, socket) => socket.destroy());
  certificates.onChange((certificate) => listener.setSecureContext(certificate));
  listener.once('listening', () => listener.setSecureContext(certificates.current()));
  return listener;
}
