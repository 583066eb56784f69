import { createServer } from 'node:net';

/**
 * Below the ephemeral range, so that no outgoing connection takes the port before its server does,
 * and above 10080, to which neither browsers nor fetch go (Fetch, port blocking).
 */
const lowest = 10_100;
const highest = 31_999;
const shares = 16;
const clusterBusOffset = 10_000;
const handedOut = new Set<number>();

/**
 * A free port on 127.0.0.1, for parts that cannot bind port 0 themselves. Never the same one twice
 * in a process; parallel jest workers draw from shares of their own, since between this check and
 * the part's own bind another process could take it.
 *
 * With `clusterBus` the port 10000 above it is free too (Redis Cluster's bus, not movable on 6.2).
 */
export async function freePort(
  options: { readonly clusterBus?: boolean } = {},
  worker: string | undefined = process.env['JEST_WORKER_ID'],
): Promise<number> {
  const top = options.clusterBus ? highest - clusterBusOffset : highest;
  const [from, to] = shareOf(worker, top);
  for (let attempt = 0; attempt < 500; attempt += 1) {
    const port = from + Math.floor(Math.random() * (to - from));
    const wanted = options.clusterBus ? [port, port + clusterBusOffset] : [port];
    if (wanted.some((candidate) => handedOut.has(candidate))) continue;
    // Before the look, which takes a moment: a second caller may draw the same number meanwhile.
    wanted.forEach((candidate) => handedOut.add(candidate));
    if (await allFree(wanted)) return port;
  }
  throw new Error(`no free port between ${from} and ${to}`);
}

function shareOf(worker: string | undefined, top: number): readonly [number, number] {
  if (worker === undefined) return [lowest, top + 1];
  const size = Math.floor((top + 1 - lowest) / shares);
  const from = lowest + ((Number(worker) - 1) % shares) * size;
  return [from, from + size];
}

async function allFree(ports: readonly number[]): Promise<boolean> {
  for (const port of ports) {
    if (!(await isFree(port))) return false;
  }
  return true;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      probe.close(() => resolve(true));
    });
  });
}
