import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newSessionId } from '@sallyport/shared';
import {
  keyOf,
  redisVersions,
  startFailureRig,
  type FailureRig,
} from '../../support/failure-rig.js';
import { until } from '../../support/until.js';

/** Nobody listens there: the replica keeps its old data and serves it. */
const nowhere = ['127.0.0.1', 1] as const;

describe.each(redisVersions)('a replica in the place of %s', (_name, options) => {
  describe('from the start', () => {
    let rig: FailureRig;
    beforeAll(async () => {
      const extraConfig = [`replicaof ${nowhere.join(' ')}`];
      rig = await startFailureRig({ ...options, redis: { extraConfig }, ready: false });
    });
    afterAll(() => rig.close());

    it('is not believed: 503 for everyone and not ready, until it is promoted', async () => {
      const nobody = newSessionId();
      expect(await rig.admin.hgetall(keyOf(nobody))).toEqual({});
      await rig.turn(nobody, 503, []);
      await until(async () => (await refused(rig)) > 0);
      expect(await rig.statuses(nobody)).toEqual([503, 503]);
      expect(await rig.isReady()).toBe(false);
      expect(await rig.metric('extauthz_cache_trusted')).toBe(0);
      await rig.admin.replicaof('NO', 'ONE');
      await until(rig.isReady);
      await rig.turn(nobody, 401, [503]);
      await rig.turn(await rig.write(), 200);
    });
  });

  describe('by demotion under an open connection', () => {
    let rig: FailureRig;
    beforeAll(async () => {
      rig = await startFailureRig(options);
    });
    afterAll(() => rig.close());

    it('reg-A2: is not believed, nor is what was in memory, until it is promoted again', async () => {
      const [cached, unseen] = [await rig.write(), await rig.write()];
      await rig.turn(cached, 200);
      await rig.remembered(cached);
      await rig.admin.replicaof(...nowhere);
      await rig.turn(cached, 503);
      await rig.turn(unseen, 503, []);
      await rig.turn(newSessionId(), 503, []);
      expect(await rig.metric('extauthz_cache_sessions')).toBe(0);
      expect(await refused(rig)).toBeGreaterThan(0);
      await until(async () => !(await rig.isReady()));
      // The link's own connection never broke: only the role had changed.
      expect(rig.links()).toHaveLength(1);
      await rig.admin.replicaof('NO', 'ONE');
      await until(rig.isReady);
      await rig.turn(cached, 200);
      await rig.turn(newSessionId(), 401, [503]);
    });
  });
});

/** Its answer was not believed, or the connection to it has been given up already. */
async function refused(rig: FailureRig): Promise<number> {
  const count = (reason: string) => rig.metric(`extauthz_redis_errors_total{reason="${reason}"}`);
  return (await count('NOTPRIMARY')) + (await count('CONNECTION'));
}
