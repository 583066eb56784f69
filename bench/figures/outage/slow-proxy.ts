import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Workbench } from '../../src/workbench.js';

/** What the way to Redis does to every piece of an answer. */
export interface Weather {
  readonly delayMs: number;
  /** The share that has to be sent again: it and all behind it come a retransmission later. */
  readonly loss: number;
}

export interface SlowProxy {
  readonly port: number;
  set(weather: Weather): void;
}

/** Linux's shortest time until TCP sends again. */
const retransmissionMs = 200;

/** A TCP proxy in front of Redis whose answers come late, in order. */
export async function slowProxy(
  bench: Workbench,
  redisPort: number,
  random: () => number,
): Promise<SlowProxy> {
  const clients = new Set<Socket>();
  let weather: Weather = { delayMs: 0, loss: 0 };
  const server = createServer((client) => {
    const upstream = connect({ port: redisPort, host: '127.0.0.1', noDelay: true });
    clients.add(client);
    client.setNoDelay(true);
    const end = (): void => {
      clients.delete(client);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
    client.on('data', (chunk: Buffer) => upstream.write(chunk));
    // A queue, not a timer each: as with TCP nothing overtakes what was sent before it.
    const held: { readonly chunk: Buffer; readonly due: number }[] = [];
    let timer: NodeJS.Timeout | undefined;
    const pass = (): void => {
      clearTimeout(timer);
      for (let next = held[0]; next !== undefined; next = held[0]) {
        const wait = next.due - performance.now();
        if (wait > 0) {
          timer = setTimeout(pass, Math.ceil(wait));
          return;
        }
        held.shift();
        if (!client.destroyed) client.write(next.chunk);
      }
    };
    upstream.on('data', (chunk: Buffer) => {
      const lost = random() < weather.loss ? retransmissionMs : 0;
      held.push({ chunk, due: performance.now() + weather.delayMs + lost });
      pass();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  bench.keep(server, (one) => {
    for (const client of clients) client.destroy();
    one.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    set: (next) => {
      weather = next;
    },
  };
}
