import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newSessionId, type SessionId } from '@sallyport/shared';
import {
  keyOf,
  redisVersions,
  startFailureRig,
  writeSession,
  type FailureRig,
} from '../../support/failure-rig.js';
import { until } from '../../support/until.js';

describe.each(redisVersions)('a revocation in %s', (_name, options) => {
  let rig: FailureRig;
  beforeAll(async () => {
    rig = await startFailureRig(options);
  });
  afterAll(() => rig.close());

  /** In memory, so that only the link can end it. */
  const remembered = async (): Promise<SessionId> => {
    const id = await rig.write();
    await rig.turn(id, 200);
    await rig.remembered(id);
    return id;
  };
  const revoke = (...ids: SessionId[]) => rig.admin.del(...ids.map(keyOf));
  const denied = async (...ids: SessionId[]): Promise<void> => {
    for (const id of ids) {
      await rig.turn(id, 401);
      expect(await rig.statuses(id)).toEqual([401, 401]);
    }
  };

  it('denies at once what was in memory', async () => {
    const id = await remembered();
    await revoke(id);
    await denied(id);
  });

  it('denies while the link is cut, again and again, and the link comes back', async () => {
    for (let round = 0; round < 10; round += 1) {
      const id = await remembered();
      const [link] = rig.links();
      // Alternately before and after: neither order may lose it.
      if (round % 2 === 0) link?.destroy();
      await revoke(id);
      link?.destroy();
      await denied(id);
    }
    await remembered();
  });

  it('reg-A1: denies when Redis itself cuts the link', async () => {
    const id = await remembered();
    await Promise.all([rig.admin.client('KILL', 'TYPE', 'pubsub'), revoke(id)]);
    await denied(id);
    await remembered();
  });

  it('denies while the link is frozen, and a new link takes its place', async () => {
    const id = await remembered();
    const [link] = rig.links();
    link?.freeze();
    await revoke(id);
    await denied(id);
    await until(() => rig.links().some((other) => other !== link));
    await remembered();
  });

  it('denies when the connection that reads is cut', async () => {
    const id = await remembered();
    rig.dataConnections().forEach((connection) => connection.destroy());
    await revoke(id);
    await denied(id);
    rig.dataConnections().forEach((connection) => connection.destroy());
    await remembered();
  });

  it('reg-A5: reports every key of a transaction and of a batch, and FLUSHALL', async () => {
    const pair = [await remembered(), await remembered()];
    const multi = rig.admin.multi();
    for (const id of pair) multi.del(keyOf(id));
    await multi.exec();
    await denied(...pair);

    const batch = [await remembered(), await remembered(), await remembered()];
    await rig.admin.mset(batch.flatMap((id) => [keyOf(id), 'no session']));
    await denied(...batch);

    const all = [await remembered(), await remembered()];
    await rig.admin.flushall();
    await denied(...all);
  });

  it('lets a session in that was unknown a moment ago', async () => {
    const id = newSessionId();
    expect(await rig.statuses(id)).toEqual([401, 401]);
    await writeSession(rig.admin, {}, 600, id);
    await rig.turn(id, 200, [401]);
  });

  describe('that overtakes the reply of a read (ATTACKS 4)', () => {
    const calls = async (): Promise<number> => {
      const stats = await rig.admin.info('commandstats');
      return Number(/cmdstat_hmget:calls=([0-9]+)/.exec(stats)?.[1] ?? 0);
    };

    /** Holds the reply of one check's read back while a change and the news of it pass. */
    const cross = async (
      round: number,
      id: SessionId,
      change: () => Promise<unknown>,
    ): Promise<number> => {
      const [before, [link]] = [await calls(), rig.links()];
      const news = (): number => link?.received().split(keyOf(id)).length ?? 0;
      const known = news();
      rig.dataConnections().forEach((connection) => connection.freeze());
      const answer = round % 2 === 0 ? rig.http(id) : rig.grpc(id);
      await until(async () => (await calls()) > before);
      await change();
      await until(() => news() > known);
      // One more turn of its event loop: the news was in its socket before this request was.
      await fetch(`http://127.0.0.1:${String(rig.service.healthPort)}/livez`);
      rig.dataConnections().forEach((connection) => connection.thaw());
      return (await answer).status;
    };

    /** One link, trusted, that has told everything so far. */
    const quiet = async (): Promise<void> => {
      await until(
        async () => rig.links().length === 1 && (await rig.metric('extauthz_cache_trusted')) === 1,
      );
      const mark = keyOf(await rig.write());
      await until(() => rig.links()[0]?.received().includes(mark) === true);
    };

    it('reg-A4: is not lost: no allow from the older reply', async () => {
      const crossedBefore = await rig.metric('extauthz_cache_crossed_total');
      for (let round = 0; round < 20; round += 1) {
        const id = await rig.write();
        await quiet();
        // 503 where all this took longer than the read's deadline.
        expect([401, 503]).toContain(await cross(round, id, () => revoke(id)));
        await denied(id);
      }
      expect(await rig.metric('extauthz_cache_crossed_total')).toBeGreaterThan(crossedBefore);
    });

    it('reg-A4: is not lost when it is a creation: no 401 from the older reply', async () => {
      for (let round = 0; round < 20; round += 1) {
        const id = newSessionId();
        const create = () => writeSession(rig.admin, {}, 600, id);
        await quiet();
        expect([200, 503]).toContain(await cross(round, id, create));
        await rig.turn(id, 200, [503]);
      }
    });
  });
});
