import {
  activityStreamKey,
  gatewayProbeKey,
  sessionKey,
  type SessionHandle,
} from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import { Cluster } from 'ioredis';
import { clusterSlot } from './sessions/cluster-slot.js';
import { LuaScript } from './sessions/lua-script.js';

/** Every command on a key that this service sends, alone or in a script, as a call that does nothing. */
export const triedCommands: readonly (readonly [string, ...string[]])[] = [
  ['EXISTS', '@'],
  ['TYPE', '@'],
  ['PTTL', '@'],
  ['PEXPIRE', '@', '1000'],
  ['PEXPIREAT', '@', '9999999999999'],
  ['GET', '@'],
  ['INCR', '@'],
  ['DECR', '@'],
  ['HSET', '@', 'f', 'v'],
  ['HGET', '@', 'f'],
  ['HMGET', '@', 'f'],
  ['HGETALL', '@'],
  ['ZADD', '@', '1', 'm'],
  ['ZREM', '@', 'm'],
  ['ZCARD', '@'],
  ['ZRANGE', '@', '0', '-1'],
  ['ZRANGEBYSCORE', '@', '0', '1'],
  ['ZREMRANGEBYSCORE', '@', '0', '1'],
  ['XACK', '@', 'g', '0-0'],
  ['XAUTOCLAIM', '@', 'g', 'c', '1000', '0-0'],
  ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', '@', '>'],
  ['XGROUP', 'CREATE', '@', 'g', '0'],
  ['XGROUP', 'DELCONSUMER', '@', 'g', 'c'],
  ['XINFO', 'STREAM', '@'],
  ['XINFO', 'CONSUMERS', '@', 'g'],
  ['TIME'],
];

const script = new LuaScript('try-commands');
const keyRefusal = /access .*keys?/;
const refusal = /NOPERM|no permissions|can't access/;

export interface RedisPermissionsOptions {
  /** `EXTAUTHZ_SESSION_KEY_PREFIX` */
  readonly prefix: string;
  /** Whether revocations wait for replicas. */
  readonly waits: boolean;
}

/**
 * What the user of this connection may not do and will have to (ATTACKS 8), one sentence for each
 * kind of key. By trying, without effect, rather than by ACL DRYRUN: that needs Redis 7 and a user
 * who may ask about users.
 */
export async function missingPermissions(
  redis: RedisConnection,
  { prefix, waits }: RedisPermissionsOptions,
): Promise<string[]> {
  const where = 'Grant it: shared/redis/README.md has the whole line.';
  const found: string[] = [];
  const note = (names: readonly string[], on: string): void => {
    if (names.length === 0) return;
    found.push(`The Redis user may not run ${names.join(', ')}${on}. ${where}`);
  };
  const noteOn = (answer: string[] | 'no such key', keys: string): void => {
    if (answer !== 'no such key') note(answer, ` on ${keys}`);
    else found.push(`The Redis user may not use the keys ${keys}. ${where}`);
  };

  const bare = bareCommands(waits).map(async ({ name, words }) =>
    (await isRefused(redis, words)) ? [name] : [],
  );
  note((await Promise.all(bare)).flat(), '');
  const answers = await Promise.all(
    probeKeys(redis).map((key) => refusedOn(redis, key, triedCommands)),
  );
  const names = answers.flatMap((answer) => (answer === 'no such key' ? [] : answer));
  noteOn(answers.includes('no such key') ? 'no such key' : [...new Set(names)], 'gateway:*');
  const session = sessionKey(prefix, `probe-${process.pid}` as SessionHandle);
  noteOn(await refusedOn(redis, session, triedCommands.slice(0, 12)), `${prefix}*`);
  const activity = ['XACK', activityStreamKey, 'gateway', '0-0'] as const;
  if (await isRefused(redis, activity)) noteOn('no such key', activityStreamKey);
  return found;
}

interface BareCommand {
  readonly name: string;
  readonly words: readonly [string, ...string[]];
}

/** What no script may send. */
function bareCommands(waits: boolean): BareCommand[] {
  return [
    { name: 'PING', words: ['PING'] },
    { name: 'INFO', words: ['INFO', 'server'] },
    { name: 'ROLE', words: ['ROLE'] },
    { name: 'SCRIPT LOAD', words: ['SCRIPT', 'LOAD', 'return 1'] },
    ...(waits ? [{ name: 'WAIT', words: ['WAIT', '0', '1'] } as const] : []),
  ];
}

/** One, or in a Cluster one for each primary: every server has its own users. */
function probeKeys(redis: RedisConnection): string[] {
  if (!(redis instanceof Cluster)) return [gatewayProbeKey('0')];
  const primaries = new Set(
    redis.nodes('master').map(({ options }) => `${options.host}:${options.port}`),
  );
  const keys = new Map<string, string>();
  for (let tag = 0; keys.size < primaries.size && tag < 20_000; tag += 1) {
    const key = gatewayProbeKey(String(tag));
    const primary = redis.slots[clusterSlot(key)]?.[0];
    if (primary !== undefined && !keys.has(primary)) keys.set(primary, key);
  }
  return [...keys.values()];
}

async function refusedOn(
  redis: RedisConnection,
  key: string,
  commands: typeof triedCommands,
): Promise<string[] | 'no such key'> {
  try {
    return (await script.run(redis, [key], [JSON.stringify(commands)])) as string[];
  } catch (error) {
    const { message } = error as Error;
    // Without what was sent: an error of Redis quotes the command with its arguments.
    if (!refusal.test(message)) throw new Error(message, { cause: error });
    if (keyRefusal.test(message)) return 'no such key';
    return ['EVAL and EVALSHA'];
  }
}

async function isRefused(
  redis: RedisConnection,
  [command, ...args]: readonly [string, ...string[]],
): Promise<boolean> {
  try {
    await redis.call(command, ...args);
    return false;
  } catch (error) {
    return refusal.test((error as Error).message);
  }
}
