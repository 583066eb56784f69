import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { IdentityProvider } from '../../session-gateway/src/oidc/identity-provider.js';
import { PermissionServiceError } from '../../session-gateway/src/permissions/permission-client.js';
import { reportFigure } from '../support/figures.js';
import { startInProcessGateway, type InProcessGateway } from '../support/in-process-gateway.js';
import { ModelIdp } from '../support/model-idp.js';
import { cases, isLong, proofSeed } from '../support/proofs.js';
import { describeOnRedis, users } from '../support/redis.js';
import { sessionReader } from '../support/session-reader.js';
import { schedules } from '../support/session-schedule.js';
import { rolesIn, type Directory, type WorldParts } from '../support/session-world-scene.js';
import { SessionWorld } from '../support/session-world.js';
import { Turns } from '../support/turns.js';

const count = cases(300, 10_000);
const replicas = 3;
/** Waiting for another replica is polling until the clock says so: here it says so soon. */
const haste = 50;

describeOnRedis('6.2', `the invariants of sessions (PROOF_SEED=${String(proofSeed)})`, (redis) => {
  const gateways: InProcessGateway[] = [];
  const turns = new Turns();
  const directory: Directory = { rolesOf: () => 0, down: false };
  let idp = new ModelIdp(turns);
  let begin = Date.now();
  let parts: Omit<WorldParts, 'idp'>;
  beforeAll(async () => {
    const { admin } = redis();
    for (let replica = 0; replica < replicas; replica += 1) {
      gateways.push(
        await startInProcessGateway({
          redis: turns.gate(await redis().connect(users.writer)),
          publicOrigin: 'http://localhost:8443',
          // The one of the schedule that runs.
          idps: [providerOf(() => idp)],
          permissions: {
            grantsOf: ({ sub }) =>
              turns.pass(() =>
                directory.down
                  ? Promise.reject(
                      new PermissionServiceError('permission_service_unavailable', 'down'),
                    )
                  : Promise.resolve({ userId: sub, ...rolesIn(sub, directory.rolesOf(sub)) }),
              ),
          },
          clock: () => begin + (Date.now() - begin) * haste,
        }),
      );
    }
    const reader = sessionReader(await redis().connect(users.reader));
    parts = { admin, gateways, turns, reader, directory };
  });
  afterAll(() => Promise.all(gateways.map((gateway) => gateway.close())));

  it(
    `I1–I10 hold in ${String(count)} schedules on up to three replicas`,
    async () => {
      let [ran, allows, bearerAllows, denials] = [0, 0, 0, 0];
      const property = fc.asyncProperty(schedules(isLong ? 60 : 24), async (schedule) => {
        idp = new ModelIdp(turns);
        await parts.admin.flushall();
        begin = Date.now();
        const world = new SessionWorld({ ...parts, idp }, schedule);
        const wrong = await world.run(schedule);
        ran += 1;
        allows += world.oracle.allows;
        bearerAllows += world.oracle.bearerAllows;
        denials += world.oracle.denials;
        if (wrong.length > 0) throw new Error(wrong.join('\n'));
      });
      const result = await fc.check(property, {
        numRuns: count,
        seed: proofSeed,
        endOnFailure: true,
      });
      const value = result.failed ? 1 : 0;
      reportFigure({ name: 'invariants-schedules', value: ran, goal: { atLeast: count } });
      reportFigure({ name: 'invariants-violated', value, goal: { atMost: 0 } });
      if (result.failed) {
        const why = (result.errorInstance as Error).message;
        throw new Error(`${why}\n${fc.defaultReportMessage(result)}`);
      }
      // Or nothing was tried: a schedule in which nobody is let in breaks no rule.
      expect(allows).toBeGreaterThan(count);
      expect(bearerAllows).toBeGreaterThan(count / 4);
      expect(denials).toBeGreaterThan(count / 4);
    },
    isLong ? 2_400_000 : 600_000,
  );
});

/** Stands for whichever provider it is now. */
function providerOf(current: () => ModelIdp): IdentityProvider {
  const none: object = {};
  const stand: object = new Proxy(none, {
    get: (_, name) => Reflect.get(current().asProvider(), name) as unknown,
  });
  return stand as IdentityProvider;
}
