import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { revokeDueKey, sessionKey, userOwner } from '@sallyport/shared';
import { AcknowledgedLink } from '../../session-gateway/src/sessions/acknowledged-link.js';
import { describeOnRedis, users, type TestRedis } from '../support/redis.js';
import { alive, revocationsOn } from '../support/revocations.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

const ada = userOwner('user-1');

function withReplica(redis: () => TestRedis, replica: () => TestRedis): void {
  const links: AcknowledgedLink[] = [];
  let proxy: TcpProxy;
  const server = (of: TestRedis) => {
    const [one] = of.servers;
    const [admin] = of.admins;
    if (one === undefined || admin === undefined) throw new Error('no server');
    return { one, admin };
  };
  beforeAll(async () => {
    const primary = server(redis());
    const { admin } = server(replica());
    await admin.config('SET', 'masteruser', users.admin.name);
    await admin.config('SET', 'masterauth', users.admin.password);
    await admin.replicaof('127.0.0.1', primary.one.port);
    await until(async () => /state=online/.test(await primary.admin.info('replication')));
    proxy = await startTcpProxy(primary.one.port);
  });
  afterEach(() => server(replica()).one.resume());
  afterAll(async () => {
    await Promise.all(links.map((link) => link.close()));
    await proxy.close();
  });

  async function acknowledged(timeout: number) {
    const config = {
      ...redis().config(users.writer),
      nodes: [{ host: '127.0.0.1', port: proxy.port }],
    };
    const connection = await redis().connect(users.writer);
    const link = new AcknowledgedLink({ config, redis: connection, acks: 1, timeout });
    links.push(link);
    return revocationsOn(redis(), { link });
  }

  it('are done when the replica has them too', async () => {
    const under = await acknowledged(5000);
    const handles = [await under.open(), await under.open()];
    expect(await under.revocations.revokeAll(ada)).toMatchObject({ ended: 2 });

    const { admin } = server(replica());
    const keys = handles.map((handle) => sessionKey('extauthz:session:', handle));
    expect(await admin.exists(...keys)).toBe(0);
  });

  it('reg-A14: are not done while the replica is frozen, also when asked again, and are finished later', async () => {
    const under = await acknowledged(200);
    const handles = [await under.open(), await under.open()];
    const logout = await under.open();
    server(replica()).one.pause();

    const refused = { code: 'not_acknowledged' };
    await expect(under.revocations.revokeAll(ada)).rejects.toMatchObject(refused);
    await expect(under.store.remove(logout)).rejects.toMatchObject(refused);
    // Nothing is left to delete, and a new connection has written nothing: still no confirmation.
    const again = await acknowledged(200);
    await expect(again.store.remove(logout)).rejects.toMatchObject(refused);
    expect(await alive(redis(), [...handles, logout])).toEqual([]);

    server(replica()).one.resume();
    const { admin } = server(redis());
    await until(async () => {
      const [job] = await admin.zrange(revokeDueKey, 0, 0);
      if (job === undefined) return true;
      await admin.zadd(revokeDueKey, 'XX', 0, job);
      await under.revocations.resume().catch(() => undefined);
      return false;
    });
  });

  it('reg-A14: are not done when the connection closes before the replicas’ word', async () => {
    const under = await acknowledged(30_000);
    const handle = await under.open();
    server(replica()).one.pause();
    const removal = under.store.remove(handle).then(
      () => 'confirmed',
      () => 'not confirmed',
    );
    await until(async () => (await alive(redis(), [handle])).length === 0);
    for (const connection of proxy.connections()) connection.destroy();

    expect(await removal).toBe('not confirmed');
    server(replica()).one.resume();
    expect(await under.store.remove(handle)).toBe(false);
  });
}

describe('revocations that replicas must confirm', () => {
  describeOnRedis('6.2', 'Redis 6.2', (redis) => {
    describeOnRedis('6.2', 'with a replica', (replica) => {
      withReplica(redis, replica);
    });
  });
  describeOnRedis('7', 'Redis 7', (redis) => {
    describeOnRedis('7', 'with a replica', (replica) => {
      withReplica(redis, replica);
    });
  });
});
