import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newSessionId, type SessionId } from '@sallyport/shared';
import type { Redis } from 'ioredis';
import { grpcChecker, startExtauthz, type ExtauthzProcess } from '../../support/extauthz.js';
import { checksOf, keyOf, writeSession, type Checks } from '../../support/failure-rig.js';
import { ownerOf } from '../../support/redis-cluster.js';
import { redisCluster, users, type TestRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

// What these wait for happens within seconds or not at all.
jest.setTimeout(30_000);

let clusters: readonly TestRedis[] = [];
beforeAll(async () => {
  // So that a primary that stands still is nobody's business but ours.
  const options = { extraConfig: ['cluster-node-timeout 60000'] };
  // Together: their nodes mostly wait to hear of each other.
  clusters = await Promise.all([redisCluster(options), redisCluster(options)]);
});
afterAll(() => Promise.all(clusters.map((redis) => redis.close())));

describe.each<[string, number, Readonly<Record<string, string>>]>([
  ['with sessions in memory', 0, {}],
  ['without a cache', 1, { SESSION_CACHE_MAX_ENTRIES: '0' }],
])('a Cluster of three in trouble, %s', (_title, at, env) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-cluster-'));
  let redis: TestRedis;
  let service: ExtauthzProcess;
  let checker: ReturnType<typeof grpcChecker>;
  let checks: Checks;

  beforeAll(async () => {
    redis = clusters[at] as TestRedis;
    service = await startExtauthz({
      directory,
      env: { ...redis.env(users.reader), ...env },
    });
    checker = grpcChecker(service.grpcPort);
    checks = checksOf(service, checker);
  });
  afterAll(async () => {
    checker.close();
    await service.child.kill();
    rmSync(directory, { recursive: true, force: true });
  });

  const admin = (index: number): Redis => redis.admins[index] as Redis;

  /** Live sessions that nobody has asked for, of one primary. */
  const unseen = async (index: number, count: number): Promise<SessionId[]> => {
    const ids: SessionId[] = [];
    while (ids.length < count) {
      const id = newSessionId();
      const slot = await admin(0).cluster('KEYSLOT', keyOf(id));
      if ((await ownerOf(redis.admins, slot)) !== index) continue;
      ids.push(await writeSession(admin(index), {}, 600, id));
    }
    return ids;
  };
  const hmgets = async (index: number): Promise<number> => {
    const stats = await admin(index).info('commandstats');
    return Number(/cmdstat_hmget:calls=([0-9]+)/.exec(stats)?.[1] ?? 0);
  };

  it('a primary that hangs takes its own sessions with it and no others', async () => {
    const [hung = newSessionId(), ...others] = await unseen(1, 20);
    const healthy = [...(await unseen(0, 60)), ...(await unseen(2, 60))];
    for (const id of [hung, ...healthy.slice(0, 1)]) await checks.turn(id, 200, [503]);
    const before = await hmgets(1);
    redis.servers[1]?.pause();
    try {
      await checks.turn(hung, 503);
      let over = false;
      const askHung = async (): Promise<number> => {
        let asked = 0;
        for (; !over; asked += 1) {
          for (const id of others) expect((await checks.http(id)).status).toBe(503);
        }
        return asked * others.length;
      };
      const load = Promise.all(Array.from({ length: 10 }, askHung));
      for (const id of healthy) expect(await checks.statuses(id)).toEqual([200, 200]);
      over = true;
      const asked = (await load).reduce((sum, count) => sum + count, 0);
      expect(asked).toBeGreaterThan(500);
      expect(await checks.isReady()).toBe(true);
      redis.servers[1]?.resume();
      // What was under way when its breaker opened, and readiness's own.
      expect((await hmgets(1)) - before).toBeLessThan(100);
    } finally {
      redis.servers[1]?.resume();
    }
    for (const id of [hung, ...others]) await checks.turn(id, 200, [503]);
  });

  it('is not ready while Redis lets nobody read, and is again', async () => {
    await until(checks.isReady);
    for (const one of redis.admins) await one.acl('SETUSER', users.reader.name, '-hmget');
    await until(async () => !(await checks.isReady()));
    const [id = newSessionId()] = await unseen(0, 1);
    await checks.turn(id, 503, []);
    for (const one of redis.admins) await one.acl('SETUSER', users.reader.name, '+hmget');
    await until(checks.isReady);
    await checks.turn(id, 200, [503]);
  });

  it('is not ready while the Cluster is down, and is again', async () => {
    const [id = newSessionId()] = await unseen(0, 1);
    const slot = await admin(0).cluster('KEYSLOT', keyOf(newSessionId()));
    const owner = await ownerOf(redis.admins, slot);
    for (const one of redis.admins) await one.cluster('DELSLOTS', slot);
    await until(async () => !(await checks.isReady()));
    await checks.turn(id, 503, [200]);
    await admin(owner).cluster('ADDSLOTS', slot);
    await until(checks.isReady);
    await checks.turn(id, 200, [503]);
  });
});
