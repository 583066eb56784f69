import { describe, expect, it } from '@jest/globals';
import { contractKey } from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import { Redis } from 'ioredis';
import { describeOnRedis, users, type TestRedis } from '../support/redis.js';
import { dump } from '../support/redis-dump.js';
import { redisAcl } from '@sallyport/demo/redis-acl';
import {
  allowedByDryRun,
  callOf,
  commandsOf,
  grantedBy,
  refusal,
} from '../support/redis-commands.js';

const session = 'extauthz:session:canary';
const gateway = 'gateway:session:{extauthz:session:canary}';
const activity = 'extauthz:activity';

async function plant(redis: TestRedis): Promise<Redis> {
  const { admin } = redis;
  await admin.del(session, gateway, activity, 'other');
  await admin.hset(session, 'user_id', 'canary');
  await admin.hset(gateway, 'tokens', 'canary');
  await admin.xgroup('CREATE', activity, 'gateway', '$', 'MKSTREAM');
  await admin.set('other', 'canary');
  return admin;
}

const readerAttacks: readonly (readonly [string, ...string[]])[] = [
  ['SET', session, 'x'],
  ['HSET', session, 'user_id', 'root'],
  ['DEL', session],
  ['EXPIRE', session, '1'],
  ['PERSIST', session],
  ['XADD', session, '*', 'a', 'b'],
  ['XADD', 'extauthz:session:new', '*', 'a', 'b'],
  ['XADD', 'extauthz:activity2', '*', 'a', 'b'],
  ['XREAD', 'STREAMS', activity, '0'],
  ['DEL', activity],
  ['EVAL', 'return 1', '0'],
  ['EVAL', "return redis.call('DEL', KEYS[1])", '1', session],
  ['EVALSHA', 'x', '0'],
  ['SCRIPT', 'FLUSH'],
  ['KEYS', '*'],
  ['SCAN', '0'],
  ['RANDOMKEY'],
  ['MONITOR'],
  ['MULTI'],
  ['CLIENT', 'PAUSE', '1000'],
  ['CLIENT', 'KILL', 'TYPE', 'normal'],
  ['CLIENT', 'LIST'],
  ['CONFIG', 'GET', '*'],
  ['CONFIG', 'SET', 'maxmemory', '1'],
  ['ACL', 'LIST'],
  ['DEBUG', 'SLEEP', '1'],
  ['FLUSHALL'],
  ['SHUTDOWN', 'NOSAVE'],
  ['REPLICAOF', 'NO', 'ONE'],
  ['SUBSCRIBE', 'other'],
  ['PSUBSCRIBE', '*'],
  ['PUBLISH', '__redis__:invalidate', 'x'],
  ['HSET', contractKey, 'a', 'b'],
  ['DEL', contractKey],
  ['EXPIRE', contractKey, '1'],
  ['XADD', contractKey, '*', 'a', 'b'],
  ['HGETALL', `${contractKey}2`],
  ['HGETALL', gateway],
  ['HMGET', gateway, 'tokens'],
  ['HGETALL', 'other'],
  ['PTTL', 'other'],
];

const writerAttacks: readonly (readonly [string, ...string[]])[] = [
  ['GET', 'other'],
  ['SET', 'other', 'x'],
  ['HGETALL', 'extauthz:other'],
  ['EVAL', "return redis.call('GET', 'other')", '0'],
  ['EVAL', "return redis.call('KEYS', '*')", '0'],
  ['EVAL', "return redis.call('CONFIG', 'GET', '*')", '0'],
  ['PERSIST', session],
  ['RENAME', session, 'gateway:stolen'],
  ['KEYS', '*'],
  ['SCAN', '0'],
  ['FLUSHALL'],
  ['CONFIG', 'GET', '*'],
  ['SCRIPT', 'FLUSH'],
  ['CLIENT', 'KILL', 'TYPE', 'normal'],
  ['CLIENT', 'PAUSE', '1000'],
  ['ACL', 'LIST'],
  ['MONITOR'],
  ['SUBSCRIBE', '__redis__:invalidate'],
  ['PUBLISH', 'x', 'y'],
  ['REPLICAOF', 'NO', 'ONE'],
  ['SHUTDOWN', 'NOSAVE'],
  ['DEBUG', 'SLEEP', '1'],
];

function suite(redis: () => TestRedis): void {
  it('answers the reader’s own commands, tracking and its one write included', async () => {
    const admin = await plant(redis());
    const reader = (await redis().connect(users.reader)) as Redis;
    expect(await reader.hmget(session, 'user_id')).toEqual(['canary']);
    expect(await reader.hgetall(session)).toEqual({ user_id: 'canary' });
    expect(await reader.pttl(session)).toBe(-1);
    expect(await reader.hgetall(contractKey)).toEqual({});
    expect(await reader.ping()).toBe('PONG');
    expect(await reader.info('server')).toContain('redis_version');
    expect(await reader.call('ROLE')).toContain('master');
    expect(await reader.time()).toHaveLength(2);
    const xadd = await reader.xadd(activity, 'NOMKSTREAM', 'MAXLEN', '~', '1000', '*', 'h', 'x');
    expect(xadd).toMatch(/^[0-9]+-0$/);
    const id = String(await reader.client('ID'));
    await reader.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id, 'BCAST', 'PREFIX', 'extauthz:');
    const heard = new Promise((resolve) => {
      reader.on('messageBuffer', (_, message) => resolve(message));
    });
    await reader.subscribe('__redis__:invalidate');
    await admin.del(session);
    expect(String(await heard)).toContain(session);
  });

  it('reg-51, reg-A15: refuses the reader every other command that this server has', async () => {
    const admin = await plant(redis());
    const reader = await redis().connect(users.reader);
    const before = await dump(redis());
    const commands = await commandsOf(admin);
    const answered: string[] = [];
    for (const command of commands) {
      if (!refusal.test(await tryOut(reader, callOf(command)))) answered.push(command.name);
    }
    // Those that name a key or a channel are refused for it; 6.2 does not list subcommands.
    const expected = granted(redis(), users.reader.name)
      .filter((name) => !/^(h|pttl|sub|xadd)/.test(name))
      .filter((name) => redis().version[0] >= 7 || !name.includes('|'));
    expect(answered.sort()).toEqual(expected);
    expect(await dump(redis())).toEqual(before);
    console.log(`reader: ${commands.length} commands tried, ${answered.length} answered`);
  });

  it.each(readerAttacks.map((words) => [words.join(' '), words] as const))(
    'reg-A15: refuses the reader %s',
    async (_, words) => {
      await plant(redis());
      const reader = await redis().connect(users.reader);
      const before = await dump(redis());
      expect(await tryOut(reader, words)).toMatch(refusal);
      expect(await dump(redis())).toEqual(before);
    },
  );

  it.each(writerAttacks.map((words) => [words.join(' '), words] as const))(
    'refuses the gateway %s',
    async (_, words) => {
      await plant(redis());
      const writer = await redis().connect(users.writer);
      const before = await dump(redis());
      expect(await tryOut(writer, words)).toMatch(refusal);
      expect(await dump(redis())).toEqual(before);
    },
  );

  it('lets nobody in without a password', async () => {
    const stranger = new Redis(redis().servers[0]?.port ?? 0, '127.0.0.1', {
      lazyConnect: true,
      disableClientInfo: true,
      enableReadyCheck: false,
    });
    stranger.on('error', () => undefined);
    await stranger.connect();
    await expect(stranger.hgetall(session)).rejects.toThrow('NOAUTH');
    stranger.disconnect();
  });
}

/** The error's message; empty where the server answered. */
async function tryOut(redis: RedisConnection, words: readonly string[]): Promise<string> {
  const [command = '', ...args] = words;
  try {
    await redis.call(command, ...args);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

function granted({ version }: TestRedis, user: string): string[] {
  const passwords = { extauthz: users.reader.password, sessionGateway: users.writer.password };
  return grantedBy(redisAcl({ version, passwords }), user);
}

describe('the shipped ACL', () => {
  describeOnRedis('6.2', 'Redis 6.2', suite);
  describeOnRedis('7', 'Redis 7', (redis) => {
    suite(redis);

    it('allows each user, by ACL DRYRUN of every command, its own list and nothing else', async () => {
      const admin = await plant(redis());
      const commands = await commandsOf(admin);
      for (const { name } of [users.reader, users.writer]) {
        const allowed = await allowedByDryRun(admin, name, commands);
        expect(allowed).toEqual(granted(redis(), name));
        console.log(`${name}: ${allowed.length} of ${commands.length} commands by ACL DRYRUN`);
      }
    });

    it.each([
      ['extauthz', ['HMGET', activity, 'x']],
      ['extauthz', ['XADD', session, '*', 'a', 'b']],
      ['extauthz', ['HMGET', gateway, 'tokens']],
      ['session-gateway', ['GET', 'other']],
    ])('refuses %s %j by its key', async (user, words) => {
      const admin = await plant(redis());
      expect(await admin.call('ACL', 'DRYRUN', user, ...words)).toMatch(/no permissions to access/);
    });
  });
});
