import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { activityStreamKey, newSessionId, type SessionId } from '@sallyport/shared';
import type { Redis } from 'ioredis';
import { grpcChecker, startExtauthz, type ExtauthzProcess } from '../../support/extauthz.js';
import { checksOf, keyOf, writeSession, type Checks } from '../../support/failure-rig.js';
import { ownerOf } from '../../support/redis-cluster.js';
import { redisCluster, users, type TestRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

const refusals = 'extauthz_redis_errors_total{reason="NOREPLICAS"}';

describe('a Cluster of three, one of which takes no writes', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-cluster-'));
  let redis: TestRedis;
  let service: ExtauthzProcess;
  let checker: ReturnType<typeof grpcChecker>;
  let checks: Checks;
  /** The owner of the activity stream: the only key that extauthz may write, and so the proof. */
  let owner: number;
  /** One on each primary. */
  let ids: SessionId[];

  const admin = (index: number): Redis => redis.admins[index] as Redis;
  const homeOf = async (key: string): Promise<number> =>
    ownerOf(redis.admins, await admin(0).cluster('KEYSLOT', key));

  beforeAll(async () => {
    redis = await redisCluster();
    service = await startExtauthz({ directory, env: redis.env(users.reader) });
    checker = grpcChecker(service.grpcPort);
    checks = checksOf(service, checker);
    owner = await homeOf(activityStreamKey);
    ids = await Promise.all(
      redis.admins.map(async (one, index) => {
        let id = newSessionId();
        while ((await homeOf(keyOf(id))) !== index) id = newSessionId();
        return writeSession(one, {}, 600, id);
      }),
    );
  });
  afterAll(async () => {
    checker.close();
    await service.child.kill();
    await redis.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const hits = () => checks.metric('extauthz_cache_hit_total');
  /** By what the cache counted: two lookups each time, on a service that nobody else asks. */
  const hitsOf = async (id: SessionId, times: number): Promise<number> => {
    const before = await hits();
    for (let time = 0; time < times; time += 1) {
      for (const status of await checks.statuses(id)) expect([200, 503]).toContain(status);
    }
    return (await hits()) - before;
  };

  it('answers none of that one’s sessions from memory, all of the others’, and again when it writes', async () => {
    for (const id of ids) await checks.turn(id, 200, [401, 503]);
    for (const id of ids) await checks.remembered(id);
    const [own, others] = [ids[owner], ids.filter((_id, index) => index !== owner)];
    if (own === undefined) throw new Error('no primary owns the stream');

    // With no replica at all it refuses every write (NOREPLICAS), as one cut off from them does.
    await admin(owner).config('SET', 'min-replicas-to-write', '1');
    await until(async () => (await checks.metric(refusals)) > 0);
    await until(async () => (await checks.metric('extauthz_cache_trusted')) === 0);
    for (let round = 0; round < 5; round += 1) {
      expect(await hitsOf(own, 10)).toBe(0);
      await checks.turn(own, 200, [503]);
      for (const id of others) await checks.remembered(id);
    }

    await admin(owner).config('SET', 'min-replicas-to-write', '0');
    await checks.remembered(own);
    await until(async () => (await checks.metric('extauthz_cache_trusted')) === 1);
  });
});
