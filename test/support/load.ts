import { Agent, request } from 'node:http';

/** One kind of request of a load, and what may come of it. */
export interface LoadKind {
  readonly name: string;
  /** Out of all kinds' weights. */
  readonly weight: number;
  readonly headers: () => readonly string[];
  /** Judged by its whole answer. */
  readonly isRight: (status: number, body: string) => boolean;
}

export interface LoadResult {
  readonly total: number;
  /** By kind and status: `live 200`. */
  readonly counts: Readonly<Record<string, number>>;
  /** What was neither right nor a 503. */
  readonly wrong: readonly string[];
  /** 503s and broken connections. */
  readonly lost: number;
}

export interface Load {
  readonly sent: () => number;
  /** Sends no more; waits for what is under way. */
  stop(): Promise<LoadResult>;
}

/** So many per second; a bench machine may take more than a shared one. */
export const checksPerSecond = Number(process.env['FAILURES_CHECKS_PER_SECOND'] ?? 200);
/** How long a load lasts beyond what its test needs, in checks. */
export const checksPerPhase = checksPerSecond * Number(process.env['FAILURES_SECONDS'] ?? 1);

const tick = 10;

/** A steady open load on a port of this machine: it does not slow down with who answers. */
export function startLoad(options: {
  readonly port: number;
  readonly path: string;
  readonly kinds: readonly LoadKind[];
  readonly perSecond?: number;
}): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const deck = options.kinds.flatMap((kind) => Array.from({ length: kind.weight }, () => kind));
  const counts: Record<string, number> = {};
  const wrong: string[] = [];
  const running = new Set<Promise<void>>();
  let sent = 0;
  let lost = 0;

  const one = async (kind: LoadKind): Promise<void> => {
    const { status, body } = await get(agent, options.port, options.path, kind.headers());
    const label = `${kind.name} ${String(status)}`;
    counts[label] = (counts[label] ?? 0) + 1;
    if (status === 503 || status === 0) lost += 1;
    else if (!kind.isRight(status, body)) wrong.push(`${label}: ${body.slice(0, 200)}`);
  };

  const began = performance.now();
  const timer = setInterval(() => {
    const due = ((performance.now() - began) / 1000) * (options.perSecond ?? checksPerSecond);
    // Bounded: a machine that stood still does not pour out everything it missed.
    for (let burst = 0; sent < due && burst < 100; burst += 1) {
      const kind = deck[sent % deck.length];
      if (kind === undefined) throw new Error('a load needs kinds');
      sent += 1;
      const promise: Promise<void> = one(kind).finally(() => running.delete(promise));
      running.add(promise);
    }
  }, tick);

  return {
    sent: () => sent,
    stop: async () => {
      clearInterval(timer);
      await Promise.all(running);
      agent.destroy();
      return { total: sent, counts, wrong, lost };
    },
  };
}

function get(
  agent: Agent,
  port: number,
  path: string,
  headers: readonly string[],
): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    // A broken connection is an answer too: none.
    const broken = (error: Error): void => resolve({ status: 0, body: error.message });
    const outgoing = request(
      { agent, host: '127.0.0.1', port, path, headers: ['host', 'edge', ...headers] },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (body += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        response.on('error', broken);
      },
    );
    outgoing.on('error', broken);
    outgoing.end();
  });
}
