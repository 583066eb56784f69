import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Victims } from '../support/crash-victims.js';
import { reportFigure } from '../support/figures.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { startInProcessGateway, type InProcessGateway } from '../support/in-process-gateway.js';
import { isCutOff, type KillGrounds } from '../support/kill-scene.js';
import { KillSchedule } from '../support/kill-schedule.js';
import { ModelIdp } from '../support/model-idp.js';
import { answerJson } from '../support/permission-service.js';
import { cases, Choices, isLong, proofSeed } from '../support/proofs.js';
import { describeOnRedis, users } from '../support/redis.js';
import { sessionReader } from '../support/session-reader.js';
import { rolesIn } from '../support/session-world-scene.js';
import { Turns } from '../support/turns.js';

const count = cases(20, 500);
const stepsEach = cases(10, 30);
const token = 'a-token-of-a-service-that-may-revoke';
const env = {
  INTERNAL_API_TOKENS: `admin:${token}`,
  IDP_TIMEOUT_MS: '1000',
  REFRESH_RETRY_AFTER: '1500',
  // Or the eldest would be ended without anybody having said so.
  SESSION_LIMIT_PER_USER: '0',
};

describeOnRedis(
  '6.2',
  `the invariants of sessions, with kills (PROOF_SEED=${String(proofSeed)})`,
  (redis) => {
    let stack: GatewayStack;
    let victims: Victims;
    let exchanger: InProcessGateway;
    let grounds: KillGrounds;
    /** The permission service's word in the schedule that runs. */
    let rolesOf: (userId: string) => number = () => 0;
    beforeAll(async () => {
      const { admin } = redis();
      stack = await startGatewayStack(redis(), env);
      victims = new Victims(redis(), stack, env, (request, response) => {
        const [, userId = ''] = /users\/([^/]+)\/permissions/.exec(request.url ?? '') ?? [];
        answerJson(200, { userId, ...rolesIn(userId, rolesOf(userId)) })(request, response);
      });
      exchanger = await startInProcessGateway({
        redis: await redis().connect(users.writer),
        publicOrigin: stack.origin,
        // Nobody logs in there.
        idps: [new ModelIdp(new Turns()).asProvider()],
        permissions: { grantsOf: () => Promise.reject(new Error('nobody asks')) },
        clock: Date.now,
      });
      const reader = sessionReader(await redis().connect(users.reader));
      grounds = { admin, stack, reader, exchanger, token };
    });
    afterAll(async () => {
      await victims.close();
      await exchanger.close();
      await stack.close();
    });

    /** One schedule: two gateways, one of which is killed somewhere in the middle of something. */
    const run = async (choices: Choices): Promise<string[]> => {
      const victim = await victims.next();
      const schedule = new KillSchedule(grounds, victim, choices);
      const { oracle } = schedule;
      rolesOf = (userId) => oracle.rolesOf(userId);
      await schedule.begin();
      // Not in its last steps: there must be enough left to be struck at.
      const killAt = choices.below(Math.ceil(stepsEach / 2));
      for (let step = 0; step < stepsEach; step += 1) {
        if (step === killAt) {
          const moment = choices.one(['before', 'after'] as const);
          victim.crash.arm(victim.pid, { at: choices.below(12), moment });
        }
        // Two at a time; what the dead one is asked is refused, and that is all right.
        await Promise.all([schedule.act(), schedule.act()].map((one) => one.catch(isCutOff)));
        await schedule.look();
      }
      if (victim.crash.struck() !== undefined) killed += 1;
      await victim.close();
      await schedule.conclude();
      allows += oracle.allows;
      bearerAllows += oracle.bearerAllows;
      return oracle.wrong;
    };
    let [allows, bearerAllows] = [0, 0];
    /** Schedules in which the gateway was struck; some end before it does so much. */
    let killed = 0;

    it(
      `I1–I10 hold in ${String(count)} schedules in which a gateway is killed`,
      async () => {
        const wrong: string[] = [];
        for (let schedule = 0; killed < count && schedule < 2 * count; schedule += 1) {
          const seed = proofSeed + schedule;
          const found = await run(new Choices(seed));
          wrong.push(...new Set(found.map((what) => `PROOF_SEED=${String(seed)}: ${what}`)));
        }
        reportFigure({
          name: 'invariants-kill-schedules',
          value: killed,
          goal: { atLeast: count },
        });
        reportFigure({ name: 'invariants-kill-wrong', value: wrong.length, goal: { atMost: 0 } });
        expect(wrong).toEqual([]);
        expect(killed).toBeGreaterThanOrEqual(count);
        expect(allows).toBeGreaterThan(count);
        expect(bearerAllows).toBeGreaterThan(count / 4);
        expect(stack.idp.refreshes.used).toBeGreaterThan(0);
      },
      isLong ? 2_000_000 : 300_000,
    );
  },
  { appendOnly: true },
);
