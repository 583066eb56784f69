import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { keyOf, startFailureRig, type FailureRig } from '../../support/failure-rig.js';
import { until } from '../../support/until.js';

/** Longer than one proof of the link is good for, shorter than one of the role. */
const stall = 800;

describe('an extauthz that stood still', () => {
  let rig: FailureRig;
  beforeAll(async () => {
    rig = await startFailureRig();
  });
  afterAll(() => rig.close());

  it('reg-A3: allows nothing from before: not what was revoked meanwhile, and it forgets nobody else', async () => {
    for (let round = 0; round < 5; round += 1) {
      const [revoked, live] = [await rig.write(), await rig.write()];
      await rig.turn(revoked, 200);
      await rig.turn(live, 200);
      await rig.remembered(revoked);
      // Every other time the news does not even wait in its socket: only the age of the proof tells.
      if (round % 2 === 0) rig.links().forEach((link) => link.freeze());
      const pid = rig.service.child.pid ?? 0;
      process.kill(pid, 'SIGSTOP');
      const stopped = performance.now();
      try {
        await rig.admin.del(keyOf(revoked));
        await until(() => performance.now() - stopped > stall);
      } finally {
        // Asked before it goes on: these are the first things it finds to do.
        const first = [rig.http(revoked), rig.grpc(revoked), rig.http(live), rig.grpc(live)];
        process.kill(pid, 'SIGCONT');
        const statuses = (await Promise.all(first)).map(({ status }) => status);
        for (const status of statuses.slice(0, 2)) expect([401, 503]).toContain(status);
        for (const status of statuses.slice(2)) expect([200, 503]).toContain(status);
      }
      await rig.turn(revoked, 401, [503]);
      await rig.turn(live, 200, [503]);
    }
  });
});
