import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { sessionIdAt } from '../../src/load/sessions.js';
import { startBenchEnvoy } from '../../src/parts/envoy.js';
import type { EnvoyMode } from '../../src/parts/envoy-config.js';
import { benchRedis } from '../../src/parts/redis.js';
import { startExtauthz } from '../../src/parts/services.js';
import { seedSessions } from '../../src/seeding.js';
import type { Workbench } from '../../src/workbench.js';
import type { Figure, Proof } from '../figure.js';
import { generatedRequest, type GeneratedRequest } from '../headers/generator.js';
import { judgeHeaders } from '../headers/judge-headers.js';
import { send } from '../headers/send.js';
import { rememberingUpstream } from '../headers/upstream.js';

const sessions = 20;
const atATime = 16;

interface Counts {
  requests: number;
  reached: number;
  reachedByH2: number;
  foreign: number;
  missing: number;
  leaks: number;
  readonly statuses: Record<string, number>;
}

export const headersThroughEnvoy: Proof = {
  name: 'headers-through-envoy',
  about:
    'Generated requests with forged identity headers through real Envoy, both modes, HTTP/1.1 and HTTP/2',
  minutes: 12,
  run: async (bench, { seed, short }) => {
    const perMode = short ? 300 : 10_500;
    const number = createHash('sha256').update(seed).digest().readInt32LE(0);
    const requests = fc.sample(generatedRequest, { numRuns: perMode, seed: number });
    const figures: Figure[] = [];
    const notes: string[] = [];
    for (const mode of ['http', 'grpc'] as const) {
      const counts = await throughEnvoy(bench, mode, seed, requests);
      const name = `${headersThroughEnvoy.name}-${mode}`;
      notes.push(`${name}: ${JSON.stringify(counts)}`);
      figures.push(
        { name: `${name}-requests`, value: counts.requests, goal: { atLeast: perMode } },
        { name: `${name}-foreign`, value: counts.foreign, goal: { atMost: 0 } },
        { name: `${name}-missing`, value: counts.missing, goal: { atMost: 0 } },
        { name: `${name}-session-leaks`, value: counts.leaks, goal: { atMost: 0 } },
        // Refusing everything would prove nothing.
        {
          name: `${name}-reached-share`,
          value: counts.reached / counts.requests,
          goal: { atLeast: 0.4 },
        },
        {
          name: `${name}-reached-h2`,
          value: counts.reachedByH2,
          goal: { atLeast: perMode / 10 },
        },
      );
    }
    return { figures, notes };
  },
};

async function throughEnvoy(
  bench: Workbench,
  mode: EnvoyMode,
  seed: string,
  requests: readonly GeneratedRequest[],
): Promise<Counts> {
  const redis = await benchRedis(bench);
  await seedSessions(redis, seed, { from: 0, to: sessions });
  const service = await startExtauthz(bench, {
    name: `extauthz-${mode}`,
    redisPort: redis.process.port,
  });
  const upstream = await rememberingUpstream(bench);
  const envoy = await startBenchEnvoy(bench, {
    name: `envoy-${mode}`,
    mode,
    authorizers: [service],
    upstreamPort: upstream.port,
  });
  const counts: Counts = {
    ...{ requests: 0, reached: 0, reachedByH2: 0, foreign: 0, missing: 0, leaks: 0 },
    statuses: {},
  };
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < requests.length) {
      const number = next;
      next += 1;
      const request = requests[number] as GeneratedRequest;
      const id = sessionIdAt(seed, request.session);
      const status = await send(envoy.port, request, id, String(number));
      counts.requests += 1;
      const kind = `${request.protocol} ${status}`;
      counts.statuses[kind] = (counts.statuses[kind] ?? 0) + 1;
      const lines = upstream.take(String(number));
      if (lines === undefined) continue;
      const findings = judgeHeaders(request, id, lines);
      counts.reached += 1;
      if (request.protocol === 'h2') counts.reachedByH2 += 1;
      counts.foreign += findings.foreign;
      counts.missing += findings.missing;
      counts.leaks += findings.leaks;
    }
  };
  await Promise.all(Array.from({ length: atATime }, worker));
  return counts;
}
