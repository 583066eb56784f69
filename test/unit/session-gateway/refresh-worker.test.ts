import { describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle, type SessionHandle } from '@sallyport/shared';
import { createLogger, Registry } from '@sallyport/shared/runtime';
import { auditLog } from '../../../session-gateway/src/audit/audit-log.js';
import { createRefreshEvents } from '../../../session-gateway/src/refresh-events.js';
import { refreshWorker } from '../../../session-gateway/src/sessions/refresh-worker.js';
import type { SessionUpkeep } from '../../../session-gateway/src/sessions/session-upkeep.js';
import { newlyStored } from '../../../session-gateway/src/sessions/gateway-record.js';
import { aNewSession } from '../../support/builders.js';
import { until } from '../../support/until.js';

it('tells of every outage once, not of its every round', async () => {
  const lines: string[] = [];
  const logger = createLogger(
    { name: 'test', level: 'info' },
    { write: (line) => void lines.push(line) },
  );
  const audit = auditLog(() => undefined, Date.now);
  const rounds = ['down', 'down', 'up', 'down', 'down', 'up'];
  let round = 0;
  const worker = refreshWorker({
    due: {
      claim: () =>
        rounds[round++] === 'down'
          ? Promise.reject(Object.assign(new Error('down'), { code: 'store_unavailable' }))
          : Promise.resolve([]),
      forget: () => Promise.resolve(),
    },
    store: { find: () => Promise.resolve(undefined) },
    upkeep: { attend: () => Promise.reject(new Error('unused')), settled: () => Promise.resolve() },
    events: createRefreshEvents(new Registry(), logger, audit),
    clock: Date.now,
    idleSeconds: 1800,
  });
  await worker.start();
  await until(() => round >= rounds.length);
  await worker.stop();
  expect(lines.filter((line) => line.includes('background work failed'))).toHaveLength(2);
});

const now = Math.floor(Date.now() / 1000);
const inUse = newlyStored(aNewSession(), {
  createdAt: now,
  expiresAt: now + 1800,
  absoluteExpiresAt: now + 3600,
  permFreshUntil: now + 900,
});

describe('of many sessions that are due', () => {
  /** A worker with `count` due at once; each is attended to as `attend` says. */
  function workerOf(count: number, attend: (handle: SessionHandle) => Promise<unknown>) {
    const due = Array.from({ length: count }, () => sessionHandle(newSessionId(), 'hashed'));
    const claims: number[] = [];
    let [running, most] = [0, 0];
    const done: SessionHandle[] = [];
    const worker = refreshWorker({
      due: {
        claim: (atMost) => {
          claims.push(atMost);
          return Promise.resolve(due.splice(0, atMost));
        },
        forget: () => Promise.resolve(),
      },
      store: { find: () => Promise.resolve(inUse) },
      upkeep: {
        attend: (async (handle) => {
          most = Math.max(most, (running += 1));
          await attend(handle);
          running -= 1;
          done.push(handle);
          return { outcome: 'not_due' };
        }) satisfies SessionUpkeep['attend'],
        settled: () => Promise.resolve(),
      },
      events: new Proxy({} as ReturnType<typeof createRefreshEvents>, {
        get: () => () => undefined,
      }),
      clock: Date.now,
      idleSeconds: 1800,
    });
    return { worker, claims, done, most: () => most };
  }

  it('attends to sixteen at a time, and claims several together', async () => {
    const { worker, claims, done, most } = workerOf(400, () => new Promise(setImmediate));
    await worker.start();
    await until(() => done.length === 400);
    await worker.stop();
    expect(new Set(done).size).toBe(400);
    expect(most()).toBe(16);
    const full = claims.filter((atMost) => atMost >= 8);
    expect(full.length).toBeGreaterThan(claims.length / 2);
    expect(claims.length).toBeLessThan(100);
  });

  it('goes on with the rest while most of them hang', async () => {
    const held: (() => void)[] = [];
    const { worker, done } = workerOf(60, async () => {
      if (held.length < 15) await new Promise<void>((resolve) => held.push(resolve));
    });
    await worker.start();
    await until(() => done.length === 45);
    for (const release of held) release();
    await worker.stop();
    expect(done).toHaveLength(60);
  });

  it('stops in the middle, once what has begun is done', async () => {
    const held: (() => void)[] = [];
    const { worker, claims, done } = workerOf(400, async () => {
      if (done.length >= 20) await new Promise<void>((resolve) => held.push(resolve));
    });
    await worker.start();
    await until(() => held.length === 16);
    const stopped = worker.stop();
    const [before, claimed] = [done.length, claims.length];
    for (const release of held) release();
    await stopped;
    expect(done).toHaveLength(before + 16);
    expect(claims).toHaveLength(claimed);
  });
});
