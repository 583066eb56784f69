import { cpuMs } from '../cpu.js';
import { latencyCount } from '../statistics.js';
import type { Asker } from './asker.js';
import type { LoadSpec, RunOrder, RunResult } from './load-spec.js';
import { randomNumbers, sessionIdAt } from './sessions.js';

/** Below this many, ids are made once: a SHA-256 per check is then no part of the generator. */
const idsKept = 100_000;
const tickMs = 2;

/** One run of the stream over open connections. */
export function runLoad(
  askers: readonly Asker[],
  spec: LoadSpec,
  order: RunOrder,
  seed: string,
): Promise<RunResult> {
  const nextId = idSource(spec, seed);
  const latencies = latencyCount();
  const failures: Record<string, number> = {};
  const before = order.pids.map(cpuMs);
  const started = performance.now();
  const end = started + order.milliseconds;
  const mostChecks = order.checks ?? Number.POSITIVE_INFINITY;
  let sent = 0;
  let answered = 0;
  const rest = spec.rate === undefined ? stayAwake() : () => undefined;

  return new Promise((resolve) => {
    const finish = (now: number): void => {
      rest();
      const milliseconds = now - started;
      resolve({
        checks: answered,
        failures,
        milliseconds,
        rps: (answered * 1000) / milliseconds,
        p50: latencies.percentile(0.5),
        p99: latencies.percentile(0.99),
        max: latencies.max,
        cpuMs: order.pids.map((pid, index) => cpuMs(pid) - (before[index] ?? 0)),
      });
    };
    /** @param due when it should have been sent: waiting for a free connection counts as latency */
    const send = (asker: Asker, due: number): void => {
      sent += 1;
      asker.send(nextId(), (answer) => {
        const now = performance.now();
        answered += 1;
        latencies.add(now - due);
        if (answer.status !== 200) {
          failures[answer.status] = (failures[answer.status] ?? 0) + 1;
        }
        const over = now >= end || sent >= mostChecks;
        if (over && answered === sent) finish(now);
        else if (!over) onFree(asker, now, answer.status === 0);
      });
    };

    let onFree: (asker: Asker, now: number, failed: boolean) => void;
    if (spec.rate === undefined) {
      onFree = (asker, now, failed) => {
        // A dead server must not turn the generator into a busy loop.
        if (failed) setTimeout(() => send(asker, performance.now()), tickMs);
        else send(asker, now);
      };
      for (const asker of askers) {
        for (let slot = 0; slot < asker.slots; slot += 1) send(asker, performance.now());
      }
    } else {
      const ended = (): void => {
        if (answered === sent) finish(performance.now());
      };
      onFree = pace(askers, spec.rate, { started, end, ended }, send);
    }
  });
}

/**
 * Keeps this process from sleeping between answers. An answer that must wake a sleeping receiver
 * costs its sender an interrupt to the other core, on a virtual machine 10 to 30 µs; a generator
 * that is faster than the service sleeps the more the slower the service is, and every ratio to a
 * no-op would grow by what the waking costs. Awake, it meets all variants alike.
 * @returns what ends it
 */
function stayAwake(): () => void {
  let isAwake = true;
  const turn = (): void => {
    if (isAwake) setImmediate(turn);
  };
  turn();
  return () => {
    isAwake = false;
  };
}

/** Sends at the times a fixed rate dictates, however long the answers take. */
function pace(
  askers: readonly Asker[],
  rate: number,
  { started, end, ended }: { started: number; end: number; ended: () => void },
  send: (asker: Asker, due: number) => void,
): (asker: Asker) => void {
  const free = askers.flatMap((asker) => Array.from({ length: asker.slots }, () => asker));
  let dispatched = 0;
  const dispatch = (): void => {
    const now = performance.now();
    for (;;) {
      const due = started + (dispatched * 1000) / rate;
      if (due > now || due >= end) break;
      const asker = free.shift();
      if (asker === undefined) break;
      dispatched += 1;
      send(asker, due);
    }
    if (now < end) setTimeout(dispatch, tickMs);
    else ended();
  };
  dispatch();
  return (asker) => void free.push(asker);
}

function idSource({ seed, sessions }: LoadSpec, runSeed: string): () => string {
  const random = randomNumbers(runSeed);
  if (sessions > idsKept) return () => sessionIdAt(seed, Math.floor(random() * sessions));
  const ids = Array.from({ length: sessions }, (_, index) => sessionIdAt(seed, index));
  return () => ids[Math.floor(random() * sessions)] ?? '';
}
