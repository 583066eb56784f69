import { connect, createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** A TCP proxy on 127.0.0.1 through which some peers can be cut off, as by a network that drops packets. */
export interface CuttableProxy {
  readonly port: number;
  /** From now on nothing passes, either way, of whoever comes from one of these addresses. */
  cut(addresses: ReadonlySet<string>): void;
  /** Everybody may pass again; what was cut is closed, so that its ends connect anew. */
  heal(): void;
  close(): Promise<void>;
}

interface Passage {
  readonly from: string;
  readonly client: Socket;
  readonly upstream: Socket;
  isCut: boolean;
}

export async function startCuttableProxy(target: () => number): Promise<CuttableProxy> {
  const passages = new Set<Passage>();
  let addresses: ReadonlySet<string> = new Set();
  const server = createServer((client) => {
    const from = client.remoteAddress ?? '';
    const upstream = connect(target(), '127.0.0.1');
    const passage: Passage = { from, client, upstream, isCut: addresses.has(from) };
    passages.add(passage);
    const forward = (one: Socket, other: Socket): void => {
      one.setNoDelay(true);
      one.on('data', (chunk: Buffer) => {
        if (!passage.isCut) other.write(chunk);
      });
      one.on('error', () => undefined);
      one.on('close', () => {
        // Nor does the news of a close pass: the other end must find out by itself.
        if (!passage.isCut) end(passage);
      });
    };
    forward(client, upstream);
    forward(upstream, client);
  });
  const end = (passage: Passage): void => {
    passages.delete(passage);
    passage.client.destroy();
    passage.upstream.destroy();
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    cut: (peers) => {
      addresses = peers;
      for (const passage of passages) passage.isCut ||= peers.has(passage.from);
    },
    heal: () => {
      addresses = new Set();
      for (const passage of passages) if (passage.isCut) end(passage);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const passage of passages) end(passage);
      }),
  };
}
