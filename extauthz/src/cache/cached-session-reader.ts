import type { SessionHandle } from '@sallyport/shared';
import type { SessionLookup } from '../check.js';
import type { SessionReader, TimedLookup, TimedSessionReader } from '../session-reader.js';
import { SessionCache } from './session-cache.js';

/** What a read depends on: the link of the server that owns the session. */
export interface Trust {
  readonly isTrusted: (now: number, handle: SessionHandle) => boolean;
  readonly generation: (handle: SessionHandle) => number;
  /** Asked when it is not trusted: whether anything known may have come by the link in doubt. */
  readonly isFlushDue: (handle: SessionHandle) => boolean;
}

export interface CacheEvents {
  readonly hit: () => void;
  readonly miss: () => void;
  /** A read that a change crossed. */
  readonly crossed: () => void;
  readonly flush: () => void;
}

export interface CachedSessionReader extends SessionReader {
  readonly invalidate: (handle: SessionHandle) => void;
  readonly flush: () => void;
  readonly size: () => number;
  /** Estimated, from above. */
  readonly bytes: () => number;
  readonly negatives: () => number;
}

interface Read {
  /** Set in the step that registers it. */
  lookup: Promise<TimedLookup>;
  readonly generation: number;
  /** An invalidation, a flush or a new link crossed it: its answer may be older than the change. */
  dirty: boolean;
}

const absent: SessionLookup = { outcome: 'absent' };
const notSent = new Promise<never>(() => undefined);

/**
 * Sessions from memory while the link is trusted, else from Redis (DESIGN §3, ATTACKS 1–7).
 *
 * A read is registered before it is sent: an invalidation that overtakes its reply would otherwise
 * be lost, and the stale session would stay (ATTACKS 4).
 */
export function cachedSessionReader(options: {
  source: TimedSessionReader;
  maxEntries: number;
  trust: Trust;
  /** Monotonic, ms. */
  now: () => number;
  events: CacheEvents;
}): CachedSessionReader {
  const { source, trust, now, events } = options;
  const cache = new SessionCache(options.maxEntries);
  const reads = new Map<SessionHandle, Read>();

  const flush = (): void => {
    for (const read of reads.values()) read.dirty = true;
    cache.clear();
    events.flush();
  };

  const begin = (handle: SessionHandle): Read => {
    const read: Read = {
      lookup: notSent,
      generation: trust.generation(handle),
      dirty: false,
    };
    // Registered before its first byte is written.
    reads.set(handle, read);
    read.lookup = source.read(handle);
    return read;
  };

  const finish = (handle: SessionHandle, read: Read, answer: TimedLookup): void => {
    if (reads.get(handle) === read) reads.delete(handle);
    if (read.dirty || answer.redirected === true) return;
    if (read.generation !== trust.generation(handle) || !trust.isTrusted(now(), handle)) return;
    if (answer.lookup.outcome === 'found') {
      const { session, identity } = answer.lookup;
      cache.set(handle, { outcome: 'found', session, identity, deadline: answer.deadline });
    } else if (answer.lookup.outcome === 'absent') {
      cache.setAbsent(handle, now());
    }
  };

  /** No async function around it: every miss comes this way, and each layer is a promise more. */
  const readOnce = <T>(
    handle: SessionHandle,
    then: (read: Read, answer: TimedLookup) => T | Promise<T>,
  ): Promise<T> => {
    const read = begin(handle);
    return read.lookup.then((answer) => {
      finish(handle, read, answer);
      return then(read, answer);
    });
  };

  const readThrough = (handle: SessionHandle): Promise<SessionLookup> =>
    readOnce(handle, (read, answer) => {
      if (!isOutdated(read, answer)) return answer.lookup;
      events.crossed();
      return again(handle);
    });

  /** The read that a caller may wait for too. */
  const joinable = (handle: SessionHandle): Read | undefined => {
    const running = reads.get(handle);
    return running !== undefined &&
      !running.dirty &&
      running.generation === trust.generation(handle)
      ? running
      : undefined;
  };

  /**
   * For all who waited for a read that a change crossed: sent after the change was reported, so it
   * cannot be older than the change, and sent once for all of them.
   */
  const again = async (handle: SessionHandle): Promise<SessionLookup> => {
    const running = joinable(handle);
    const answer = running && (await running.lookup);
    if (answer !== undefined && answer.redirected !== true) return answer.lookup;
    return readOnce(handle, (_read, { lookup }) => lookup);
  };

  const joined = async (handle: SessionHandle, running: Read): Promise<SessionLookup> => {
    const answer = await running.lookup;
    if (isOutdated(running, answer)) return again(handle);
    return answer.redirected === true ? readThrough(handle) : answer.lookup;
  };

  const isTrusted = (handle: SessionHandle): boolean => {
    if (trust.isTrusted(now(), handle)) return true;
    // What is kept was reported by a link that is in doubt now.
    if (cache.size + cache.negatives > 0 && trust.isFlushDue(handle)) flush();
    return false;
  };

  const kept = (handle: SessionHandle): SessionLookup | undefined => {
    const known = cache.get(handle, now());
    if (known === undefined) return undefined;
    events.hit();
    return known === 'absent' ? absent : known;
  };

  return {
    known: (handle) => (isTrusted(handle) ? kept(handle) : undefined),
    find(handle) {
      // Nobody would mark it dirty, so nobody may join it either.
      if (!isTrusted(handle)) return source.read(handle).then((answer) => answer.lookup);
      const known = kept(handle);
      if (known !== undefined) return known;
      events.miss();
      const running = joinable(handle);
      return running === undefined ? readThrough(handle) : joined(handle, running);
    },
    invalidate(handle) {
      cache.delete(handle);
      const read = reads.get(handle);
      if (read !== undefined) read.dirty = true;
    },
    flush,
    size: () => cache.size,
    bytes: () => cache.bytes,
    negatives: () => cache.negatives,
  };
}

/** Whether a change crossed the read, so that asking again may give another answer. */
function isOutdated(read: Read, answer: TimedLookup): boolean {
  return read.dirty && answer.lookup.outcome !== 'unavailable';
}
