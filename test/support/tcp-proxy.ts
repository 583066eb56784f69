import { connect, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** One proxied connection. */
export interface ProxiedConnection {
  /** The bytes the client has sent so far (the first MiB of them), as latin1. */
  readonly sent: () => string;
  /** What reached the client or is held back from it, likewise. */
  readonly received: () => string;
  /** Stops forwarding to the client (the sockets stay open, as with a frozen peer or a lost route). */
  readonly freeze: () => void;
  readonly thaw: () => void;
  readonly destroy: () => void;
}

export interface TcpProxy {
  readonly port: number;
  /** Those that are open. */
  readonly connections: () => readonly ProxiedConnection[];
  /** Those that ever were. */
  readonly allConnections: () => readonly ProxiedConnection[];
  /** Those that have ended, in that order. */
  readonly ended: () => readonly ProxiedConnection[];
  /** From now on every answer takes this much longer, ms. */
  readonly delay: (milliseconds: number) => void;
  /** Where connections go that are made from now on: an address that has moved. */
  readonly retarget: (port: number) => void;
  readonly close: () => Promise<void>;
}

const remembered = 1 << 20;

/** A TCP proxy on loopback whose connections can be delayed, frozen or cut one by one. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const open = new Set<ProxiedConnection>();
  const all: ProxiedConnection[] = [];
  const ended: ProxiedConnection[] = [];
  let latency = 0;
  let target = targetPort;
  const server: Server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    // As Redis and ioredis have it: else a reply waits for the acknowledgement of the one before.
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    const [sent, received] = [record(), record()];
    client.on('data', (chunk: Buffer) => {
      sent.add(chunk);
      upstream.write(chunk);
    });
    const replies = gate(client);
    upstream.on('data', (chunk: Buffer) => {
      received.add(chunk);
      replies.pass(chunk, latency);
    });
    const connection: ProxiedConnection = {
      sent: sent.text,
      received: received.text,
      freeze: replies.freeze,
      thaw: replies.thaw,
      destroy: () => {
        client.destroy();
        upstream.destroy();
      },
    };
    open.add(connection);
    all.push(connection);
    const end = (): void => {
      if (open.delete(connection)) ended.push(connection);
      connection.destroy();
    };
    for (const socket of [client, upstream] as Socket[]) socket.on('error', end).on('close', end);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => [...open],
    allConnections: () => all,
    ended: () => ended,
    delay: (milliseconds) => void (latency = milliseconds),
    retarget: (port) => void (target = port),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const connection of open) connection.destroy();
      }),
  };
}

function record(): { add: (chunk: Buffer) => void; text: () => string } {
  let text = '';
  return {
    add: (chunk) => {
      if (text.length < remembered) text += chunk.toString('latin1');
    },
    text: () => text,
  };
}

/** Lets chunks through in order, late or not at all. */
function gate(target: Socket): {
  pass: (chunk: Buffer, latency: number) => void;
  freeze: () => void;
  thaw: () => void;
} {
  const held: { chunk: Buffer; due: number }[] = [];
  let frozen = false;
  let timer: NodeJS.Timeout | undefined;
  const drain = (): void => {
    clearTimeout(timer);
    while (!frozen && held[0] !== undefined) {
      const wait = held[0].due - performance.now();
      if (wait > 0) {
        timer = setTimeout(drain, Math.ceil(wait));
        return;
      }
      if (!target.destroyed) target.write(held[0].chunk);
      held.shift();
    }
  };
  return {
    pass: (chunk, latency) => {
      const due = performance.now() + latency;
      held.push({ chunk, due: Math.max(due, held.at(-1)?.due ?? 0) });
      drain();
    },
    freeze: () => void (frozen = true),
    thaw: () => {
      frozen = false;
      drain();
    },
  };
}
