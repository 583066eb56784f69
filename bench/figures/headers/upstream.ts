import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Workbench } from '../../src/workbench.js';

/** What reached an upstream, line by line as it came over the wire. */
export type HeaderLines = readonly (readonly [name: string, value: string])[];

/** How a request tells which one it is. */
export const numberHeader = 'x-proof-number';

/** An upstream that remembers what it was sent: also for HEAD, whose answer has no body. */
export async function rememberingUpstream(
  bench: Workbench,
): Promise<{ port: number; take(number: string): HeaderLines | undefined }> {
  const seen = new Map<string, HeaderLines>();
  const server = createServer((request, response) => {
    const number = request.headers[numberHeader];
    // Trailers are there only at the end.
    request.resume().once('end', () => {
      const lines = [...pairs(request.rawHeaders), ...pairs(request.rawTrailers)];
      if (typeof number === 'string') seen.set(number, lines);
      response.writeHead(200, ['content-length', '0']);
      response.end();
    });
  });
  server.keepAliveTimeout = 75_000;
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  bench.keep(server, (one) => {
    one.close();
    one.closeAllConnections();
  });
  return {
    port: (server.address() as AddressInfo).port,
    take: (number) => {
      const lines = seen.get(number);
      seen.delete(number);
      return lines;
    },
  };
}

function pairs(raw: readonly string[]): [name: string, value: string][] {
  return Array.from({ length: raw.length >> 1 }, (_, at) => [
    raw[2 * at] ?? '',
    raw[2 * at + 1] ?? '',
  ]);
}
