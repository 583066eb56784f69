import { describe, expect, it } from '@jest/globals';
import { ownerKeys, userOwner } from '@sallyport/shared';
import { ownersOf } from '../../session-gateway/src/sessions/session-owners.js';
import { aNewSession } from '../support/builders.js';
import { describeOnRedis, users, type TestRedis } from '../support/redis.js';
import { alive, revocationsOn } from '../support/revocations.js';

const ada = userOwner('user-1');

function suite(redis: () => TestRedis): void {
  const admin = () => redis().admins[0];

  it('reg-A13: are done whole, epoch included, and a login leaves nothing behind', async () => {
    const under = await revocationsOn(redis());
    const handles = [await under.open(), await under.open()];
    const before = await under.revocations.sequence();
    await admin()?.config('SET', 'maxmemory', '1');
    await expect(under.open({ seq: before })).rejects.toThrow('OOM');
    expect(await under.revocations.revokeAll(ada)).toMatchObject({ ended: 2 });

    expect(await alive(redis(), handles)).toEqual([]);
    expect(await admin()?.exists(ownerKeys(ada).index)).toBe(0);
    expect(await under.index.stands(ownersOf(aNewSession()), before)).toBe(false);
    await admin()?.config('SET', 'maxmemory', '0');
    await expect(under.open({ seq: before })).rejects.toThrow('revoked');
  });

  it.each([
    ['set', 'the epoch'],
    ['incr', 'the counter'],
    ['zadd', 'the job'],
  ])('reg-A13: end the sessions and then fail when %s is refused to %s', async (command) => {
    const whole = await revocationsOn(redis());
    const handles = [await whole.open(), await whole.open()];
    const name = `writer-without-${command}`;
    const shipped = ((await admin()?.call('ACL', 'LIST')) as string[]).find((line) =>
      line.startsWith(`user ${users.writer.name} `),
    );
    const rules = (shipped ?? '').replace(/^user \S+ /, '').split(' ');
    await admin()?.call('ACL', 'SETUSER', name, 'reset', ...rules, `-${command}`);
    const crippled = await revocationsOn(redis(), {
      user: { name, password: users.writer.password },
    });

    await expect(crippled.revocations.revokeAll(ada)).rejects.toThrow(/NOPERM|can't (run|access)/);
    expect(await alive(redis(), handles)).toEqual([]);
  });
}

describe('revocations when memory is full or a command is refused', () => {
  describeOnRedis('6.2', 'Redis 6.2', suite);
  describeOnRedis('7', 'Redis 7', suite);
});
