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
    const { rawHeaders } = request;
    const lines: [string, string][] = [];
    for (let at = 0; at < rawHeaders.length; at += 2) {
      lines.push([rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '']);
    }
    const number = request.headers[numberHeader];
    if (typeof number === 'string') seen.set(number, lines);
    response.writeHead(200, ['content-length', '0']);
    response.end();
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
