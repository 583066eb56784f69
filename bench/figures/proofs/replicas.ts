import { startBenchEnvoy, type BenchEnvoy } from '../../src/parts/envoy.js';
import type { EnvoyMode } from '../../src/parts/envoy-config.js';
import { echoedUserHeader } from '../../src/parts/envoy-upstream.js';
import { benchRedis } from '../../src/parts/redis.js';
import { startExtauthz, type Service } from '../../src/parts/services.js';
import { onWorkbench, type Workbench } from '../../src/workbench.js';
import type { Figure, ProofResult, ProofSettings } from '../figure.js';
import { startTraffic, target, type Traffic } from '../traffic/traffic.js';
import type { Verdict } from '../oracle/judge.js';
import { verdictNote } from './verdict-figures.js';

/** Two looks of the shipped health check, and a little. */
const drainWaitMs = { long: 2_500, short: 1_500 };
const minutes = 3;

export interface Pace {
  readonly checks: number;
  readonly perSecond: number;
}

export interface Stage {
  readonly replicas: readonly Service[];
  readonly traffic: Traffic;
  readonly pace: Pace;
  readonly envoy: BenchEnvoy;
}

/** What is done to the replicas while the traffic runs. @returns what was seen of it */
export type Disturbance<Seen> = (stage: Stage) => Promise<Seen>;

/**
 * Two replicas behind one Envoy, in both modes, with the shipped configuration to which only a second
 * endpoint is added. The short form asks less often: CI's machine also starts a replica meanwhile.
 */
export async function withReplicas<Seen>(
  name: string,
  { seed, short, seconds }: ProofSettings & { seconds: number },
  disturb: Disturbance<Seen>,
  figuresOf: (name: string, verdict: Verdict, seen: Seen) => Figure[],
): Promise<ProofResult> {
  const pace = short
    ? { checks: 250 * seconds, perSecond: 250 }
    : { checks: 20_000, perSecond: 1_000 };
  const figures: Figure[] = [];
  const notes: string[] = [];
  for (const mode of ['http', 'grpc'] as const) {
    const full = `${name}-${mode}`;
    const { verdict, seen } = await onWorkbench(full, minutes, (bench) =>
      oneRun(
        bench,
        { mode, seed, pace, drainWait: drainWaitMs[short ? 'short' : 'long'] },
        disturb,
      ),
    );
    notes.push(verdictNote(full, verdict));
    figures.push(...figuresOf(full, verdict, seen));
  }
  return { figures, notes };
}

async function oneRun<Seen>(
  bench: Workbench,
  options: { mode: EnvoyMode; seed: string; pace: Pace; drainWait: number },
  disturb: Disturbance<Seen>,
): Promise<{ verdict: Verdict; seen: Seen }> {
  const { mode, seed, pace, drainWait } = options;
  const redis = await benchRedis(bench);
  const replicas = await Promise.all(
    ['a', 'b'].map((name) =>
      startExtauthz(bench, {
        name: `extauthz-${name}`,
        redisPort: redis.process.port,
        env: { EXTAUTHZ_DRAIN_WAIT_MS: String(drainWait) },
      }),
    ),
  );
  const envoy = await startBenchEnvoy(bench, {
    name: 'envoy',
    mode,
    authorizers: replicas,
  });
  const traffic = startTraffic(bench, redis, {
    targets: [target('http', envoy.port, echoedUserHeader)],
    seed,
    checks: pace.checks,
    rate: pace.perSecond,
  });
  const seen = await disturb({ replicas, traffic, pace, envoy });
  return { verdict: await traffic.verdict(), seen };
}
