import { describe, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle, type SessionHandle } from '@sallyport/shared';
import { createLogger, Registry } from '@sallyport/shared/runtime';
import { auditLog } from '../../../session-gateway/src/audit/audit-log.js';
import { createRefreshEvents } from '../../../session-gateway/src/refresh-events.js';
import { ProviderPlaces } from '../../../session-gateway/src/sessions/provider-places.js';
import { refreshWorker } from '../../../session-gateway/src/sessions/refresh-worker.js';
import type {
  Attendance,
  Attended,
  SessionUpkeep,
} from '../../../session-gateway/src/sessions/session-upkeep.js';
import type { SessionView } from '../../../session-gateway/src/sessions/session-store.js';
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
          : Promise.resolve({ handles: [], now: 0, lateBy: 0 }),
      forget: () => Promise.resolve(),
    },
    store: { find: () => Promise.resolve(undefined) },
    upkeep: {
      areTokensDue: () => true,
      attend: () => Promise.reject(new Error('unused')),
      settled: () => Promise.resolve(),
    },
    places: new ProviderPlaces({ idps: [] }),
    events: createRefreshEvents(new Registry(), logger, audit),
    clock: Date.now,
    idleSeconds: 1800,
    leaseSeconds: 60,
    isDraining: () => false,
    prolong: () => Promise.resolve(),
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

const claimedAt = 1_800_000_000;

describe('of many sessions that are due', () => {
  /** A worker with `count` due at once; each is attended to as `attend` says. */
  function workerOf(
    count: number,
    attend: (handle: SessionHandle, asked: Attendance) => Promise<unknown>,
    areTokensDue = true,
  ) {
    const asked: Attendance[] = [];
    const prolonged: SessionView[] = [];
    let isDraining = false;
    const due = Array.from({ length: count }, () => sessionHandle(newSessionId(), 'hashed'));
    const claims: number[] = [];
    let [running, most] = [0, 0];
    const done: SessionHandle[] = [];
    const worker = refreshWorker({
      due: {
        claim: (atMost) => {
          claims.push(atMost);
          return Promise.resolve({ handles: due.splice(0, atMost), now: claimedAt, lateBy: 0 });
        },
        forget: () => Promise.resolve(),
      },
      store: { find: () => Promise.resolve(inUse) },
      upkeep: {
        areTokensDue: () => areTokensDue,
        attend: (async (handle, _by, given) => {
          const how = given ?? {};
          asked.push(how);
          most = Math.max(most, (running += 1));
          const outcome = await attend(handle, how);
          running -= 1;
          done.push(handle);
          return (outcome ?? { outcome: 'not_due' }) as Attended;
        }) satisfies SessionUpkeep['attend'],
        settled: () => Promise.resolve(),
      },
      events: new Proxy({} as ReturnType<typeof createRefreshEvents>, {
        get: () => () => undefined,
      }),
      places: new ProviderPlaces({ idps: [inUse.profile.idp] }),
      clock: Date.now,
      idleSeconds: 1800,
      leaseSeconds: 60,
      isDraining: () => isDraining,
      prolong: (_, session) => Promise.resolve(prolonged.push(session)),
    });
    const drain = (): void => void (isDraining = true);
    return { worker, claims, done, asked, prolonged, drain, most: () => most };
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

  it('goes on with the rest while as many hang as it attends to at a time', async () => {
    const held: (() => void)[] = [];
    const { worker, done, asked } = workerOf(100, async () => {
      if (held.length < 30) await new Promise<void>((resolve) => held.push(resolve));
    });
    await worker.start();
    await until(() => done.length === 70);
    for (const release of held) release();
    await worker.stop();
    expect(done).toHaveLength(100);
    expect(asked.every(({ sparing }) => sparing === false)).toBe(true);
  });

  it('asks a provider that does not answer for one at a time, and spares it the rest', async () => {
    let running = 0;
    const most: number[] = [];
    const { worker, done, asked } = workerOf(300, async (_, { sparing }) => {
      if (sparing !== true) most.push((running += 1));
      await new Promise(setImmediate);
      if (sparing === true) return { outcome: 'kept', reason: 'spared' };
      running -= 1;
      return { outcome: 'kept', reason: 'idp_unreachable' };
    });
    await worker.start();
    await until(() => done.length === 300);
    await worker.stop();
    // After those that were under way when it fell silent.
    expect(most.length).toBeGreaterThan(16);
    expect(Math.max(...most.slice(16))).toBe(1);
    expect(asked.filter(({ sparing }) => sparing).length).toBeGreaterThan(100);
    expect(asked.every(({ dueAt }) => dueAt === claimedAt)).toBe(true);
  });

  it('asks for permissions alone whatever becomes of the provider', async () => {
    const { worker, done, asked } = workerOf(
      200,
      async () => {
        await new Promise(setImmediate);
        return { outcome: 'kept', reason: 'idp_unreachable' };
      },
      false,
    );
    await worker.start();
    await until(() => done.length === 200);
    await worker.stop();
    expect(asked.every(({ sparing }) => sparing === false)).toBe(true);
  });

  it('moves the deadline of one that nothing holds up any more to where its use had brought it', async () => {
    const behind = { ...inUse, lastAccessedAt: now, expiresAt: now + 900 };
    const sessions = [
      behind,
      { ...behind, cappedAt: now + 900 },
      inUse,
      { ...behind, absoluteExpiresAt: now + 900 },
    ];
    const attended = [...sessions];
    const { worker, done, prolonged } = workerOf(sessions.length, async () => {
      await new Promise(setImmediate);
      return { outcome: 'permissions_renewed', session: attended.shift() };
    });
    await worker.start();
    await until(() => done.length === sessions.length);
    await worker.stop();
    expect(prolonged).toEqual([behind]);
  });

  it('begins nothing new while it drains, and finishes what it has begun', async () => {
    const held: (() => void)[] = [];
    const { worker, claims, done, drain } = workerOf(400, async () => {
      if (done.length >= 20) await new Promise<void>((resolve) => held.push(resolve));
    });
    await worker.start();
    await until(() => held.length === 16);
    drain();
    const [before, claimed] = [done.length, claims.length];
    for (const release of held) release();
    await until(() => done.length === before + 16);
    await new Promise(setImmediate);
    await worker.stop();
    expect(claims).toHaveLength(claimed);
  });

  it('gives a place back also where attending fails', async () => {
    const { worker, done, asked } = workerOf(200, async () => {
      await new Promise(setImmediate);
      throw new Error('store_unavailable');
    });
    await worker.start();
    await until(() => asked.length === 200);
    await worker.stop();
    expect(done).toEqual([]);
    expect(asked.every(({ sparing }) => sparing === false)).toBe(true);
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
