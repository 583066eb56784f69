import { connect } from 'node:net';
import { once } from 'node:events';
import {
  defaultSessionKeyPrefix,
  encodeSession,
  sessionHandle,
  sessionKey,
} from '@sallyport/shared';
import type { BenchRedis } from './parts/redis.js';
import { sessionAt, sessionIdAt } from './load/sessions.js';

/** Of the stand-in for the original: raw ids, under a prefix of its own. */
export const originalKeyPrefix = 'original:session:';
const ttlSeconds = 12 * 3600;
const batch = 2_000;

/**
 * Writes the sessions `from` … `to - 1` of a seed, as the gateway would leave them. One connection
 * and raw protocol text: a million hashes are there within seconds.
 */
export async function seedSessions(
  redis: BenchRedis,
  seed: string,
  range: { readonly from: number; readonly to: number },
  options: { alsoAsOriginal?: boolean } = {},
): Promise<void> {
  const now = Math.floor(Date.now() / 1000);
  const expireAt = String((now + ttlSeconds) * 1000);
  const { username, password } = redis.adminCredentials;
  const socket = connect({ port: redis.process.port, host: '127.0.0.1' });
  let replies = 0;
  socket.on('data', (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 0x0a) replies += 1;
  });
  let expected = 1;
  socket.write(command('AUTH', username, password));
  for (let start = range.from; start < range.to; start += batch) {
    let text = '';
    for (let index = start; index < Math.min(start + batch, range.to); index += 1) {
      const id = sessionIdAt(seed, index);
      const fields = Object.entries(encodeSession(sessionAt(index, now, ttlSeconds))).flat();
      const keys = [sessionKey(defaultSessionKeyPrefix, sessionHandle(id, 'hashed'))];
      if (options.alsoAsOriginal === true) keys.push(originalKeyPrefix + id);
      for (const key of keys) {
        text += command('HSET', key, ...fields) + command('PEXPIREAT', key, expireAt);
        expected += 2;
      }
    }
    if (!socket.write(text)) await once(socket, 'drain');
  }
  while (replies < expected) await once(socket, 'data', { signal: AbortSignal.timeout(30_000) });
  socket.destroy();
  await requireKey(redis, seed, range.to - 1);
}

async function requireKey(redis: BenchRedis, seed: string, index: number): Promise<void> {
  const key = keyOfSession(seed, index);
  if ((await redis.admin.exists(key)) !== 1) throw new Error('the sessions were not written');
}

export function keyOfSession(seed: string, index: number): string {
  return sessionKey(defaultSessionKeyPrefix, sessionHandle(sessionIdAt(seed, index), 'hashed'));
}

/** The RESP form of a command; all texts are ASCII. */
export function command(...parts: readonly string[]): string {
  let text = `*${parts.length}\r\n`;
  for (const part of parts) text += `$${part.length}\r\n${part}\r\n`;
  return text;
}
