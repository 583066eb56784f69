import { once } from 'node:events';
import { connect } from 'node:net';
import { randomBytes } from 'node:crypto';
import {
  defaultSessionKeyPrefix,
  encodeSession,
  gatewaySessionKey,
  sessionHandle,
  sessionKey,
} from '@sallyport/shared';
import { sessionAt, sessionIdAt } from '../load/sessions.js';
import type { BenchRedis } from '../parts/redis.js';
import { command } from '../seeding.js';

/** As long as the sealed tokens of the logins that are measured. */
const sealedBytes = 3_000;
const absoluteSeconds = 12 * 3600;
const idleSeconds = 1_800;
const batch = 500;

/**
 * Pairs of records as a login leaves them, for the sessions 0 … count - 1 of a seed. Their sealed
 * tokens are random: no key opens them, so whoever is answered shows that nobody tried to.
 * @param ageSeconds how long ago they were last used; beyond half the idle time the next use slides
 */
export async function seedPairs(
  redis: BenchRedis,
  seed: string,
  count: number,
  ageSeconds = 0,
): Promise<void> {
  const now = Math.floor(Date.now() / 1000);
  const sealed = randomBytes(sealedBytes).toString('base64url').slice(0, sealedBytes);
  const socket = connect({ port: redis.process.port, host: '127.0.0.1' });
  let replies = 0;
  socket.on('data', (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 0x0a) replies += 1;
  });
  let expected = 1;
  const { username, password } = redis.adminCredentials;
  socket.write(command('AUTH', username, password));
  for (let start = 0; start < count; start += batch) {
    let text = '';
    for (let index = start; index < Math.min(start + batch, count); index += 1) {
      for (const [key, fields] of pairOf(seed, index, now - ageSeconds, sealed)) {
        const end = String((now - ageSeconds + idleSeconds) * 1000);
        text += command('HSET', key, ...Object.entries(fields).flat());
        text += command('PEXPIREAT', key, end);
        expected += 2;
      }
    }
    if (!socket.write(text)) await once(socket, 'drain');
  }
  while (replies < expected) await once(socket, 'data', { signal: AbortSignal.timeout(30_000) });
  socket.destroy();
  const keys = (await redis.admin.dbsize()) >= 2 * count;
  if (!keys) throw new Error('the sessions were not written');
}

type Pair = readonly (readonly [key: string, fields: Readonly<Record<string, string>>])[];

function pairOf(seed: string, index: number, usedAt: number, sealed: string): Pair {
  const handle = sessionHandle(sessionIdAt(seed, index), 'hashed');
  const session = sessionAt(index, usedAt, idleSeconds);
  const reader = encodeSession(session) as Readonly<Record<string, string>>;
  // Nothing is due before the run is over: what is measured is a session that only lives.
  const later = String(usedAt + absoluteSeconds);
  return [
    [sessionKey(defaultSessionKeyPrefix, handle), reader],
    [
      gatewaySessionKey(defaultSessionKeyPrefix, handle),
      {
        sub: session.userId,
        iss: 'https://idp.example',
        idp: 'idp',
        sid: `sid-${index}`,
        email: 'ada@example.org',
        email_verified: 'true',
        name: 'Ada Lovelace',
        picture: 'https://example.org/ada.png',
        auth_time: String(usedAt),
        user_id: session.userId,
        roles: session.roles.join(','),
        permissions: session.permissions.join(','),
        kind: 'browser',
        tokens: sealed,
        token_expires_at: later,
        token_version: '1',
        perm_version: '1',
        perm_fresh_until: later,
        seq: '1',
        device_hint: 'Firefox on Linux',
        ip_prefix: '192.0.2.0/24',
        created_at: String(usedAt),
        last_accessed_at: String(usedAt),
        expires_at: String(usedAt + idleSeconds),
        absolute_expires_at: later,
      },
    ],
  ];
}
