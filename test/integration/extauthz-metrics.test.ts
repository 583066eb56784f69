import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { activityStreamKey, newSessionId } from '@sallyport/shared';
import { startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { until } from '../support/until.js';

describe('the metrics of a running extauthz', () => {
  let rig: FailureRig;
  beforeAll(async () => {
    rig = await startFailureRig({ policy: 'version: 1\ndefault: authenticated\nrules: []\n' });
  });
  afterAll(() => rig.close());

  const above = (name: string, least: number): Promise<void> =>
    until(async () => (await rig.metric(name)) >= least);

  it('say what was decided, from where, how fast, and how Redis and the link are', async () => {
    await rig.admin.xgroup('CREATE', activityStreamKey, 'gateway', '$', 'MKSTREAM');
    const id = await rig.write();
    await rig.turn(id, 200);
    await rig.remembered(id);
    await rig.turn(newSessionId(), 401, [503]);
    for (const transport of ['http', 'grpc']) {
      const labels = `transport="${transport}"`;
      const decided = (rest: string) => `extauthz_decisions_total{${rest},${labels}}`;
      await above(decided('outcome="allow",reason="session"'), 1);
      await above(decided('outcome="deny",reason="unknown_session"'), 1);
      await above(`extauthz_decision_seconds_count{${labels}}`, 2);
      await above(`extauthz_decision_seconds_bucket{le="+Inf",${labels}}`, 2);
    }
    await above('extauthz_cache_hit_total', 1);
    await above('extauthz_cache_miss_total', 2);
    await above('extauthz_cache_sessions', 1);
    await above('extauthz_cache_trusted', 1);
    await above('extauthz_redis_read_seconds_count', 2);
    await above('extauthz_redis_read_seconds_bucket{le="+Inf"}', 2);
    await above('extauthz_redis_connected', 1);
    await above('extauthz_activity_events_total{outcome="sent"}', 1);
    await above('extauthz_policy_version', 1);
  });

  it('count an answer from memory as a hit and as nothing that Redis did', async () => {
    const id = await rig.write();
    await rig.turn(id, 200);
    await rig.remembered(id);
    const reads = await rig.metric('extauthz_redis_read_seconds_count');
    const hits = await rig.metric('extauthz_cache_hit_total');
    expect(await rig.statuses(id)).toEqual([200, 200]);
    expect(await rig.metric('extauthz_cache_hit_total')).toBe(hits + 2);
    expect(await rig.metric('extauthz_redis_read_seconds_count')).toBe(reads);
  });

  it('follow the link and Redis as they go and come back', async () => {
    await above('extauthz_cache_links_armed', 1);
    const armings = await rig.metric('extauthz_cache_link_armings_total');
    const flushes = await rig.metric('extauthz_cache_flush_total');
    for (const link of rig.links()) link.destroy();
    await above('extauthz_cache_link_losses_total', 1);
    await above('extauthz_cache_link_armings_total', armings + 1);
    await above('extauthz_cache_flush_total', flushes + 1);
    await rig.redis.kill();
    await until(async () => (await rig.metric('extauthz_redis_connected')) === 0);
    await until(async () => (await rig.metric('extauthz_cache_links_armed')) === 0);
    await rig.turn(newSessionId(), 503, []);
    await above('extauthz_redis_errors_total{reason="CONNECTION"}', 1);
    expect(await rig.metric('extauthz_cache_trusted')).toBe(0);
    await rig.redis.restart();
    await above('extauthz_redis_connected', 1);
    await above('extauthz_cache_links_armed', 1);
  });
});
