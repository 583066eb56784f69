import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { activityStreamKey, newSessionId, type SessionId } from '@sallyport/shared';
import type { Redis } from 'ioredis';
import { grpcChecker, startExtauthz, type ExtauthzProcess } from '../../support/extauthz.js';
import { checksOf, keyOf, writeSession } from '../../support/failure-rig.js';
import { redisCluster, users, type TestRedis } from '../../support/redis.js';
import { moveSlot, ownerOf } from '../../support/redis-cluster.js';
import { until } from '../../support/until.js';

describe('a Cluster of three', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-cluster-'));
  let redis: TestRedis;
  let service: ExtauthzProcess;
  let checker: ReturnType<typeof grpcChecker>;
  let checks: ReturnType<typeof checksOf>;

  beforeAll(async () => {
    redis = await redisCluster();
    service = await startExtauthz({
      directory,
      env: {
        REDIS_CLUSTER_NODES: `127.0.0.1:${String(redis.servers[0]?.port)}`,
        REDIS_USERNAME: users.reader.name,
        REDIS_PASSWORD: users.reader.password,
      },
    });
    checker = grpcChecker(service.grpcPort);
    checks = checksOf(service, checker);
  });
  afterAll(async () => {
    checker.close();
    await service.child.kill();
    await redis.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const admin = (index: number): Redis => redis.admins[index] as Redis;
  const slotOf = (key: string): Promise<number> => admin(0).cluster('KEYSLOT', key);
  const home = async (id: SessionId): Promise<number> =>
    ownerOf(redis.admins, await slotOf(keyOf(id)));

  /** In memory, one on each primary. */
  const remembered = async (): Promise<SessionId[]> => {
    const ids: SessionId[] = [];
    for (const index of redis.admins.keys()) {
      let id = newSessionId();
      while ((await home(id)) !== index) id = newSessionId();
      await writeSession(admin(index), {}, 600, id);
      await checks.turn(id, 200, [401, 503]);
      await checks.remembered(id);
      ids.push(id);
    }
    return ids;
  };
  /** To the second primary; meanwhile its keys are there already, and the first one says ASK. */
  const move = (slot: number, between: () => Promise<void>): Promise<void> =>
    moveSlot(redis, slot, { from: 0, to: 1, user: users.admin, between });
  const moveBack = (slot: number): Promise<void> =>
    moveSlot(redis, slot, { from: 1, to: 0, user: users.admin });
  const revoke = async (id: SessionId): Promise<void> => {
    expect(await admin(await home(id)).del(keyOf(id))).toBe(1);
  };
  const denied = async (id: SessionId): Promise<void> => {
    await checks.turn(id, 401);
    for (let again = 0; again < 20; again += 1) {
      expect(await checks.statuses(id)).toEqual([401, 401]);
    }
  };
  const trusted = () => until(async () => (await checks.metric('extauthz_cache_trusted')) === 1);

  it('answers from memory for sessions of every primary, and denies what is revoked', async () => {
    await trusted();
    const ids = await remembered();
    for (const id of ids) await revoke(id);
    for (const id of ids) await denied(id);
  });

  it('sees a session that is made right after it was refused', async () => {
    const [id] = await remembered();
    await revoke(id as SessionId);
    await denied(id as SessionId);
    await writeSession(admin(await home(id as SessionId)), {}, 600, id);
    await checks.turn(id as SessionId, 200, [401]);
  });

  it('stays right when any link is killed', async () => {
    for (const index of redis.admins.keys()) {
      const ids = await remembered();
      await Promise.all([admin(index).client('KILL', 'TYPE', 'pubsub'), ...ids.map(revoke)]);
      for (const id of ids) await denied(id);
    }
    await trusted();
    await remembered();
  });

  it('stays right when the connections that read are killed', async () => {
    const ids = await remembered();
    await Promise.all(
      redis.admins.map((one) => one.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes')),
    );
    for (const id of ids) await revoke(id);
    for (const id of ids) await denied(id);
    await trusted();
  });

  it('proves by writing that the activity’s owner may write', async () => {
    await trusted();
    // The stream makes the proof a write that succeeds, not a nil.
    const owner = admin(await ownerOf(redis.admins, await slotOf(activityStreamKey)));
    await owner.xgroup('CREATE', activityStreamKey, 'gateway', '$', 'MKSTREAM');
    const proofs = async () =>
      (await owner.xrange(activityStreamKey, '-', '+')).filter(
        ([, fields]) => String(fields) === 'p,1',
      );
    await until(async () => (await proofs()).length > 1);
    await remembered();
  });

  it('reg-A7: is right while a slot is on its way and after it arrived', async () => {
    const [id] = (await remembered()) as [SessionId];
    const slot = await slotOf(keyOf(id));
    await move(slot, async () => {
      expect(await admin(0).cluster('COUNTKEYSINSLOT', slot)).toBe(0);
      for (let again = 0; again < 20; again += 1) {
        for (const status of await checks.statuses(id)) expect([200, 503]).toContain(status);
      }
    });
    await checks.turn(id, 200, [503]);
    await checks.remembered(id);
    expect(await home(id)).toBe(1);
    await revoke(id);
    await denied(id);
    await moveBack(slot);
    await remembered();
  });

  it('reg-A7: denies a session that was revoked at the new owner while its slot was on its way', async () => {
    const [id] = (await remembered()) as [SessionId];
    await move(await slotOf(keyOf(id)), async () => {
      await checks.turn(id, 200, [503]);
      const pipeline = admin(1).pipeline();
      pipeline.call('ASKING').del(keyOf(id));
      await pipeline.exec();
      await denied(id);
    });
    await denied(id);
  });

  it('lives on where a slot is on its way and its user may not say ASKING', async () => {
    const [id] = (await remembered()) as [SessionId];
    const user = (right: string) =>
      Promise.all(redis.admins.map((one) => one.call('ACL', 'SETUSER', users.reader.name, right)));
    const { pid } = service.child;
    await user('-asking');
    const slot = await slotOf(keyOf(id));
    await move(slot, () => checks.turn(id, 503, [200]));
    await user('+asking');
    await checks.turn(id, 200, [503]);
    expect(service.child.pid).toBe(pid);
    await moveBack(slot);
    await remembered();
  });

  it('drops what it knew when a slot changes hands without its keys', async () => {
    const [id] = (await remembered()) as [SessionId];
    const slot = await slotOf(keyOf(id));
    const newOwner = await admin(1).cluster('MYID');
    await admin(1).cluster('SETSLOT', slot, 'NODE', newOwner);
    // So that the others believe it and not the old owner, who still has the key.
    await admin(1).call('CLUSTER', 'BUMPEPOCH');
    await denied(id);
  });
});
