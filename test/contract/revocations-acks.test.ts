import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { ownerKeys, revokeDueKey, sessionKey, userOwner } from '@sallyport/shared';
import { AcknowledgedLink } from '../../session-gateway/src/sessions/acknowledged-link.js';
import type { SpentSession } from '../../session-gateway/src/oidc/token-revocations.js';
import { RevocationJournal } from '../../session-gateway/src/sessions/revocation-journal.js';
import type { RevocationsOptions } from '../../session-gateway/src/sessions/revocations.js';
import { describeOnRedis, users, type TestRedis } from '../support/redis.js';
import { makeReplica } from '../support/replica-of.js';
import { alive, plantSessions, revocationsOn } from '../support/revocations.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

const ada = userOwner('user-1');

function withReplica(redis: () => TestRedis, replica: () => TestRedis): void {
  const links: AcknowledgedLink[] = [];
  let proxy: TcpProxy;
  const server = (of: TestRedis) => ({ one: of.server, admin: of.admin });
  beforeAll(async () => {
    await makeReplica(redis(), replica());
    proxy = await startTcpProxy(server(redis()).one.port);
  });
  afterEach(() => server(replica()).one.resume());
  afterAll(async () => {
    await Promise.all(links.map((link) => link.close()));
    await proxy.close();
  });

  async function acknowledged(
    timeout: number,
    { ended, through = proxy }: { ended?: RevocationsOptions['ended']; through?: TcpProxy } = {},
  ) {
    const config = {
      ...redis().config(users.writer),
      nodes: [{ host: '127.0.0.1', port: through.port }],
    };
    const connection = await redis().connect(users.writer);
    const link = new AcknowledgedLink({ config, redis: connection, acks: 1, timeout });
    links.push(link);
    return revocationsOn(redis(), { link, ended });
  }

  it('open no connection any more once the link is closed', async () => {
    const under = await acknowledged(5000);
    await Promise.all(links.splice(0).map((link) => link.close()));
    const count = async () =>
      Number(/connected_clients:(\d+)/.exec(await redis().admin.info())?.[1]);
    const before = await count();
    await expect(under.revocations.revokeAll(ada)).rejects.toThrow();
    expect(await count()).toBeLessThanOrEqual(before);
  });

  it('are done when the replica has them too', async () => {
    const under = await acknowledged(5000);
    const handles = [await under.open(), await under.open()];
    expect(await under.revocations.revokeAll(ada)).toMatchObject({ ended: 2 });

    const { admin } = server(replica());
    const keys = handles.map((handle) => sessionKey('extauthz:session:', handle));
    expect(await admin.exists(...keys)).toBe(0);
  });

  it('are remembered for a failover, and what ended nothing is not', async () => {
    const remember = jest.spyOn(RevocationJournal.prototype, 'remember');
    try {
      const under = await acknowledged(5000);
      const handle = await under.open();
      expect(await under.store.take(handle)).toBeDefined();
      expect(await under.store.take(handle)).toBeUndefined();
      expect(remember.mock.calls.map(([, writes]) => writes.length)).toEqual([1, 0]);
    } finally {
      remember.mockRestore();
    }
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

  it('are done on the primary although the replica is frozen: epoch, job, every session, and it is told', async () => {
    const told: SpentSession[] = [];
    const under = await acknowledged(100, { ended: (session) => told.push(session) });
    const { admin } = server(redis());
    const before = await under.revocations.sequence();
    const planted = await plantSessions(admin, ada, 600, before);
    const own = await under.open();
    server(replica()).one.pause();

    const counts: number[] = [];
    await expect(
      under.revocations.revokeAll(ada, (ended) => counts.push(ended)),
    ).rejects.toMatchObject({ code: 'not_acknowledged' });
    expect(counts).toEqual([601]);
    expect(told.map(({ handle }) => handle)).toEqual([own]);
    expect(await alive(redis(), [...planted, own])).toEqual([]);
    const epoch = await admin.get(ownerKeys(ada).epoch);
    expect(Number(epoch)).toBeGreaterThan(before);
    expect(await admin.zrange(revokeDueKey, 0, -1)).toEqual([`user:${ada.tag}:${String(epoch)}`]);
    // To be finished by whoever resumes it, and told only once.
    await admin.zadd(revokeDueKey, 'XX', 0, `user:${ada.tag}:${String(epoch)}`);
    expect(await under.revocations.resume()).toMatchObject({
      ended: 0,
      unconfirmed: { code: 'not_acknowledged' },
    });
    server(replica()).one.resume();
    await until(async () => {
      await admin.zadd(revokeDueKey, 'XX', 0, `user:${ada.tag}:${String(epoch)}`);
      return (await under.revocations.resume())?.unconfirmed === undefined;
    });
    expect(await admin.exists(revokeDueKey)).toBe(0);
    expect(told).toHaveLength(1);
  });

  it('leave no connection behind that nobody knows of', async () => {
    const through = await startTcpProxy(server(redis()).one.port);
    const under = await acknowledged(300, { through });
    const [first, second, third] = [await under.open(), await under.open(), await under.open()];
    server(replica()).one.pause();
    await expect(under.store.remove(first)).rejects.toMatchObject({ code: 'not_acknowledged' });
    const [before] = through.connections();
    // The next one begins before the close of the last has come back.
    const removal = under.store.remove(second);
    await until(() => before !== undefined && !through.connections().includes(before));
    server(replica()).one.resume();
    await removal.catch(() => undefined);
    await under.store.remove(third);

    await until(() => through.connections().length === 1);
    await links.at(-1)?.close();
    await until(() => through.connections().length === 0);
    await through.close();
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
