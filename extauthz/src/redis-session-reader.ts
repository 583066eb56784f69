import { decodeSession, sessionFields, sessionKey } from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import type { SessionLookup } from './check.js';
import { identityOf } from './identity.js';
import type { Breaker } from './redis-breaker.js';
import { SessionInterner } from './session-interner.js';
import type { TimedLookup, TimedSessionReader } from './session-reader.js';

export interface RedisSessionReaderOptions {
  readonly redis: RedisConnection;
  readonly prefix: string;
  readonly breaker: Pick<Breaker, 'isOpen' | 'trip'>;
  /** Monotonic, ms. */
  readonly now: () => number;
  /** Told what went wrong, never with a key or a value in it. */
  readonly onError: (reason: string) => void;
  readonly onCorrupt: (field: string) => void;
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
      if (options.breaker.isOpen()) return answer(unavailable);
      const key = sessionKey(options.prefix, handle);
      try {
        const [values, remaining] = await Promise.all([
          options.redis.hmget(key, ...sessionFields),
          options.redis.pttl(key),
        ]);
        return lookupOf(values, remaining, sent, options, interner);
      } catch (error) {
        return answer(failed(error, options));
      }
    },
  };
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

function failed(error: unknown, options: RedisSessionReaderOptions): SessionLookup {
  const { message } = error as Error;
  // WRONGTYPE is not an outage: the key is there and is no session of ours (TRUST R12).
  if (message.startsWith('WRONGTYPE')) {
    options.onCorrupt('type');
    return corrupt;
  }
  if (message === 'Command timed out') {
    options.breaker.trip();
    options.onError('TIMEOUT');
    return unavailable;
  }
  // A short, bounded label: the code that Redis sends first, or that there is no connection.
  const [code] = /^[A-Z]{3,20}(?= |$)/.exec(message) ?? [];
  options.onError(code ?? 'CONNECTION');
  return unavailable;
}
