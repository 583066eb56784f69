import {
  defaultSessionKeyPrefix,
  gatewaySessionKey,
  newSessionId,
  ownerKeys,
  sessionHandle,
  sessionKey,
  type SessionHandle,
  type SessionOwner,
} from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import type { Redis } from 'ioredis';
import { RedisSessionIndex } from '../../session-gateway/src/sessions/redis-session-index.js';
import { RedisSessionStore } from '../../session-gateway/src/sessions/redis-session-store.js';
import {
  Revocations,
  type RevocationsOptions,
} from '../../session-gateway/src/sessions/revocations.js';
import { ownersOf } from '../../session-gateway/src/sessions/session-owners.js';
import type { NewSession } from '../../session-gateway/src/sessions/session-store.js';
import { PlainLink, type WriteLink } from '../../session-gateway/src/sessions/write-link.js';
import { aNewSession } from './builders.js';
import { users, type RedisUser, type TestRedis } from './redis.js';

export const absoluteSeconds = 43_200;
const lifetimes = { idleSeconds: 1800, absoluteSeconds };
const prefix = defaultSessionKeyPrefix;

/** Sessions and their revocation on one Redis, through the shipped writer user. */
export async function revocationsOn(
  redis: TestRedis,
  options: {
    user?: RedisUser;
    link?: WriteLink;
    ended?: RevocationsOptions['ended'] | undefined;
  } = {},
) {
  const connection: RedisConnection = await redis.connect(options.user ?? users.writer);
  const link = options.link ?? new PlainLink(connection);
  const index = new RedisSessionIndex(connection, absoluteSeconds);
  const store = new RedisSessionStore(connection, { prefix, link });
  const { ended } = options;
  const revocations = new Revocations({
    ...{ redis: connection, link, index, prefix },
    ...(ended === undefined ? {} : { ended }),
  });
  return {
    connection,
    index,
    store,
    revocations,
    /** A session as a login makes it. */
    open: async (overrides: Partial<NewSession> = {}): Promise<SessionHandle> => {
      const session = aNewSession({ seq: await revocations.sequence(), ...overrides });
      const handle = sessionHandle(newSessionId(), 'hashed');
      await index.enter(ownersOf(session), handle, session.seq);
      await store.create(handle, session, lifetimes);
      if (!(await index.enter(ownersOf(session), handle, session.seq))) {
        throw new Error('revoked while it was opened');
      }
      return handle;
    },
  };
}

/** Many sessions of one owner at once, as small as the reader and a revocation need them. */
export async function plantSessions(
  admin: Redis,
  owner: SessionOwner,
  count: number,
  seq: number,
): Promise<SessionHandle[]> {
  const end = Math.floor(Date.now() / 1000) + 3600;
  const handles = Array.from({ length: count }, () => sessionHandle(newSessionId(), 'hashed'));
  for (let at = 0; at < count; at += 2000) {
    const pipeline = admin.pipeline();
    for (const handle of handles.slice(at, at + 2000)) {
      const [reader, gateway] = [sessionKey(prefix, handle), gatewaySessionKey(prefix, handle)];
      pipeline.hset(reader, 'user_id', 'u').expireat(reader, end);
      pipeline.hset(gateway, 'seq', seq).expireat(gateway, end);
      pipeline.zadd(ownerKeys(owner).index, end, handle);
    }
    await pipeline.exec();
  }
  await admin.expireat(ownerKeys(owner).index, end);
  return handles;
}

export async function alive(
  redis: TestRedis,
  handles: readonly SessionHandle[],
): Promise<SessionHandle[]> {
  const connection = await redis.connect(users.admin);
  const found: boolean[] = [];
  // In bites: 40,000 commands at once would wait for each other beyond their deadline.
  for (let at = 0; at < handles.length; at += 1000) {
    const bite = handles.slice(at, at + 1000).map(async (handle) => {
      const records = [sessionKey(prefix, handle), gatewaySessionKey(prefix, handle)];
      const exist = await Promise.all(records.map((key) => connection.exists(key)));
      return exist.includes(1);
    });
    found.push(...(await Promise.all(bite)));
  }
  return handles.filter((_, at) => found[at]);
}
