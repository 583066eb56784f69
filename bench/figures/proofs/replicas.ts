import { startBenchEnvoy } from '../../src/parts/envoy.js';
import type { EnvoyMode } from '../../src/parts/envoy-config.js';
import { echoedUserHeader } from '../../src/parts/envoy-upstream.js';
import { benchRedis } from '../../src/parts/redis.js';
import { startExtauthz, type Service } from '../../src/parts/services.js';
import { onWorkbench, type Workbench } from '../../src/workbench.js';
import type { Figure, ProofResult, ProofSettings } from '../figure.js';
import { startTraffic, target, type Traffic } from '../traffic/traffic.js';
import type { Verdict } from '../oracle/judge.js';
import { verdictNote } from './verdict-figures.js';

export const checksPerSecond = 1_000;
/** Long enough for two looks of the active health check, whatever the default is. */
const drainWaitMs = 2_500;
const minutes = 3;

/** What is done to the replicas while the traffic runs. @returns the notes of it */
export type Disturbance = (
  replicas: readonly Service[],
  traffic: Traffic,
  checks: number,
) => Promise<void>;

/**
 * Two replicas behind one Envoy, in both modes: with the shipped configuration, where only a second
 * endpoint is added, and with what envoy-hardening.ts adds to it.
 */
export async function withReplicas(
  name: string,
  { seed, short }: ProofSettings,
  disturb: Disturbance,
  figuresOf: (name: string, verdict: Verdict) => Figure[],
): Promise<ProofResult> {
  const checks = short ? 6_000 : 20_000;
  const figures: Figure[] = [];
  const notes: string[] = [];
  for (const mode of ['http', 'grpc'] as const) {
    for (const hardened of [false, true]) {
      const full = `${name}-${mode}${hardened ? '-hardened' : ''}`;
      const verdict = await onWorkbench(full, minutes, (bench) =>
        oneRun(bench, { mode, hardened, seed, checks }, disturb),
      );
      notes.push(verdictNote(full, verdict));
      figures.push(...figuresOf(full, verdict));
    }
  }
  return { figures, notes };
}

async function oneRun(
  bench: Workbench,
  options: { mode: EnvoyMode; hardened: boolean; seed: string; checks: number },
  disturb: Disturbance,
): Promise<Verdict> {
  const { mode, hardened, seed, checks } = options;
  const redis = await benchRedis(bench);
  const replicas = await Promise.all(
    ['a', 'b'].map((name) =>
      startExtauthz(bench, {
        name: `extauthz-${name}`,
        redisPort: redis.process.port,
        env: { EXTAUTHZ_DRAIN_WAIT_MS: String(drainWaitMs) },
      }),
    ),
  );
  const envoy = await startBenchEnvoy(bench, {
    name: 'envoy',
    mode,
    authorizers: replicas,
    hardened,
  });
  const traffic = startTraffic(bench, redis, {
    targets: [target('http', envoy.port, echoedUserHeader)],
    seed,
    checks,
    rate: checksPerSecond,
  });
  await disturb(replicas, traffic, checks);
  return traffic.verdict();
}
