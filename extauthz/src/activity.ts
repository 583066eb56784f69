import { activityStreamKey, type Session, type SessionHandle } from '@sallyport/shared';
import type { RedisConnection, Unit } from '@sallyport/shared/runtime';

/** How often what was collected is sent, ms. */
const batchInterval = 200;
/** After a loss: what is not remembered as sent comes again with every request, ms. */
const lossPause = 1_000;
/** More than this waiting means that Redis does not keep up: the rest is dropped, not kept. */
const maxWaiting = 5_000;
/** Entries the stream is trimmed to, about. */
const streamLength = 100_000;

export interface ActivityOptions {
  readonly redis: RedisConnection;
  /** The idle lifetime of sessions, as the gateway has it. */
  readonly idleSeconds: number;
  /** Monotonic, ms. */
  readonly now: () => number;
  readonly onSent: (count: number) => void;
  readonly onDropped: (count: number) => void;
}

export interface Activity extends Unit {
  /** Tells that an allowed request used the session. Returns at once. @param storeNow epoch ms */
  readonly used: (handle: SessionHandle, session: Session, storeNow: number) => void;
}

/**
 * "This session is in use", told to the gateway by the activity stream, so that checked traffic
 * slides a session although this service may not write one. At most once per session and interval;
 * what cannot be sent is dropped and counted, and not remembered as sent (issue: never waited for).
 */
export function activity(options: ActivityOptions): Activity {
  // ATTACKS 17: a sixth of the idle lifetime at most, so that one lost event never costs a session.
  const interval = (options.idleSeconds * 1000) / 6;
  const halfWindow = (options.idleSeconds * 1000) / 2;
  let told: readonly Set<SessionHandle>[] = [new Set(), new Set(), new Set()];
  let rotatedAt = options.now();
  const waiting = new Set<SessionHandle>();
  let sending: Promise<void> | undefined;
  let notBefore = -Infinity;
  let timer: NodeJS.Timeout | undefined;

  /** Three generations of half an interval: a handle is remembered for one interval to one and a half. */
  const rotate = (): void => {
    if (options.now() - rotatedAt < interval / 2) return;
    told = [new Set(), ...told.slice(0, -1)];
    rotatedAt = options.now();
  };

  const send = async (handles: SessionHandle[]): Promise<void> => {
    const pipeline = options.redis.pipeline();
    for (const handle of handles) {
      pipeline.xadd(activityStreamKey, 'NOMKSTREAM', 'MAXLEN', '~', streamLength, '*', 'h', handle);
    }
    const results = await pipeline.exec().catch(() => null);
    // No error and no id: the stream is not there, so nobody was told.
    const isSent = (result?: [error: Error | null, id: unknown]): boolean =>
      result !== undefined && result[0] === null && result[1] !== null;
    const lost = handles.filter((_handle, index) => !isSent(results?.[index]));
    for (const handle of lost) {
      for (const generation of told) generation.delete(handle);
    }
    if (lost.length > 0) {
      options.onDropped(lost.length);
      notBefore = options.now() + lossPause;
    }
    if (lost.length < handles.length) options.onSent(handles.length - lost.length);
  };

  const flush = (): void => {
    rotate();
    if (waiting.size === 0 || sending !== undefined || options.now() < notBefore) return;
    const handles = [...waiting];
    waiting.clear();
    sending = send(handles).finally(() => (sending = undefined));
  };

  return {
    name: 'activity',
    used: (handle, session, storeNow) => {
      if (session.expiresAt * 1000 - storeNow > halfWindow) return;
      if (told.some((generation) => generation.has(handle))) return;
      if (waiting.size >= maxWaiting) {
        options.onDropped(1);
        return;
      }
      told[0]?.add(handle);
      waiting.add(handle);
    },
    start: () => {
      timer = setInterval(flush, batchInterval);
      return Promise.resolve();
    },
    stop: async () => {
      clearInterval(timer);
      await sending;
      flush();
      await sending;
      // Redis fails, and nobody will wait for it any more.
      if (waiting.size > 0) options.onDropped(waiting.size);
      waiting.clear();
    },
  };
}
