import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { startExtauthz } from '../support/extauthz.js';
import { dump } from '../support/redis-dump.js';
import { describeOnRedis, users, type RedisUser } from '../support/redis.js';
import { until } from '../support/until.js';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-rights-'));
afterAll(() => rmSync(folder, { recursive: true }));

const warning = 'this service may write sessions';
/** From its readiness on, ms: it has asked before that. */
const patience = 15_000;
/** Reads like the shipped reader and writes hashes like a careless copy of it; ACL is closed to it. */
const careless =
  '~extauthz:session:* ~extauthz:activity +@read +@write +@connection +info +role +time';

describeOnRedis('7', 'the Redis user of extauthz', suite);
describeOnRedis('6.2', 'the Redis user of extauthz, on Redis 6.2', suite);
describeOnRedis('cluster', 'the Redis user of extauthz, on a Cluster', suite);

function suite(redis: Parameters<Parameters<typeof describeOnRedis>[2]>[0]): void {
  /** The log of the built binary from its start until Redis has answered, and it is ready. */
  const logOf = async (user: RedisUser): Promise<string> => {
    const denied = await refusals();
    const service = await startExtauthz({ directory: folder, env: redis().env(user) });
    try {
      if (user === users.reader) await until(async () => (await refusals()) > denied, patience);
      else await until(() => service.log().includes(warning), patience);
      return service.log();
    } finally {
      await service.child.kill();
    }
  };
  /** How often the reader was refused something; not the name that ioredis gives to connections of a Cluster. */
  const refusals = async (): Promise<number> => {
    const logs = await Promise.all(redis().admins.map((admin) => admin.call('ACL', 'LOG')));
    const entries = (logs as string[][][]).flat();
    return entries
      .filter((entry) => entry.includes(users.reader.name) && !entry.includes('client|setname'))
      .reduce((sum, [, count]) => sum + Number(count), 0);
  };

  it('is warned of at the start where it may write sessions, once', async () => {
    const log = await logOf(users.admin);
    expect(log.split(warning)).toHaveLength(2);
    expect(await dump(redis())).toEqual([]);
  });

  it('is warned of also where it may not ask what it may do', async () => {
    const user = { name: 'careless', password: 'careless-password' };
    for (const admin of redis().admins) {
      const rights = `${careless} +cluster|slots +cluster|info +client|id +client|tracking`;
      await admin
        .call('ACL', 'SETUSER', user.name, 'reset', 'on', `>${user.password}`, ...rights.split(' '))
        .catch(() => admin.call('ACL', 'SETUSER', user.name, 'reset', 'on'));
    }
    expect((await logOf(user)).split(warning)).toHaveLength(2);
  });

  it('as shipped is not, and nothing is left but one refusal', async () => {
    const before = await refusals();
    expect(await logOf(users.reader)).not.toContain(warning);
    expect(await refusals()).toBe(before + 1);
    expect(await dump(redis())).toEqual([]);
  });
}
