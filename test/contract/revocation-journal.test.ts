import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { newSessionId, sessionHandle, sessionKey } from '@sallyport/shared';
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
    let linkTo: (acks: number) => AcknowledgedLink;
    const links: AcknowledgedLink[] = [];
    beforeAll(async () => {
      proxy = await startCuttableProxy(() => primary().servers[0]?.port ?? 0);
      const config = {
        ...first().config(users.writer),
        nodes: [{ host: '127.0.0.1', port: proxy.port }],
      };
      const logger = createLogger({ name: 'test', level: 'silent' });
      connection = createRedis(config, { command: 2_000, connect: 2_000 }, logger);
      await connection.connect();
      linkTo = (acks) => {
        const one = new AcknowledgedLink({ config, redis: connection, acks, timeout: 200 });
        links.push(one);
        return one;
      };
      link = linkTo(0);
    });
    afterAll(async () => {
      await Promise.all(links.map((one) => one.close()));
      connection.disconnect();
      await proxy.close();
    });
    const takeOver = (server: () => TestRedis): void => {
      primary = server;
      proxy.cut(new Set(['127.0.0.1', '::ffff:127.0.0.1']));
      proxy.heal();
    };
    /** As a replica that lags has them. */
    const copiesOn = async (server: TestRedis, count: number): Promise<string[]> => {
      const keys = Array.from({ length: count }, () =>
        sessionKey('extauthz:session:', sessionHandle(newSessionId(), 'hashed')),
      );
      for (const key of keys) await server.admins[0]?.set(key, 'a copy', 'EX', 600);
      return keys;
    };
    const removals = (keys: readonly string[]) =>
      keys.map((key) => ({ key, words: ['DEL', key] as const }));
    const refused = { code: 'not_acknowledged' };

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

    it('R5: says all of it to one that has no replica yet', async () => {
      takeOver(first);
      const demanding = linkTo(1);
      const copies = await copiesOn(second(), 1200);
      await expect(demanding.write(removals(copies))).rejects.toMatchObject(refused);
      takeOver(second);
      await until(async () => (await second().admins[0]?.exists(...copies)) === 0);
    });

    it('R5: says what nobody confirmed to the primary of now: it may stand on one of yesterday', async () => {
      await until(async () => (await connection.ping().catch(() => '')) === 'PONG');
      const copies = await copiesOn(second(), 1);
      primary = first;
      await expect(linkTo(1).write(removals(copies))).rejects.toMatchObject(refused);
      await until(async () => (await second().admins[0]?.exists(...copies)) === 0);
    });
  });
});
