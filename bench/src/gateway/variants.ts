import type { RunOrder } from '../load/load-spec.js';
import { startBaseline } from '../parts/services.js';
import type { BenchRedis } from '../parts/redis.js';
import type { Variant } from '../rounds.js';
import type { Settings } from '../scenario.js';
import type { Timing } from '../rounds.js';
import type { Workbench } from '../workbench.js';
import type { Peers } from './load/peers-process.js';
import type { GetWork, Work } from './load/work.js';
import type { Served } from './parts.js';

export const noopName = 'express no-op';
/** Requests at a time; more only wait for each other. */
export const connections = 32;

/** Who does what, and whose CPU time it takes. */
export function variantOf(options: {
  readonly name: string;
  readonly peers: Peers;
  readonly work: Work;
  readonly services: readonly Served[];
  readonly redis?: BenchRedis;
  /** Takes the place of what the rounds order: work that is counted, not timed. */
  readonly order?: Partial<RunOrder>;
}): Variant {
  const { redis, order } = options;
  const load = options.peers.load(options.work);
  return {
    name: options.name,
    load:
      order === undefined
        ? load
        : { run: (asked) => load.run({ ...asked, ...order }), stop: () => load.stop() },
    parts: [
      ...options.services.map(({ pid }) => ['service', pid] as const),
      ...(redis === undefined ? [] : [['redis', redis.pid] as const]),
    ],
  };
}

/** What everything of the gateway is compared with. */
export async function noopVariant(bench: Workbench, peers: Peers): Promise<Variant> {
  const { httpPort: port, pid } = await startBaseline(bench, 'express-noop');
  const work: GetWork = { kind: 'get', port, connections, path: '/' };
  return variantOf({ name: noopName, peers, work, services: [{ port, pid }] });
}

/** At least five paired rounds; in the short form three, and too short to be more than a look. */
export function gatewayTiming({ quick }: Settings): Timing {
  return quick
    ? { rounds: 3, roundMs: 700, warmUpMs: 3_000, warmUpChecks: 5_000 }
    : { rounds: 9, roundMs: 4_000, warmUpMs: 15_000, warmUpChecks: 60_000 };
}

/** What {@link gatewayTiming} came to: the settings of a run are those of the other suite. */
export function timingNote(name: string, { rounds, roundMs, warmUpChecks }: Timing): string {
  return `${name}: ${rounds} rounds of ${roundMs} ms, warmed up with at most ${warmUpChecks ?? 0} requests each`;
}
