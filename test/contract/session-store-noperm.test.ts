import { describe, expect, it } from '@jest/globals';
import {
  defaultSessionKeyPrefix,
  gatewaySessionKey,
  newSessionId,
  sessionHandle,
  sessionKey,
} from '@sallyport/shared';
import { RedisSessionStore } from '../../session-gateway/src/sessions/redis-session-store.js';
import { aNewSession } from '../support/builders.js';
import { describeOnRedis, users, type TestRedis } from '../support/redis.js';

const hour = { idleSeconds: 1800, absoluteSeconds: 3600 };
const both = {
  tokens: { expectedVersion: 1, sealedTokens: 'new' },
  permissions: { expectedVersion: 1, roles: ['guest'], permissions: [], freshForSeconds: 60 },
};
const refusal = /NOPERM|can't run this command|can't access/;

const missing = [
  ...['eval', 'evalsha', 'exists', 'type', 'pttl', 'time', 'hset', 'hget', 'hmget', 'hgetall'],
  ...['pexpireat', 'del'],
].map((command) => [command, `-${command}`]);
const blind = [
  ['the reader’s keys', 'resetkeys ~gateway:*'],
  ['the gateway’s keys', 'resetkeys ~extauthz:session:*'],
];

function suite(redis: () => TestRedis): void {
  it.each([...missing, ...blind])(
    'reg-A8: without %s every verb is done whole or not at all',
    async (what, rules) => {
      const { admin } = redis();
      const name = `writer-without-${what.replace(/[^a-z]/g, '')}`;
      const shipped = ((await admin.call('ACL', 'LIST')) as string[]).find((line) =>
        line.startsWith(`user ${users.writer.name} `),
      );
      const line = (shipped ?? '').replace(/^user \S+ /, '').split(' ');
      await admin.call('ACL', 'SETUSER', name, 'reset', ...line, ...rules.split(' '));
      const options = { prefix: defaultSessionKeyPrefix };
      const whole = new RedisSessionStore(await redis().connect(users.writer), options);
      const crippled = new RedisSessionStore(
        await redis().connect({ name, password: users.writer.password }),
        options,
      );
      const state = async (handle: ReturnType<typeof aHandle>) => {
        const keys = keysOf(handle);
        return {
          records: await Promise.all(keys.map((key) => admin.hgetall(key))),
          immortal: (await Promise.all(keys.map((key) => admin.pttl(key)))).includes(-1),
          // What is left of it, to the second: PTTL itself runs down between two looks.
          lives: await Promise.all(keys.map(async (key) => (await admin.pttl(key)) > 1_900_000)),
        };
      };
      const created = aHandle();
      const outcome = await settle(crippled.create(created, aNewSession(), hour));
      expect((await state(created)).immortal).toBe(false);
      expect(await admin.exists(...keysOf(created))).toBe(outcome === 'done' ? 2 : 0);

      const handle = aHandle();
      await whole.create(handle, aNewSession(), hour);
      const outcomes = [outcome];
      for (const verb of [
        () => crippled.find(handle),
        () => crippled.update(handle, both),
        () => crippled.slide(handle, 3000),
        () => crippled.cap(handle, 1),
      ]) {
        const before = await state(handle);
        const result = await settle(verb());
        outcomes.push(result);
        if (result === 'refused') expect(await state(handle)).toEqual(before);
      }
      const removed = await settle(crippled.remove(handle));
      outcomes.push(removed);
      expect(await admin.exists(...keysOf(handle))).toBe(removed === 'done' ? 0 : 2);

      const another = aHandle();
      await whole.create(another, aNewSession(), hour);
      const taken = await settle(crippled.take(another));
      outcomes.push(taken);
      expect(await admin.exists(...keysOf(another))).toBe(taken === 'done' ? 0 : 2);
      if (what !== 'eval') expect(outcomes).toContain('refused');
    },
  );
}

async function settle(verb: Promise<unknown>): Promise<'done' | 'refused'> {
  try {
    await verb;
    return 'done';
  } catch (error) {
    expect((error as Error).message).toMatch(refusal);
    return 'refused';
  }
}

function aHandle() {
  return sessionHandle(newSessionId(), 'hashed');
}

function keysOf(handle: ReturnType<typeof aHandle>): [string, string] {
  return [
    sessionKey(defaultSessionKeyPrefix, handle),
    gatewaySessionKey(defaultSessionKeyPrefix, handle),
  ];
}

describe('SessionStore under an ACL that lacks something', () => {
  describeOnRedis('6.2', 'Redis 6.2', suite);
  describeOnRedis('7', 'Redis 7', suite);
});
