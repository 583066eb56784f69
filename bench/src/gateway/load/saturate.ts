import { cpuMs } from '../../cpu.js';
import type { RunOrder, RunResult } from '../../load/load-spec.js';
import { latencyCount } from '../../statistics.js';

/** Does one thing and says how it went: 200, or whatever came instead. */
export type Doer = () => Promise<number>;

/**
 * As many as there can be, one at a time per doer, until the time or the number is over.
 *
 * The event loop spins meanwhile, so that this process never sleeps. A write that has to wake its
 * receiver costs the writer 10 to 30 µs more on a virtual machine: the slower a variant is, the more
 * often its generator would sleep, and the slower it would look.
 */
export async function saturate(doers: readonly Doer[], order: RunOrder): Promise<RunResult> {
  const latencies = latencyCount();
  const failures: Record<string, number> = {};
  const mostDone = order.checks ?? Number.POSITIVE_INFINITY;
  const before = order.pids.map(cpuMs);
  const started = performance.now();
  const end = started + order.milliseconds;
  let begun = 0;
  let done = 0;
  const repeat = async (doer: Doer): Promise<void> => {
    while (begun < mostDone && performance.now() < end) {
      begun += 1;
      const from = performance.now();
      const status = await doer();
      latencies.add(performance.now() - from);
      done += 1;
      if (status !== 200) failures[status] = (failures[status] ?? 0) + 1;
    }
  };
  await awake(Promise.all(doers.map(repeat)));
  const milliseconds = performance.now() - started;
  return {
    checks: done,
    failures,
    milliseconds,
    rps: (done * 1000) / milliseconds,
    p50: latencies.percentile(0.5),
    p99: latencies.percentile(0.99),
    max: latencies.max,
    cpuMs: order.pids.map((pid, index) => cpuMs(pid) - (before[index] ?? 0)),
  };
}

/** Keeps the event loop busy until the work is over. */
export async function awake<T>(work: Promise<T>): Promise<T> {
  let spinning = true;
  const spin = (): void => {
    if (spinning) setImmediate(spin);
  };
  spin();
  try {
    return await work;
  } finally {
    spinning = false;
  }
}
