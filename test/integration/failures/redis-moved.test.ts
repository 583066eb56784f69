import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { redisServer62 } from '@sallyport/demo/parts/redis-server';
import { startRedis, type RedisProcess } from '@sallyport/demo/redis-process';
import { newSessionId, type SessionId } from '@sallyport/shared';
import { Redis } from 'ioredis';
import {
  keyOf,
  redisVersions,
  startFailureRig,
  writeSession,
  type FailureRig,
  type FailureRigOptions,
} from '../../support/failure-rig.js';
import { until } from '../../support/until.js';

/** Nobody listens there: the replica keeps its old data and serves it. */
const nowhere = ['127.0.0.1', 1] as const;

// What these wait for happens within seconds or not at all.
jest.setTimeout(20_000);

describe.each(redisVersions)('the address of %s that moves to another', (_name, options) => {
  let rig: FailureRig;
  let other: RedisProcess;
  let admin: Redis;
  const { version }: FailureRigOptions = options;

  beforeEach(async () => {
    rig = await startFailureRig(options);
    other = await startRedis({
      ...(version === undefined ? {} : { binary: (await redisServer62()).path }),
      appendOnly: true,
      directory: join(rig.directory, 'other'),
    });
    admin = new Redis(other.port, '127.0.0.1');
  });
  afterEach(async () => {
    admin.disconnect();
    await rig.close();
    await other.kill();
  });

  /** On both, as a replica would have it, and in memory. */
  const remembered = async (): Promise<SessionId> => {
    const id = await rig.write();
    await writeSession(admin, {}, 600, id);
    await rig.turn(id, 200);
    await rig.remembered(id);
    return id;
  };
  const denied = async (id: SessionId): Promise<void> => {
    await rig.turn(id, 401);
    for (let again = 0; again < 20; again += 1) {
      for (const status of await rig.statuses(id)) expect([401, 503]).toContain(status);
    }
  };
  const cut = (connections: ReturnType<FailureRig['links']>): void => {
    for (const connection of connections) connection.destroy();
  };

  it('denies what the new one revoked although the link to the old one lives on', async () => {
    const [stays, goes] = [await remembered(), await remembered()];
    const [link] = rig.links();
    rig.proxy.retarget(other.port);
    cut(rig.dataConnections());
    await admin.del(keyOf(goes));
    await denied(goes);
    await rig.turn(stays, 200);
    await rig.remembered(stays);
    expect(rig.links()).not.toContain(link);
  });

  it('denies what the new one revoked although sessions are read from the old one', async () => {
    const [stays, goes] = [await remembered(), await remembered()];
    rig.proxy.retarget(other.port);
    cut(rig.links());
    await admin.del(keyOf(goes));
    await denied(goes);
    await rig.turn(stays, 200);
    await rig.remembered(stays);
  });

  it('leaves the old one when that is demoted, without a restart', async () => {
    const [stays, goes] = [await remembered(), await remembered()];
    const { pid } = rig.service.child;
    rig.proxy.retarget(other.port);
    await admin.del(keyOf(goes));
    await rig.admin.replicaof(...nowhere);
    await denied(goes);
    await rig.turn(stays, 200);
    await rig.turn(newSessionId(), 401, [503]);
    await until(rig.isReady);
    await rig.remembered(stays);
    expect(rig.service.child.pid).toBe(pid);
  });
});
