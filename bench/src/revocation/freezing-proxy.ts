import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Workbench } from '../workbench.js';

/**
 * A TCP proxy in front of Redis that can stop forwarding on the connections that carry invalidations
 * (those on which CLIENT TRACKING was sent) while their sockets stay open: what a silent network
 * fault looks like from inside. Other connections, and new ones, go on.
 */
export interface FreezingProxy {
  readonly port: number;
  /** How many invalidation connections stand still now. */
  freeze(): number;
  /** Ends the frozen ones, as a network that comes back would. */
  thaw(): void;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  tracking: boolean;
  frozen: boolean;
}

export async function freezingProxy(bench: Workbench, redisPort: number): Promise<FreezingProxy> {
  const pairs = new Set<Pair>();
  const listener = createServer((client) => {
    const server = connect({ port: redisPort, host: '127.0.0.1', noDelay: true });
    const pair: Pair = { client, server, tracking: false, frozen: false };
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on('error', end).on('close', end);
    client.setNoDelay(true);
    client.on('data', (chunk: Buffer) => {
      if (/tracking/i.test(chunk.toString('latin1'))) pair.tracking = true;
      if (!pair.frozen) server.write(chunk);
    });
    server.on('data', (chunk: Buffer) => {
      if (!pair.frozen) client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => {
    listener.listen(0, '127.0.0.1', resolve);
  });
  bench.keep(listener, (one) => {
    for (const { client } of pairs) client.destroy();
    one.close();
  });
  return {
    port: (listener.address() as AddressInfo).port,
    freeze: () => {
      const tracking = [...pairs].filter((pair) => pair.tracking);
      for (const pair of tracking) pair.frozen = true;
      return tracking.length;
    },
    thaw: () => {
      for (const { frozen, client } of [...pairs]) if (frozen) client.destroy();
    },
  };
}
