import type { LoadProcess } from './load/load-process.js';
import { median } from './statistics.js';

/** Whose CPU time counts as whose. */
export type Part = 'service' | 'redis' | 'envoy';

/** One column of a comparison. */
export interface Variant {
  readonly name: string;
  readonly load: LoadProcess;
  readonly parts: readonly (readonly [part: Part, pid: () => number])[];
}

export interface Timing {
  readonly rounds: number;
  readonly roundMs: number;
  readonly warmUpMs: number;
  /** Ends a warm-up earlier. */
  readonly warmUpChecks?: number;
}

/** Medians over the rounds. CPU in milliseconds per check. */
export interface Measured {
  readonly name: string;
  readonly checks: number;
  readonly failures: number;
  readonly rps: number;
  readonly p50: number;
  readonly p99: number;
  readonly service: number;
  readonly redis: number;
  readonly envoy: number;
  /** Service and Redis. */
  readonly sum: number;
  readonly total: number;
  /** The rounds behind the medians, in order: those of two variants belong together in pairs. */
  readonly rounds?: readonly Measured[];
}

/** In a round so short that one in a thousand would be none. */
const fewFailures = 3;

/**
 * Interleaved rounds, A B C … and then C B A …, so that a drift of the machine meets all variants
 * alike. @throws Error when a variant fails more than one check in a thousand: it measured errors.
 */
export async function measure(variants: readonly Variant[], timing: Timing): Promise<Measured[]> {
  const rounds = new Map(variants.map(({ name }) => [name, [] as Measured[]]));
  for (const { load } of variants) {
    await load.run({
      milliseconds: timing.warmUpMs,
      pids: [],
      ...(timing.warmUpChecks === undefined ? {} : { checks: timing.warmUpChecks }),
    });
  }
  for (let round = 0; round < timing.rounds; round += 1) {
    const order = round % 2 === 0 ? variants : variants.toReversed();
    for (const variant of order) {
      rounds.get(variant.name)?.push(await oneRound(variant, timing.roundMs));
    }
  }
  return [...rounds.values()].map(medians);
}

async function oneRound({ name, load, parts }: Variant, milliseconds: number): Promise<Measured> {
  const result = await load.run({ milliseconds, pids: parts.map(([, pid]) => pid()) });
  const failures = Object.values(result.failures).reduce((a, b) => a + b, 0);
  if (failures > fewFailures && failures * 1000 > result.checks) {
    throw new Error(
      `${name}: ${failures} of ${result.checks} failed ${JSON.stringify(result.failures)}`,
    );
  }
  const per = (wanted: Part): number =>
    parts.reduce(
      (sum, [part], index) => (part === wanted ? sum + (result.cpuMs[index] ?? 0) : sum),
      0,
    ) / result.checks;
  const [service, redis, envoy] = [per('service'), per('redis'), per('envoy')];
  return {
    name,
    checks: result.checks,
    failures,
    rps: result.rps,
    p50: result.p50,
    p99: result.p99,
    service,
    redis,
    envoy,
    sum: service + redis,
    total: service + redis + envoy,
  };
}

function medians(rounds: readonly Measured[]): Measured {
  const of = (field: Exclude<keyof Measured, 'name' | 'rounds'>): number =>
    median(rounds.map((round) => round[field]));
  const total = (field: 'checks' | 'failures'): number =>
    rounds.reduce((sum, round) => sum + round[field], 0);
  return {
    name: rounds[0]?.name ?? '',
    checks: total('checks'),
    failures: total('failures'),
    rps: of('rps'),
    p50: of('p50'),
    p99: of('p99'),
    service: of('service'),
    redis: of('redis'),
    envoy: of('envoy'),
    sum: of('sum'),
    total: of('total'),
    rounds,
  };
}
