import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { checkHttp } from '../support/extauthz.js';
import { startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { until } from '../support/until.js';

describe('extauthz, seen from outside', () => {
  let rig: FailureRig;
  beforeAll(async () => {
    rig = await startFailureRig({ env: () => ({ SESSION_CACHE_MAX_ENTRIES: '0' }) });
  });
  afterAll(() => rig.close());

  it('reads Redis for every check where it may keep nothing', async () => {
    const id = await rig.write();
    await rig.turn(id, 200);
    const reads = async () => (await rig.calls('hmget')) + (await rig.calls('hgetall'));
    const before = await reads();
    for (let count = 0; count < 5; count += 1) expect(await rig.statuses(id)).toEqual([200, 200]);
    expect((await reads()) - before).toBeGreaterThanOrEqual(10);
  });

  it('says once that changes come without what shows their origin', async () => {
    const id = await rig.write();
    const change = async () =>
      (
        await checkHttp(
          rig.service.httpPort,
          [['cookie', `__Host-session=${id}`]],
          '/api/me',
          'POST',
        )
      ).status;
    for (let count = 0; count < 60; count += 1) expect(await change()).toBe(403);
    const warnings = () => rig.service.log().split('without Origin and Sec-Fetch-Site').length - 1;
    await until(() => warnings() > 0);
    expect(warnings()).toBe(1);
  });
});
