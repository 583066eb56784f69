import { afterEach, expect, it } from '@jest/globals';
import { revokeDueKey, userOwner } from '@sallyport/shared';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { describeOnRedis } from '../support/redis.js';
import { alive, plantSessions, revocationsOn } from '../support/revocations.js';
import { until } from '../support/until.js';

const token = 'a-token-of-a-service-that-may-revoke';
const count = 20_000;

describeOnRedis(
  '6.2',
  'a user with 20,000 sessions',
  (redis) => {
    const gateways: GatewayStack[] = [];
    const start = async (): Promise<GatewayStack> => {
      const stack = await startGatewayStack(redis(), { INTERNAL_API_TOKENS: `admin:${token}` });
      gateways.push(stack);
      return stack;
    };
    // One that goes on would finish what another leaves.
    afterEach(() => Promise.all(gateways.splice(0).map((stack) => stack.close())));
    const revoke = (stack: GatewayStack) =>
      exchange(`${stack.managementOrigin}/internal/v1/sessions/users/user-7`, {
        method: 'DELETE',
        headers: [['Authorization', `Bearer ${token}`]],
      });

    it('is revoked whole by one request', async () => {
      const { admin } = redis();
      const stack = await start();
      await plantSessions(admin, userOwner('user-7'), count, 1);

      expect((await revoke(stack)).status).toBe(204);
      expect((await admin.keys('*session:*')).length).toBe(0);
    });

    it('reg-A10: is revoked by another replica when the first is killed midway', async () => {
      const { admin } = redis();
      const doomed = await start();
      const owner = userOwner('user-7');
      const handles = await plantSessions(admin, owner, count, 1);
      const before = await admin.dbsize();
      const answer = revoke(doomed).catch(() => 'cut off');
      // At the first that is gone: the rest is done within a moment. Other keys may expire before.
      await until(async () => {
        const [jobs, size] = await Promise.all([admin.zcard(revokeDueKey), admin.dbsize()]);
        return jobs === 1 && size < before;
      });
      await doomed.gateway.kill();

      expect(await answer).toBe('cut off');
      expect((await alive(redis(), handles)).length).toBeGreaterThan(0);
      const { index } = await revocationsOn(redis());
      expect(await index.stands([owner], 1)).toBe(false);
      expect(await admin.zcard(revokeDueKey)).toBe(1);

      await start();
      await until(async () => (await admin.zcard(revokeDueKey)) === 0);
      expect(await alive(redis(), handles)).toEqual([]);
    });
  },
  { appendOnly: true },
);
