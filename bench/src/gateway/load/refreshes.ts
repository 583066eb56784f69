import {
  defaultSessionKeyPrefix,
  gatewaySessionKey,
  refreshDueKey,
  sessionHandle,
  type SessionHandle,
  type SessionId,
} from '@sallyport/shared';
import { Redis } from 'ioredis';
import { cpuMs } from '../../cpu.js';
import type { RunOrder, RunResult } from '../../load/load-spec.js';
import { holdsWithin } from '../../poll.js';
import type { HttpConnection } from './connection.js';
import { requestText } from './requests.js';
import { awake, saturate } from './saturate.js';
import type { RedisAccess } from './work.js';

/** Past the 30 s in which tokens count as quite new, and no expiry near. */
const ageSeconds = 1_800;

/** Each session once: new tokens on request. The ageing before and the look after are not measured. */
export async function postRefreshes(
  access: RedisAccess,
  ids: readonly string[],
  connections: readonly HttpConnection[],
  order: RunOrder,
): Promise<RunResult> {
  const redis = new Redis(access);
  try {
    const keys = ids.map((id) => keyOf(handleOf(id)));
    await age(redis, keys, ageSeconds);
    const before = await tokenVersions(redis, keys);
    let next = 0;
    const doers = connections.map((connection) => async () => {
      const id = ids[next++] ?? '';
      const { status, body } = await connection.send(requestText('POST', '/auth/refresh', id));
      return status === 200 && !body.includes('"tokenRefreshed":true') ? 0 : status;
    });
    const result = await saturate(doers, { ...order, checks: ids.length });
    if (Object.keys(result.failures).length === 0) await requireAdvanced(redis, keys, before);
    return result;
  } finally {
    redis.disconnect();
  }
}

/** All become due at one moment; over when a replica has attended to every one of them. */
export async function dueRefreshes(
  access: RedisAccess,
  ids: readonly string[],
  order: RunOrder,
): Promise<RunResult> {
  const redis = new Redis(access);
  try {
    const handles = ids.map(handleOf);
    const keys = handles.map(keyOf);
    await age(redis, keys, 2 * ageSeconds);
    const before = await tokenVersions(redis, keys);
    const cpuBefore = order.pids.map(cpuMs);
    const started = performance.now();
    await redis.zadd(refreshDueKey, ...handles.flatMap((handle) => [1, handle]));
    // A lease ends within a minute, a new plan lies further ahead.
    const soon = Math.floor(Date.now() / 1000) + 120;
    const over = await awake(
      holdsWithin(order.milliseconds, async () => {
        return (await redis.zcount(refreshDueKey, '-inf', soon)) === 0;
      }),
    );
    const milliseconds = performance.now() - started;
    const cpu = order.pids.map((pid, index) => cpuMs(pid) - (cpuBefore[index] ?? 0));
    if (!over) throw new Error(`not all of ${ids.length} sessions were refreshed in time`);
    await requireAdvanced(redis, keys, before);
    return {
      checks: ids.length,
      failures: {},
      milliseconds,
      rps: (ids.length * 1000) / milliseconds,
      p50: Number.NaN,
      p99: Number.NaN,
      max: Number.NaN,
      cpuMs: cpu,
    };
  } finally {
    redis.disconnect();
  }
}

function handleOf(id: string): SessionHandle {
  return sessionHandle(id as SessionId, 'hashed');
}

function keyOf(handle: SessionHandle): string {
  return gatewaySessionKey(defaultSessionKeyPrefix, handle);
}

/** As if the tokens, of an hour's life, had been given so long ago. */
async function age(redis: Redis, keys: readonly string[], seconds: number): Promise<void> {
  const given = Math.floor(Date.now() / 1000) - seconds;
  const pipeline = redis.pipeline();
  for (const key of keys) pipeline.hset(key, { tokens_at: given, token_expires_at: given + 3600 });
  await pipeline.exec();
}

async function tokenVersions(redis: Redis, keys: readonly string[]): Promise<number[]> {
  const pipeline = redis.pipeline();
  for (const key of keys) pipeline.hget(key, 'token_version');
  return ((await pipeline.exec()) ?? []).map(([, value]) => Number(value));
}

/** @throws Error unless each session has got new tokens exactly once */
async function requireAdvanced(
  redis: Redis,
  keys: readonly string[],
  before: readonly number[],
): Promise<void> {
  const after = await tokenVersions(redis, keys);
  const times = after.map((version, index) => version - (before[index] ?? 0));
  const wrong = times.filter((advanced) => advanced !== 1);
  if (wrong.length === 0) return;
  const seen = [...new Set(wrong)].join(', ');
  throw new Error(
    `${wrong.length} of ${keys.length} sessions were refreshed ${seen} times, not once`,
  );
}
