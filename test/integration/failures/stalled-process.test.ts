import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { shippedDeadlines } from '../../support/extauthz.js';
import { keyOf, startFailureRig, type FailureRig } from '../../support/failure-rig.js';
import { until } from '../../support/until.js';

/** Longer than one proof of the link is good for, shorter than one of the role. */
const stall = 800;

/** Loaded before the service: on SIGUSR2 its event loop is busy for as long as a stall is tried. */
const busyOnSignal = `data:text/javascript,${encodeURIComponent(
  `process.on('SIGUSR2', () => {
     const end = performance.now() + 2100;
     while (performance.now() < end);
   });`,
)}`;

describe('an extauthz that stood still', () => {
  let rig: FailureRig;
  beforeAll(async () => {
    rig = await startFailureRig({
      env: () => ({ ...shippedDeadlines, NODE_OPTIONS: `--import ${busyOnSignal}` }),
    });
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

  it.each([
    ['stopped', (pid: number) => process.kill(pid, 'SIGSTOP')],
    ['busy', (pid: number) => process.kill(pid, 'SIGUSR2')],
  ])(
    '%s for two seconds, is not ready, allows nothing from before and comes back',
    async (...one) => {
      const [, stall] = one;
      const [revoked, live] = [await rig.write(), await rig.write()];
      await rig.turn(revoked, 200);
      await rig.turn(live, 200);
      await rig.remembered(revoked);
      await until(rig.isReady);
      const pid = rig.service.child.pid ?? 0;
      stall(pid);
      const stalled = performance.now();
      // The first things it finds to do; they time out while it does nothing.
      const first = [rig.http(revoked), rig.grpc(revoked), rig.http(live), rig.grpc(live)];
      const readiness = fetch(`http://127.0.0.1:${String(rig.service.healthPort)}/readyz`);
      try {
        await rig.admin.del(keyOf(revoked));
        await until(() => performance.now() - stalled > 2_000);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      expect(await (await readiness).text()).toMatch(/^unhealthy: .*event loop/);
      const statuses = (await Promise.all(first)).map(({ status }) => status);
      for (const status of statuses.slice(0, 2)) expect([401, 503]).toContain(status);
      for (const status of statuses.slice(2)) expect([200, 503]).toContain(status);
      await until(rig.isReady);
      await rig.turn(revoked, 401, [503]);
      await rig.turn(live, 200, [503]);
    },
  );
});
