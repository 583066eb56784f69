import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { sessionKey } from '@sallyport/shared';
import { createLogger, createRedis, type RedisConnection } from '@sallyport/shared/runtime';
import { AcknowledgedLink } from '../../session-gateway/src/sessions/acknowledged-link.js';
import { startCuttableProxy, type CuttableProxy } from '../support/cuttable-proxy.js';
import { describeOnRedis, users, type TestRedis } from '../support/redis.js';
import { revocationsOn } from '../support/revocations.js';
import { until } from '../support/until.js';

/** Two servers that know nothing of each other stand for a primary and one that missed its last writes. */
describeOnRedis('6.2', 'the journal of revocations', (first) => {
  describeOnRedis('6.2', 'with another server', (second) => {
    let proxy: CuttableProxy;
    let primary: () => TestRedis = first;
    let connection: RedisConnection;
    let link: AcknowledgedLink;
    beforeAll(async () => {
      proxy = await startCuttableProxy(() => primary().servers[0]?.port ?? 0);
      const config = {
        ...first().config(users.writer),
        nodes: [{ host: '127.0.0.1', port: proxy.port }],
      };
      const logger = createLogger({ name: 'test', level: 'silent' });
      connection = createRedis(config, { command: 2_000, connect: 2_000 }, logger);
      await connection.connect();
      link = new AcknowledgedLink({ config, redis: connection, acks: 0, timeout: 200 });
    });
    afterAll(async () => {
      await link.close();
      connection.disconnect();
      await proxy.close();
    });
    const takeOver = (server: () => TestRedis): void => {
      primary = server;
      proxy.cut(new Set(['127.0.0.1', '::ffff:127.0.0.1']));
      proxy.heal();
    };

    it('R5: says again to a server that takes over what it may have missed, and nothing else', async () => {
      const under = await revocationsOn(first(), { link });
      const [ended, other] = [await under.open(), await under.open()];
      const copies = [ended, other].map((handle) => sessionKey('extauthz:session:', handle));
      const [admin] = second().admins;
      for (const key of copies) await admin?.set(key, 'as a replica that lags has it', 'EX', 600);

      await under.store.remove(ended);
      takeOver(second);
      await until(async () => (await admin?.exists(copies[0] ?? '')) === 0);
      expect(await admin?.exists(copies[1] ?? '')).toBe(1);
    });
  });
});
