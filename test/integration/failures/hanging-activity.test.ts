import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { activityStreamKey, sessionHandle, type SessionId } from '@sallyport/shared';
import { shippedDeadlines } from '../../support/extauthz.js';
import { redisVersions, startFailureRig, type FailureRig } from '../../support/failure-rig.js';
import { until } from '../../support/until.js';

/** Longer than any test waits; it is ended by hand. */
const pause = 600_000;

describe.each(redisVersions)('activity that %s does not take', (_name, options) => {
  let rig: FailureRig;
  beforeAll(async () => {
    rig = await startFailureRig({ ...options, env: () => shippedDeadlines });
    await rig.admin.xgroup('CREATE', activityStreamKey, 'gateway', '$', 'MKSTREAM');
  });
  afterAll(() => rig.close());

  const events = (outcome: 'sent' | 'dropped') =>
    rig.metric(`extauthz_activity_events_total{outcome="${outcome}"}`);
  /** In the second half of its window, so that its use is told. */
  const inUse = (): Promise<SessionId> => rig.write({}, 600);
  const toldOf = async (id: SessionId): Promise<number> => {
    const entries = await rig.admin.xrange(activityStreamKey, '-', '+');
    const handle = sessionHandle(id, 'hashed');
    return entries.filter(([, fields]) => fields.includes(handle)).length;
  };

  it('keeps no check from its answer, is dropped and counted, and comes again', async () => {
    const id = await inUse();
    const [sent, dropped] = [await events('sent'), await events('dropped')];
    // As a failover has it: reads go on, but each write hangs, and what its connection sends after it.
    await rig.admin.call('CLIENT', 'PAUSE', String(pause), 'WRITE');
    try {
      // A second of it at a time: then the service gives up the connection, and asks on another one.
      const silence = () =>
        rig
          .dataConnections()
          .filter((one) => /\r\nxadd\r\n/i.test(one.sent()))
          .map((one) => one.received().length);
      let answered = 0;
      await until(async () => {
        const before = silence();
        const statuses = await rig.statuses(id);
        // 503 where no proof of the link is left; a 401 would say that the session is gone.
        for (const status of statuses) expect([200, 503]).toContain(status);
        const isFromMemory = before.length > 0 && String(silence()) === String(before);
        if (isFromMemory && statuses.every((status) => status === 200)) answered += 1;
        return answered >= 20;
      });
      await until(async () => {
        for (const status of await rig.statuses(id)) expect([200, 503]).toContain(status);
        return (await events('dropped')) >= dropped + 2;
      });
      expect(await events('sent')).toBe(sent);
    } finally {
      await rig.admin.client('UNPAUSE');
    }
    await until(async () => {
      await rig.turn(id, 200);
      return (await events('sent')) > sent;
    });
    expect(await toldOf(id)).toBeGreaterThan(0);
  });

  it('is not taken for sent while the answer does not come', async () => {
    /** @returns whether the answer was held back before Redis had given it */
    const heldBack = async (): Promise<boolean> => {
      const id = await inUse();
      const [sent, dropped] = [await events('sent'), await events('dropped')];
      await rig.turn(id, 200);
      rig.dataConnections().forEach((one) => one.freeze());
      await until(async () => (await toldOf(id)) > 0);
      await until(async () => (await events('dropped')) + (await events('sent')) > sent + dropped);
      const isHeld = (await events('sent')) === sent;
      rig.dataConnections().forEach((one) => one.thaw());
      await until(async () => {
        await rig.turn(id, 200);
        return (await events('sent')) > sent;
      });
      // At least once: Redis had it, and this service could not know.
      if (isHeld) expect(await toldOf(id)).toBeGreaterThan(1);
      return isHeld;
    };
    await until(heldBack);
  });
});
