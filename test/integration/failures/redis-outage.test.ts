import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newSessionId } from '@sallyport/shared';
import { shippedDeadlines } from '../../support/extauthz.js';
import { redisVersions, startFailureRig, type FailureRig } from '../../support/failure-rig.js';
import { until } from '../../support/until.js';

const hmgets = (rig: FailureRig): number =>
  rig.proxy
    .allConnections()
    .reduce((sum, { sent }) => sum + sent().split(/\r\nhmget\r\n/i).length - 1, 0);

describe.each(redisVersions)('%s that goes away and comes back', (_name, options) => {
  let rig: FailureRig;
  beforeAll(async () => {
    rig = await startFailureRig({ ...options, env: () => shippedDeadlines });
  });
  afterAll(() => rig.close());

  it('killed: 503 and not ready, never 401; its sessions are there when it is back', async () => {
    const id = await rig.write();
    const unseen = await rig.write();
    await rig.turn(id, 200);
    await rig.redis.kill();
    await rig.turn(id, 503);
    await rig.turn(unseen, 503, []);
    await until(async () => !(await rig.isReady()));
    await rig.redis.restart();
    await rig.turn(id, 200);
    await rig.turn(unseen, 200);
    // The proof that it can know again: a session that never was is a 401.
    await rig.turn(newSessionId(), 401, [503]);
    await until(rig.isReady);
  });

  it('stopped: 503, nothing piles up in front of it, and it is asked again when it goes on', async () => {
    const id = await rig.write();
    await rig.turn(id, 200);
    const before = hmgets(rig);
    rig.redis.pause();
    try {
      await rig.turn(id, 503);
      const unseen = Array.from({ length: 600 }, newSessionId);
      let next = 0;
      const workers = Array.from({ length: 20 }, async () => {
        for (let session = unseen[next++]; session !== undefined; session = unseen[next++]) {
          expect((await rig.http(session)).status).toBe(503);
        }
      });
      await Promise.all(workers);
      // At most what was under way when the breaker opened, and the probes of new connections.
      expect(hmgets(rig) - before).toBeLessThan(100);
    } finally {
      rig.redis.resume();
    }
    await rig.turn(id, 200);
    await rig.turn(newSessionId(), 401, [503]);
  });

  it.each([50, 200, 1_000])('%s ms slower: 200 or 503, never 401', async (delay) => {
    const known = await rig.write();
    await rig.turn(known, 200);
    rig.proxy.delay(delay);
    try {
      const fresh = await Promise.all(Array.from({ length: 20 }, () => rig.write()));
      const answers = await Promise.all([...fresh, known].map(rig.statuses));
      for (const status of answers.flat()) expect([200, 503]).toContain(status);
      // One that is slower than the deadline answers nobody it does not know.
      if (delay >= 200) expect(answers[0]).toEqual([503, 503]);
    } finally {
      rig.proxy.delay(0);
    }
    await rig.turn(known, 200);
    await rig.turn(newSessionId(), 401, [503]);
  });
});
