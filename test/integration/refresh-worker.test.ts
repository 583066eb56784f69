import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { describeOnRedis } from '../support/redis.js';
import {
  metric,
  sessionOf,
  startReplica,
  tokenVersion,
  type Replica,
} from '../support/replicas.js';
import { until } from '../support/until.js';

describeOnRedis(
  '6.2',
  'two replicas and no browser',
  (redis) => {
    let stack: GatewayStack;
    let other: Replica;
    const admin = () => redis().admins[0];
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), {}, undefined, { tokenSeconds: 4 });
      other = await startReplica(redis(), stack);
    });
    afterAll(async () => {
      await other.close();
      await stack.close();
    });
    const uses = () => stack.idp.refreshes.used + stack.idp.refreshes.refused;
    const byWorkers = async (): Promise<number> => {
      const sample = 'gateway_refreshes_total{by="worker",outcome="refreshed"}';
      const { managementOrigin } = other;
      return (
        (await metric(stack.managementOrigin, sample)) + (await metric(managementOrigin, sample))
      );
    };

    it('keep the sessions in use fresh, each expiry once, and leave the others alone', async () => {
      const sessions = [];
      for (let login = 0; login < 6; login += 1) {
        sessions.push(sessionOf(await stack.login(), stack.origin));
      }
      const [unused, ...used] = sessions;
      if (unused === undefined) throw new Error('no session');
      await admin()?.hset(unused.key, 'last_accessed_at', '1');

      await until(async () => {
        const versions = await Promise.all(used.map((one) => tokenVersion(admin(), one)));
        return versions.every((version) => version >= 3);
      });
      await until(async () => {
        const versions = await Promise.all(used.map((one) => tokenVersion(admin(), one)));
        return uses() === versions.reduce((sum, version) => sum + version - 1, 0);
      });
      expect(stack.idp.refreshes).toMatchObject({ refused: 0, familiesRevoked: 0 });
      expect(await byWorkers()).toBeGreaterThanOrEqual(10);
      expect(await tokenVersion(admin(), unused)).toBe(1);
      expect(await admin()?.zscore('gateway:refresh-due', unused.handle)).toBeNull();
      expect(await admin()?.pttl('gateway:refresh-due')).toBeGreaterThan(0);
    });
  },
  { appendOnly: true },
);
