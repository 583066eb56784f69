import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startFailureRig, type FailureRig } from '../../support/failure-rig.js';
import { until } from '../../support/until.js';

const stream = 'extauthz:activity';

describe('Redis out of memory', () => {
  let rig: FailureRig;
  beforeAll(async () => {
    rig = await startFailureRig();
  });
  afterAll(() => rig.close());

  const dropped = () => rig.metric('extauthz_activity_events_total{outcome="dropped"}');

  it('serves checks; what it cannot report is dropped, counted, and reported when there is room', async () => {
    await rig.admin.xadd(stream, '*', 'h', 'first');
    // Past half of its idle window: an allow of it is worth a report.
    const [seen, unseen] = [await rig.write({}, 60), await rig.write({}, 60)];
    await rig.turn(seen, 200);
    await until(async () => (await rig.admin.xlen(stream)) === 2);

    await rig.admin.config('SET', 'maxmemory', '1mb');
    await fill(rig);
    expect(await rig.statuses(unseen)).toEqual([200, 200]);
    await until(async () => (await dropped()) > 0);
    expect(await rig.statuses(seen)).toEqual([200, 200]);
    expect(await rig.admin.xlen(stream)).toBe(2);

    await rig.admin.config('SET', 'maxmemory', '0');
    await until(async () => {
      expect(await rig.statuses(unseen)).toEqual([200, 200]);
      return (await rig.admin.xlen(stream)) === 3;
    });
    // The one that had been reported before is remembered, so it was not reported again.
    expect(await rig.statuses(seen)).toEqual([200, 200]);
    expect(await rig.metric('extauthz_activity_events_total{outcome="sent"}')).toBe(2);
  });

  it('does not count as sent what no stream took', async () => {
    await rig.admin.del(stream);
    const before = await dropped();
    const id = await rig.write({}, 60);
    await rig.turn(id, 200);
    await until(async () => (await dropped()) > before);
    expect(await rig.admin.exists(stream)).toBe(0);
  });
});

async function fill({ admin }: FailureRig): Promise<void> {
  for (let index = 0; ; index += 1) {
    try {
      await admin.set(`filler:${String(index)}`, 'x'.repeat(65_536));
    } catch (error) {
      expect((error as Error).message).toMatch(/^OOM /);
      return;
    }
  }
}
