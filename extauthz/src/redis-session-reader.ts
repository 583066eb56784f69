import { decodeSession, sessionFields, sessionKey, type SessionHandle } from '@sallyport/shared';
import { isRefusal, redisErrorReason, type RedisConnection } from '@sallyport/shared/runtime';
import type { SessionLookup } from './check.js';
import { identityOf } from './identity.js';
import type { Breaker } from './redis-breaker.js';
import type { RedisRole } from './redis-role.js';
import { SessionInterner } from './session-interner.js';
import type { TimedLookup, TimedSessionReader } from './session-reader.js';

export interface RedisSessionReaderOptions {
  readonly redis: RedisConnection;
  /** Cluster: the slot's owner, asked directly so that a redirection is seen; undefined where unknown. */
  readonly owner?: (handle: SessionHandle) => RedisConnection | undefined;
  readonly prefix: string;
  readonly breaker: Pick<Breaker, 'isOpen' | 'trip'>;
  readonly role: Pick<RedisRole, 'confirm' | 'vouches' | 'refused'>;
  /** Monotonic, ms. */
  readonly now: () => number;
  /** Told what went wrong, never with a key or a value in it. */
  readonly onError: (reason: string) => void;
  readonly onCorrupt: (field: string) => void;
  /** Told how long an answer took, or the lack of one, ms. */
  readonly onRead?: (milliseconds: number) => void;
}

const unavailable: SessionLookup = { outcome: 'unavailable' };
const absent: SessionLookup = { outcome: 'absent' };
const corrupt: SessionLookup = { outcome: 'corrupt' };

/** The reader over Redis: HMGET of the contract's fields and PTTL, in one pipeline. */
export function redisSessionReader(options: RedisSessionReaderOptions): TimedSessionReader {
  const interner = new SessionInterner();
  return {
    read: async (handle) => {
      // Before it is sent: PTTL counts from a later moment, so the deadline is never late.
      const sent = options.now();
      if (options.breaker.isOpen(handle)) return answer(unavailable);
      options.role.confirm();
      const key = sessionKey(options.prefix, handle);
      try {
        const { values, remaining, redirected } = await ask(options, handle, key);
        const received = options.now();
        options.onRead?.(received - sent);
        if (!options.role.vouches(received)) return answer(doubtful(options));
        const result = lookupOf(values, remaining, sent, options, interner);
        return redirected ? { ...result, redirected } : result;
      } catch (error) {
        options.onRead?.(options.now() - sent);
        return answer(failed(error, handle, options));
      }
    },
  };
}

interface Fields {
  readonly values: (string | null)[];
  readonly remaining: number;
  readonly redirected?: true;
}

async function fieldsOf(redis: RedisConnection, key: string): Promise<Fields> {
  const [values, remaining] = await Promise.all([
    redis.hmget(key, ...sessionFields),
    redis.pttl(key),
  ]);
  return { values, remaining };
}

async function ask(
  { redis, owner }: RedisSessionReaderOptions,
  handle: SessionHandle,
  key: string,
): Promise<Fields> {
  if (owner === undefined) return fieldsOf(redis, key);
  const direct = owner(handle);
  if (direct !== undefined) {
    try {
      return await fieldsOf(direct, key);
    } catch (error) {
      if (!/^(?:MOVED|ASK) /.test((error as Error).message)) throw error;
    }
  }
  return { ...(await fieldsOf(redis, key)), redirected: true };
}

function lookupOf(
  values: (string | null)[],
  remaining: number,
  sent: number,
  { onCorrupt }: RedisSessionReaderOptions,
  interner: SessionInterner,
): TimedLookup {
  const decoded = decodeSession(values);
  if (decoded.outcome === 'absent' || remaining === -2) return answer(absent);
  if (decoded.outcome === 'corrupt') {
    onCorrupt(decoded.field);
    return answer(corrupt);
  }
  // No writer of ours leaves a hash without expiry: whoever did, it must not let anyone in for ever.
  if (remaining < 0) {
    onCorrupt('ttl');
    return answer(corrupt);
  }
  const session = interner.intern(decoded.session);
  const identity = identityOf(session, interner);
  return { lookup: { outcome: 'found', session, identity }, deadline: sent + remaining };
}

function answer(lookup: SessionLookup): TimedLookup {
  return { lookup, deadline: -Infinity };
}

function failed(
  error: unknown,
  handle: SessionHandle,
  options: RedisSessionReaderOptions,
): SessionLookup {
  const { message } = error as Error;
  // WRONGTYPE is not an outage: the key is there and is no session of ours (TRUST R12).
  if (message.startsWith('WRONGTYPE')) {
    options.onCorrupt('type');
    return corrupt;
  }
  const reason = redisErrorReason(error);
  if (reason === 'TIMEOUT') options.breaker.trip(handle);
  if (isRefusal(reason)) options.role.refused();
  options.onError(reason);
  return unavailable;
}

/** It answered, but it is a replica or does not say what it is. */
function doubtful({ onError }: RedisSessionReaderOptions): SessionLookup {
  onError('NOTPRIMARY');
  return unavailable;
}
