import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { activityStreamKey, newSessionId, type SessionId } from '@sallyport/shared';
import { closeRedis, connectOrFail } from '@sallyport/shared/runtime';
import type { Redis } from 'ioredis';
import { grpcChecker, startExtauthz, type ExtauthzProcess } from '../../support/extauthz.js';
import { checksOf, keyOf, writeSession } from '../../support/failure-rig.js';
import { startSentinelRig, type SentinelRig } from '../../support/sentinel.js';
import { until } from '../../support/until.js';

describe('one primary, two replicas and three sentinels', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-sentinel-'));
  let rig: SentinelRig;
  let service: ExtauthzProcess;
  let checker: ReturnType<typeof grpcChecker>;
  let checks: ReturnType<typeof checksOf>;

  beforeAll(async () => {
    rig = await startSentinelRig(directory);
    service = await startExtauthz({ directory, env: rig.env });
    checker = grpcChecker(service.grpcPort);
    checks = checksOf(service, checker);
  }, 60_000);
  afterAll(async () => {
    checker.close();
    await service.child.kill();
    await rig.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** In memory, and on every server. */
  const remembered = async (): Promise<SessionId> => {
    const master = await rig.master();
    const id = await writeSession(master);
    await until(async () => (await hasEverywhere(id)).length === rig.admins.length);
    await checks.turn(id, 200);
    await checks.remembered(id);
    return id;
  };
  const hasEverywhere = async (id: SessionId): Promise<Redis[]> => {
    const answers = await Promise.all(
      rig.admins.map((admin) => admin.exists(keyOf(id)).catch(() => 0)),
    );
    return rig.admins.filter((_admin, index) => answers[index] === 1);
  };
  const denied = async (id: SessionId): Promise<void> => {
    await checks.turn(id, 401);
    for (let again = 0; again < 50; again += 1) {
      for (const status of await checks.statuses(id)) expect([401, 503]).toContain(status);
    }
  };

  it('answers from memory, and denies what is revoked', async () => {
    const id = await remembered();
    await (await rig.master()).del(keyOf(id));
    await denied(id);
  });

  it('proves by a write that the stream lets through', async () => {
    const master = await rig.master();
    await master.xgroup('CREATE', activityStreamKey, 'gateway', '$', 'MKSTREAM');
    const isProof = ([, fields]: [string, string[]]): boolean => String(fields) === 'p,1';
    await until(async () =>
      (await master.xrange(activityStreamKey, '-', '+')).some((entry) => isProof(entry)),
    );
    await remembered();
  });

  it('stops answering from memory while the primary may not write, and starts again', async () => {
    const id = await remembered();
    const master = await rig.master();
    // As min-replicas-to-write does at a primary that lost its replicas (NOREPLICAS).
    await master.config('SET', 'min-replicas-to-write', '3');
    await until(async () => (await checks.metric('extauthz_cache_trusted')) === 0);
    const hits = await checks.metric('extauthz_cache_hit_total');
    expect(await checks.statuses(id)).toEqual([200, 200]);
    expect(await checks.metric('extauthz_cache_hit_total')).toBe(hits);
    expect(await checks.metric('extauthz_redis_errors_total{reason="NOREPLICAS"}')).toBeGreaterThan(
      0,
    );
    await master.config('SET', 'min-replicas-to-write', '0');
    await checks.remembered(id);
  });

  it('reg-A2: never lets a revoked session in again when a replica is promoted beside a living primary', async () => {
    const [stays, goes] = [await remembered(), await remembered()];
    const old = await rig.master();
    const before = await rig.masterPort();
    await rig.failover();
    await until(async () => (await rig.masterPort()) !== before);
    const promoted = await rig.master();
    expect(promoted).not.toBe(old);
    await promoted.del(keyOf(goes));
    await denied(goes);
    await checks.turn(stays, 200);
    await checks.remembered(stays);
    await until(checks.isReady);
    await denied(goes);
  });

  it('lets a writer go on at the new primary, without a restart', async () => {
    const writer = rig.connectWriter();
    await connectOrFail(writer, 5_000);
    const before = await rig.masterPort();
    await writer.set('gateway:rl:one', '1', 'EX', 60);
    await rig.failover();
    await until(async () => (await rig.masterPort()) !== before);
    await until(() =>
      writer.set('gateway:rl:two', '2', 'EX', 60).then(
        () => true,
        () => false,
      ),
    );
    const promoted = await rig.master();
    await until(async () => {
      await writer.set('gateway:rl:three', '3', 'EX', 60).catch(() => undefined);
      return (await promoted.exists('gateway:rl:three')) === 1;
    });
    await closeRedis(writer);
  });

  it('comes back when it was to reconnect while the sentinels were being asked', async () => {
    const writer = rig.connectWriter();
    const refused = writer.connect();
    writer.disconnect(true);
    await expect(refused).rejects.toThrow('closed');
    await until(() =>
      writer.ping().then(
        () => true,
        () => false,
      ),
    );
    await closeRedis(writer);
  });

  it('says 503 and nothing else while the primary is dead, and recovers with the next one', async () => {
    const id = await remembered();
    const { pid } = service.child;
    const before = await rig.masterPort();
    // Each says of itself that it took too long: of the whole nobody can tell where it stood.
    const step = 80_000;
    const dead = rig.servers.find((server) => server.port === before);
    await dead?.kill();
    await until(async () => {
      for (const status of await checks.statuses(id)) expect([200, 503]).toContain(status);
      for (const status of await checks.statuses(newSessionId())) {
        expect([401, 503]).toContain(status);
      }
      return (await rig.masterPort()) !== before;
    }, step);
    await checks.turn(id, 200, [503]);
    await checks.remembered(id);
    expect(service.child.pid).toBe(pid);
    await (await rig.master()).del(keyOf(id));
    await denied(id);
    await dead?.restart();
    await until(async () => (await hasEverywhere(id)).length === 0, step);
    await remembered();
    // The sentinels take their time with the one that returns, and again if an election is split.
  }, 180_000);

  it('waits for the sentinels to come back when none can say who is master', async () => {
    const id = await remembered();
    const master = await rig.master();
    await Promise.all(rig.sentinels.map((sentinel) => sentinel.kill()));
    // Connections that are open stay in use.
    await checks.remembered(id);
    await master.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await checks.turn(id, 503);
    const writer = rig.connectWriter();
    await expect(connectOrFail(writer, 300)).rejects.toThrow('Redis gave no answer');
    for (const sentinel of rig.sentinels) await sentinel.restart();
    await checks.turn(id, 200, [503]);
    await checks.remembered(id);
  });

  it('ends on SIGTERM, its connections to the sentinels included', async () => {
    await remembered();
    process.kill(service.child.pid as number, 'SIGTERM');
    await until(() => service.child.pid === undefined);
  });
});
