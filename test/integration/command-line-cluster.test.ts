import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { runCommand, settingsOf, type CommandRun } from '../support/command.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { answerJson, ordinaryGrants } from '../support/permission-service.js';
import { describeOnRedis, users } from '../support/redis.js';
import { heartbeat, sessionOf } from '../support/replicas.js';

describeOnRedis(
  'cluster',
  'the command line on Redis Cluster',
  (redis) => {
    let stack: GatewayStack;
    // Its primaries have no replicas here.
    const place = () => ({
      writerEnv: { ...redis().env(users.writer), REDIS_REVOCATION_ACKS: '0' },
    });
    beforeAll(async () => {
      stack = await startGatewayStack(place());
    });
    afterAll(() => stack.close());
    const run = (...args: string[]): Promise<CommandRun> =>
      runCommand(settingsOf(stack, place()), ...args);

    it('finds and ends sessions on whatever primary they are', async () => {
      const sessions = [];
      for (const userId of ['user-1', 'user-2', 'user-3', 'user-3']) {
        stack.permissions.answer = answerJson(200, { ...ordinaryGrants, userId });
        sessions.push(sessionOf(await stack.login(), stack.origin));
      }
      const doctor = await run('doctor');
      expect(doctor.out).toMatch(/^ok +sessions +4 live, /m);
      expect([doctor.code, doctor.out]).toEqual([0, expect.not.stringMatching(/^failed/m)]);
      const list = await run('session', 'list', '--user', 'user-3');
      expect(list.out).toContain('2 sessions.');
      const flush = await run('session', 'flush', '--yes');
      expect([flush.code, flush.out]).toEqual([0, '4 sessions ended.\n']);
      for (const session of sessions) {
        expect((await heartbeat(stack.origin, session)).status).toBe(401);
      }
    });
  },
  { appendOnly: true },
);
