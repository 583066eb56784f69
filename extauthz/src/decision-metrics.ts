import { Counter, type Registry } from '@sallyport/shared/runtime';
import {
  allowBases,
  denyReasons,
  type AllowBasis,
  type Decision,
  type DenyReason,
} from './decision.js';
import type { Transport } from './transport.js';

/** Seconds. */
const buckets = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5,
] as const;
const transports = ['http', 'grpc'] as const;

interface Tally {
  readonly allowed: Record<AllowBasis, number>;
  readonly denied: Record<DenyReason, number>;
  /** Per bucket, not cumulated; the last is +Inf. */
  readonly durations: Float64Array;
  sum: number;
}

/**
 * Counts on the hot path in plain numbers, which become metrics when somebody scrapes: a labelled
 * inc and observe of prom-client cost more than the whole decision.
 */
export function decisionMetrics(
  registry: Registry,
): (transport: Transport, decision: Decision, seconds: number) => void {
  const tallies: Record<Transport, Tally> = { http: newTally(), grpc: newTally() };
  new Counter({
    name: 'extauthz_decisions_total',
    help: 'Decisions by outcome, reason and transport',
    labelNames: ['outcome', 'reason', 'transport'],
    registers: [registry],
    collect() {
      this.reset();
      for (const transport of transports) {
        const { allowed, denied } = tallies[transport];
        for (const [reason, count] of Object.entries(allowed)) {
          if (count > 0) this.inc({ outcome: 'allow', reason, transport }, count);
        }
        for (const [reason, count] of Object.entries(denied)) {
          if (count > 0) this.inc({ outcome: 'deny', reason, transport }, count);
        }
      }
    },
  });
  registry.registerMetric(durationMetric(tallies) as never);
  return (transport, decision, seconds) => {
    const tally = tallies[transport];
    if (decision.outcome === 'allow') tally.allowed[decision.basis] += 1;
    else tally.denied[decision.reason] += 1;
    tally.sum += seconds;
    let index = 0;
    while (index < buckets.length && seconds > (buckets[index] ?? 0)) index += 1;
    tally.durations[index] = (tally.durations[index] ?? 0) + 1;
  };
}

function newTally(): Tally {
  return {
    allowed: zeros<AllowBasis>(allowBases),
    denied: zeros<DenyReason>(denyReasons),
    durations: new Float64Array(buckets.length + 1),
    sum: 0,
  };
}

function zeros<K extends string>(names: Readonly<Record<K, unknown>>): Record<K, number> {
  return Object.fromEntries(Object.keys(names).map((name) => [name, 0])) as Record<K, number>;
}

/** A histogram as prom-client's registry reads one; its own can only be fed one value at a time. */
function durationMetric(tallies: Readonly<Record<Transport, Tally>>): object {
  const name = 'extauthz_decision_seconds';
  const description = { name, help: 'Time from arrival to decision', type: 'histogram' };
  const get = (): object => ({
    ...description,
    aggregator: 'sum',
    values: transports.flatMap((transport) => {
      const { durations, sum } = tallies[transport];
      let count = 0;
      const lines = [...buckets, '+Inf'].map((le, index) => {
        count += durations[index] ?? 0;
        return { metricName: `${name}_bucket`, labels: { le, transport }, value: count };
      });
      return [
        ...lines,
        { metricName: `${name}_sum`, labels: { transport }, value: sum },
        { metricName: `${name}_count`, labels: { transport }, value: count },
      ];
    }),
  });
  return { ...description, get: () => Promise.resolve(get()), reset: () => undefined };
}
