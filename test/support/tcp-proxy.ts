import { connect, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** One proxied connection. */
export interface ProxiedConnection {
  /** All bytes the client has sent so far, as latin1. */
  readonly sent: () => string;
  /** Stops forwarding to the client (the sockets stay open, as with a frozen peer or a lost route). */
  readonly freeze: () => void;
  readonly thaw: () => void;
  readonly destroy: () => void;
}

export interface TcpProxy {
  readonly port: number;
  readonly connections: () => readonly ProxiedConnection[];
  readonly close: () => Promise<void>;
}

/** A TCP proxy on loopback whose connections can be frozen one by one. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const connections = new Set<ProxiedConnection>();
  const server: Server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1');
    let sent = '';
    client.on('data', (chunk: Buffer) => {
      if (sent.length < 4096) sent += chunk.toString('latin1');
      upstream.write(chunk);
    });
    upstream.pipe(client);
    const connection: ProxiedConnection = {
      sent: () => sent,
      freeze: () => void upstream.unpipe(client).pause(),
      thaw: () => void upstream.pipe(client),
      destroy: () => {
        client.destroy();
        upstream.destroy();
      },
    };
    connections.add(connection);
    const end = (): void => {
      connections.delete(connection);
      connection.destroy();
    };
    for (const socket of [client, upstream] as Socket[]) socket.on('error', end).on('close', end);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => [...connections],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const connection of connections) connection.destroy();
      }),
  };
}
