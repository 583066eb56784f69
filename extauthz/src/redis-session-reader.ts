import { decodeSession, sessionFields, sessionKey, type SessionHandle } from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import type { SessionLookup } from './check.js';
import { identityOf } from './identity.js';
import type { SessionReader } from './session-reader.js';

export interface RedisSessionReaderOptions {
  readonly redis: RedisConnection;
  readonly prefix: string;
  /** Told what went wrong, never with a key or a value in it. */
  readonly onError: (reason: string) => void;
  readonly onCorrupt: (field: string) => void;
}

const unavailable: SessionLookup = { outcome: 'unavailable' };
const absent: SessionLookup = { outcome: 'absent' };
const corrupt: SessionLookup = { outcome: 'corrupt' };

/** The reader over Redis: HMGET of the contract's fields and PTTL, in one pipeline. */
export function redisSessionReader(options: RedisSessionReaderOptions): SessionReader {
  return { find: (handle) => find(options, handle) };
}

async function find(
  { redis, prefix, onError, onCorrupt }: RedisSessionReaderOptions,
  handle: SessionHandle,
): Promise<SessionLookup> {
  const key = sessionKey(prefix, handle);
  let values: (string | null)[];
  let remaining: number;
  try {
    [values, remaining] = await Promise.all([redis.hmget(key, ...sessionFields), redis.pttl(key)]);
  } catch (error) {
    // WRONGTYPE is not an outage: the key is there and is no session of ours (TRUST R12).
    if ((error as Error).message.startsWith('WRONGTYPE')) {
      onCorrupt('type');
      return corrupt;
    }
    onError(errorReason(error));
    return unavailable;
  }
  const decoded = decodeSession(values);
  if (decoded.outcome === 'absent' || remaining === -2) return absent;
  if (decoded.outcome === 'corrupt') {
    onCorrupt(decoded.field);
    return corrupt;
  }
  // No writer of ours leaves a hash without expiry: whoever did, it must not let anyone in for ever.
  if (remaining < 0) {
    onCorrupt('ttl');
    return corrupt;
  }
  return { outcome: 'found', session: decoded.session, identity: identityOf(decoded.session) };
}

/** A short, bounded label: the error code that Redis sends first, or the client's own reason. */
function errorReason(error: unknown): string {
  const message = (error as Error).message;
  const [code] = /^[A-Z]{3,20}(?= |$)/.exec(message) ?? [];
  if (code !== undefined) return code;
  return message === 'Command timed out' ? 'TIMEOUT' : 'CONNECTION';
}
