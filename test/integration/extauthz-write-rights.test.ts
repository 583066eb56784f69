import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { contractKey, contractOf, contractText } from '@sallyport/shared';
import { redisWithoutUsers, startExtauthz, type ExtauthzProcess } from '../support/extauthz.js';
import { dump } from '../support/redis-dump.js';
import { describeOnRedis, users, type RedisUser, type TestRedis } from '../support/redis.js';
import { runBinary } from '../support/run-binary.js';
import { until } from '../support/until.js';

const extauthzBinary = join(import.meta.dirname, '../../extauthz/dist/main.js');
const folder = mkdtempSync(join(tmpdir(), 'sallyport-rights-'));
afterAll(() => rmSync(folder, { recursive: true }));

const mayWrite = 'this account may write sessions';
const ports = { EXTAUTHZ_HTTP_PORT: '0', EXTAUTHZ_GRPC_PORT: '0', EXTAUTHZ_HEALTH_PORT: '0' };
const acknowledged = redisWithoutUsers;
/** Reads like the shipped reader and writes hashes like a careless copy of it; ACL is closed to it. */
const careless: RedisUser = { name: 'careless', password: 'careless-password' };
const carelessRights =
  '~extauthz:session:* ~extauthz:activity +@read +@write +@connection +info +role +time';
const clusterRights = '+cluster|slots +cluster|info +client|id +client|tracking';

describeOnRedis('7', 'the Redis account of extauthz', suite);
describeOnRedis('6.2', 'the Redis account of extauthz, on Redis 6.2', suite);
describeOnRedis('cluster', 'the Redis account of extauthz, on a Cluster', suite);

describeOnRedis(
  '6.2',
  'the Redis account of an extauthz that starts while Redis is away',
  (redis) => {
    it('that may write makes no replica ready until it may not any more', async () => {
      await addCareless(redis());
      for (const server of redis().servers) await server.stop();
      const service = await start(redis(), careless, {}, false);
      expect(await readiness(service)).toContain('redis account');
      for (const server of redis().servers) await server.restart();
      // A server that starts again knows the users of its file only.
      await until(() =>
        addCareless(redis()).then(
          () => true,
          () => false,
        ),
      );
      await until(() => service.log().includes(mayWrite));
      await until(async () => (await readiness(service)) === 'unhealthy: redis account\n');
      await onAll(redis(), 'ACL', 'SETUSER', careless.name, '-@write');
      await until(async () => (await readiness(service)) === 'ok\n');
      await service.child.kill();
    });
  },
);

function suite(redis: Parameters<Parameters<typeof describeOnRedis>[2]>[0]): void {
  /** How often the reader was refused something; not the name that ioredis gives to connections of a Cluster. */
  const refusals = async (): Promise<number> => {
    const entries = ((await onAll(redis(), 'ACL', 'LOG')) as string[][][]).flat();
    return entries
      .filter((entry) => entry.includes(users.reader.name) && !entry.includes('client|setname'))
      .reduce((sum, [, count]) => sum + Number(count), 0);
  };

  it.each([
    ['may do everything', users.admin],
    ['may write hashes, and may not ask what it may', careless],
    ['is the gateway’s', users.writer],
  ])('is refused at the start where it %s', async (_what, user) => {
    if (user === careless) await addCareless(redis());
    const { code, out } = await runBinary(extauthzBinary, { ...redis().env(user), ...ports });
    expect({ code, out }).toEqual({ code: 1, out: expect.stringContaining(mayWrite) });
    expect(out).toContain('Give it the user extauthz of shared/redis/README.md');
    expect(out).not.toContain(user.password);
    expect(await dump(redis())).toEqual([]);
  });

  it('is refused at the start where one primary alone lets it write', async () => {
    const { admins, version } = redis();
    const last = admins[admins.length - 1];
    if (last === undefined) throw new Error('no server');
    const { name } = users.reader;
    const shipped = ((await last.call('ACL', 'LIST')) as string[]).find((line) =>
      line.startsWith(`user ${name} `),
    );
    const sessions = version[0] >= 7 ? '%RW~extauthz:session:*' : '~extauthz:session:*';
    await last.call('ACL', 'SETUSER', name, sessions, '+hset');
    const { code, out } = await runBinary(extauthzBinary, {
      ...redis().env(users.reader),
      ...ports,
    });
    await last.call(
      'ACL',
      'SETUSER',
      ...(shipped ?? '').replace(/^user (\S+) /, '$1 reset ').split(' '),
    );
    expect({ code, out }).toEqual({ code: 1, out: expect.stringContaining(mayWrite) });
  });

  it('is refused together with what else Redis is asked for', async () => {
    const text = contractText(
      contractOf({ keyForm: 'raw', keyPrefix: 'other:', cookieName: '__Host-session' }),
    );
    const admin = await redis().connect(users.admin);
    await admin.hset(contractKey, text, Date.now() + 3_600_000);
    const { out } = await runBinary(extauthzBinary, { ...redis().env(users.admin), ...ports });
    await admin.del(contractKey);
    expect(out).toContain(mayWrite);
    expect(out).toContain('SESSION_KEY_FORM is raw there and hashed here');
  });

  it('that may write is only warned of where that is acknowledged, once', async () => {
    const service = await start(redis(), users.admin, acknowledged);
    expect(service.log().split('this service may write sessions')).toHaveLength(2);
    expect(await dump(redis())).toEqual([]);
    await service.child.kill();
  });

  it('as shipped is taken, and nothing is left but one refusal of each primary', async () => {
    const before = await refusals();
    const service = await start(redis(), users.reader);
    expect(service.log()).not.toContain('may write');
    expect(await refusals()).toBe(before + redis().admins.length);
    expect(await dump(redis())).toEqual([]);
    await service.child.kill();
  });
}

function onAll(redis: TestRedis, ...words: [string, ...string[]]): Promise<unknown[]> {
  return Promise.all(redis.admins.map((admin) => admin.call(...words)));
}

async function addCareless(redis: TestRedis): Promise<void> {
  const rights = `reset on >${careless.password} ${carelessRights}`.split(' ');
  await onAll(redis, 'ACL', 'SETUSER', careless.name, ...rights);
  // Of 7; where there is no such thing there is nothing to forbid.
  for (const one of clusterRights.split(' ')) {
    await onAll(redis, 'ACL', 'SETUSER', careless.name, one).catch(() => undefined);
  }
}

function start(
  redis: TestRedis,
  user: RedisUser,
  more = {},
  ready = true,
): Promise<ExtauthzProcess> {
  return startExtauthz({ directory: folder, env: { ...redis.env(user), ...more }, ready });
}

async function readiness({ healthPort }: ExtauthzProcess): Promise<string> {
  return (await fetch(`http://127.0.0.1:${String(healthPort)}/readyz`)).text();
}
