import type { BenchEnvoy } from '../../src/parts/envoy.js';
import type { Service } from '../../src/parts/services.js';
import type { Figure } from '../figure.js';

/** Whether there was anything to lose: a replica that nobody asks can be killed without a trace. */
export interface KillSeen {
  /** Of all checks answered before the kill, those by the replica that was then killed. */
  readonly victimShare: number;
  /** Checks that Envoy had sent, or was about to send, to the killed one and then asked of the other. */
  readonly failedOver: number;
}

/** Kills it under the traffic. @param over resolves when the traffic has ended */
export async function killSeen(
  [victim, other]: readonly Service[],
  envoy: BenchEnvoy,
  over: () => Promise<void>,
): Promise<KillSeen> {
  if (victim === undefined || other === undefined) throw new Error('there must be two replicas');
  const [byVictim, byOther] = await Promise.all([decisions(victim), decisions(other)]);
  const before = await retries(envoy);
  await victim.child.kill();
  await over();
  return {
    victimShare: byVictim / (byVictim + byOther),
    failedOver: (await retries(envoy)) - before,
  };
}

/** Envoy shares evenly; a fifth and one single check are bars that nothing but idleness misses. */
export function killSeenFigures(name: string, { victimShare, failedOver }: KillSeen): Figure[] {
  return [
    { name: `${name}-victim-share`, value: victimShare, goal: { atLeast: 0.2 } },
    { name: `${name}-failed-over`, value: failedOver, goal: { atLeast: 1 } },
  ];
}

async function decisions({ healthPort }: Service): Promise<number> {
  const text = await textOf(`http://127.0.0.1:${String(healthPort)}/metrics`);
  return sumOf(text, /^extauthz_decisions_total\{[^}]*\} ([0-9]+)$/gm);
}

async function retries({ adminPort }: BenchEnvoy): Promise<number> {
  const text = await textOf(`http://127.0.0.1:${String(adminPort)}/stats?filter=upstream_rq_retry`);
  return sumOf(text, /^cluster\.extauthz\.upstream_rq_retry: ([0-9]+)$/gm);
}

async function textOf(url: string): Promise<string> {
  return (await fetch(url, { signal: AbortSignal.timeout(10_000) })).text();
}

function sumOf(text: string, line: RegExp): number {
  return [...text.matchAll(line)].reduce((sum, [, count]) => sum + Number(count), 0);
}
