import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { residentMib } from '../../src/cpu.js';
import { randomNumbers } from '../../src/load/sessions.js';
import { benchRedis, readerEnv, type BenchRedis } from '../../src/parts/redis.js';
import { startExtauthz } from '../../src/parts/services.js';
import { pause } from '../../src/poll.js';
import { boundMs } from '../../src/revocation/trial.js';
import { seedSessions } from '../../src/seeding.js';
import { percentile } from '../../src/statistics.js';
import type { Workbench } from '../../src/workbench.js';
import type { Figure, Proof } from '../figure.js';
import { slowProxy, type Weather } from '../outage/slow-proxy.js';
import { startProbes, type Answer, type Probes } from '../outage/probes.js';

const sessions = 200;
const goals = { answer: 250, slowest: 500, recovery: 1_000, rotation: 5_000, growthMib: 16 };
/** Fewer answers than that say nothing about a 99th percentile. */
const fewest = 100;
const weathers: readonly (Weather & { name: string })[] = [
  { name: 'slow-50', delayMs: 50, loss: 0 },
  { name: 'slow-200', delayMs: 200, loss: 0 },
  { name: 'slow-1000', delayMs: 1_000, loss: 0 },
  { name: 'loss-5', delayMs: 0, loss: 0.05 },
];

export const outage: Proof = {
  name: 'outage',
  about:
    'Redis killed, stopped, slow, losing packets, its password changed (TRUST R1, R2, R3, R10)',
  minutes: 5,
  run: async (bench, { seed, short }) => {
    const lastsMs = short ? 1_500 : 15_000;
    const redis = await benchRedis(bench, { durable: true });
    await seedSessions(redis, seed, { from: 0, to: sessions });
    const gone = await goneAndBack(bench, redis, { seed, lastsMs });
    const late = await throughWeather(bench, redis, { seed, lastsMs });
    const answers = [...gone.probes.all, ...late.probes.all];
    const others = answers.filter(({ status }) => status !== 200 && status !== 503);
    return {
      notes: [
        `outage: direct ${countsOf(gone.probes.all)}; slow ${countsOf(late.probes.all)}; ${late.note}`,
      ],
      figures: [
        ...gone.figures,
        ...late.figures,
        // All the sessions are there all the time: whoever cannot know says 503, nothing else.
        { name: 'outage-neither-200-503', value: others.length, goal: { atMost: 0 } },
        ...(short ? [] : [growth(late.growth)]),
      ],
    };
  },
};

interface Phase {
  readonly probes: Probes;
  readonly figures: Figure[];
}

async function goneAndBack(
  bench: Workbench,
  redis: BenchRedis,
  { seed, lastsMs }: { seed: string; lastsMs: number },
): Promise<Phase> {
  const secret = join(bench.directory, 'password');
  const { REDIS_PASSWORD: password = '', ...reader } = readerEnv(redis.process.port);
  writeFileSync(secret, password, { mode: 0o600 });
  const service = await startExtauthz(bench, {
    name: 'extauthz-direct',
    redisPort: redis.process.port,
    redisEnv: { ...reader, REDIS_PASSWORD_FILE: secret },
  });
  const probes = startProbes(bench, service, { seed, sessions });
  await probes.allowedAfter(performance.now());

  const killed = performance.now();
  await redis.process.kill();
  await pause(lastsMs);
  const whileKilled = await probes.between(killed, performance.now());
  await redis.process.restart();
  await probes.allowedAfter(performance.now());

  const stopped = performance.now();
  redis.process.pause();
  await pause(lastsMs);
  redis.process.resume();
  const resumed = performance.now();
  const recovered = await probes.allowedAfter(resumed);
  const whileStopped = await probes.between(stopped, resumed);

  const rotated = performance.now();
  await redis.admin.call('ACL', 'SETUSER', 'extauthz', 'resetpass', '>rotated-password');
  writeFileSync(secret, 'rotated-password');
  // Redis lets a connection live on that has logged in with the old one.
  await redis.admin.call('CLIENT', 'KILL', 'USER', 'extauthz');
  const closed = performance.now();
  const taken = await probes.allowedAfter(closed);

  const unavailable = whileKilled.filter(({ status }) => status === 503);
  return {
    probes,
    figures: [
      time('killed-503-p99', goals.answer, percentile(latencies(unavailable), 0.99), unavailable),
      allowsAfterBound('killed', whileKilled, killed, Infinity),
      time('stopped-slowest', goals.slowest, Math.max(...latencies(whileStopped)), whileStopped),
      allowsAfterBound('stopped', whileStopped, stopped, resumed),
      time('stopped-recovery', goals.recovery, recovered - resumed),
      time('rotated-recovery', goals.rotation, taken - rotated),
    ],
  };
}

/** With the cache off, so that every check meets the weather. */
async function throughWeather(
  bench: Workbench,
  redis: BenchRedis,
  { seed, lastsMs }: { seed: string; lastsMs: number },
): Promise<Phase & { note: string; growth: number }> {
  const proxy = await slowProxy(bench, redis.process.port, randomNumbers(`${seed}/loss`));
  const service = await startExtauthz(bench, {
    name: 'extauthz-slow',
    redisPort: proxy.port,
    redisEnv: { ...readerEnv(proxy.port), REDIS_PASSWORD: 'rotated-password' },
    cacheEntries: 0,
  });
  const probes = startProbes(bench, service, { seed, sessions });
  const figures: Figure[] = [];
  const shares: string[] = [];
  await probes.allowedAfter(performance.now());
  await pause(lastsMs);
  const before = residentMib(service.pid());
  for (const { name, ...weather } of weathers) {
    const start = performance.now();
    proxy.set(weather);
    await pause(lastsMs);
    const answers = await probes.between(start, performance.now());
    proxy.set({ delayMs: 0, loss: 0 });
    await probes.allowedAfter(performance.now());
    const allowed = answers.filter(({ status }) => status === 200).length;
    shares.push(`${name}: ${allowed} of ${answers.length} allowed`);
    figures.push(time(`${name}-p99`, goals.answer, percentile(latencies(answers), 0.99), answers));
  }
  const growth = residentMib(service.pid()) - before;
  return { probes, figures, note: shares.join(', '), growth };
}

function countsOf(answers: readonly Answer[]): string {
  const counts: Record<string, number> = {};
  for (const { protocol, status } of answers) {
    counts[`${protocol} ${status}`] = (counts[`${protocol} ${status}`] ?? 0) + 1;
  }
  return JSON.stringify(counts);
}

function latencies(answers: readonly Answer[]): number[] {
  return answers.map(({ ms }) => ms);
}

function time(name: string, atMost: number, value: number, measured?: readonly Answer[]): Figure {
  const few = measured !== undefined && measured.length < fewest;
  return {
    name: `outage-${name}`,
    value,
    goal: { atMost },
    unit: 'ms',
    ...(few ? { invalid: `only ${measured.length} answers` } : {}),
  };
}

/** Nobody can know any more, until Redis is back: trust in the cache has ended. */
function allowsAfterBound(
  name: string,
  answers: readonly Answer[],
  since: number,
  back: number,
): Figure {
  const allows = answers.filter(
    ({ sent, ms, status }) => status === 200 && sent > since + boundMs && sent + ms < back,
  );
  return { name: `outage-${name}-allows-after-bound`, value: allows.length, goal: { atMost: 0 } };
}

function growth(mib: number): Figure {
  return { name: 'outage-slow-rss-growth-mib', value: mib, goal: { atMost: goals.growthMib } };
}
