import { parseSessionHandle, type Clock, type SessionHandle } from '@sallyport/shared';
import type { Unit } from '@sallyport/shared/runtime';
import type { RefreshEvents } from '../refresh-events.js';
import type { ActivityEntry, ActivityStream } from './activity-stream.js';
import { pause } from './refresh-worker.js';
import type { SessionLifecycle } from './session-lifecycle.js';
import type { SessionStore } from './session-store.js';
import type { SessionUpkeep } from './session-upkeep.js';

export interface ActivityConsumerOptions {
  readonly stream: ActivityStream;
  readonly store: Pick<SessionStore, 'find' | 'slide'>;
  readonly sessions: Pick<SessionLifecycle, 'prolong'>;
  readonly upkeep: Pick<SessionUpkeep, 'attend' | 'noteInUse'>;
  readonly clock: Clock;
  readonly events: RefreshEvents;
  readonly idleSeconds: number;
  /** After how long another replica's unconfirmed entries are taken over, ms. */
  readonly claimAfter: number;
}

const interval = 500;
/** Rounds between two looks for a broken stream and for what dead replicas left. */
const roundsPerCheck = 4;
const atMost = 500;
const atOnce = 32;

/**
 * Slides the sessions that extauthz reports in use. At least once: an entry is confirmed when its
 * slide is done, and sliding twice changes nothing (ATTACKS 17, 36).
 */
export function activityConsumer(options: ActivityConsumerOptions): Unit {
  const { stream, events, claimAfter } = options;
  const stopping = new AbortController();
  let loop: Promise<void> | undefined;

  const drain = async (read: () => Promise<ActivityEntry[]>): Promise<void> => {
    for (;;) {
      const entries = await read();
      const { failed, error } = await handle(options, entries, stopping.signal);
      const done = entries.filter((entry) => !failed.has(entry.handle));
      await stream.confirm(done.map(({ id }) => id));
      if (error !== undefined) throw error;
      if (entries.length < atMost || stopping.signal.aborted) return;
    }
  };

  const check = async (): Promise<void> => {
    const done = await stream.repair();
    if (done !== 'nothing') events.activityStream(done);
    for (;;) {
      const claimed = await stream.claim(claimAfter, atMost);
      events.activityClaimed(claimed);
      await drain(() => stream.readPending(atMost));
      if (claimed < atMost || stopping.signal.aborted) return;
    }
  };

  const run = async (): Promise<void> => {
    for (let round = 0; !stopping.signal.aborted; round += 1) {
      try {
        if (round % roundsPerCheck === 0) await check();
        await drain(() => stream.readNew(atMost));
        events.backgroundWorked('activity');
      } catch (error) {
        // Redis was emptied: made anew at once, not at the next check.
        if ((error as Error).message.startsWith('NOGROUP')) round = -1;
        else events.backgroundFailed('activity', error);
      }
      await pause(interval, stopping.signal);
    }
  };

  return {
    name: 'activity consumer',
    start: () => {
      loop = run();
      return Promise.resolve();
    },
    stop: async () => {
      stopping.abort();
      await loop;
    },
  };
}

interface Handled {
  /** Of sessions that could not be slid: to be tried again. */
  readonly failed: ReadonlySet<string | undefined>;
  /** The first of why. */
  readonly error: Error | undefined;
}

/** One that fails (of a primary that is away, say) keeps no other from being slid and confirmed. */
async function handle(
  { store, sessions, upkeep, events, clock, idleSeconds }: ActivityConsumerOptions,
  entries: readonly ActivityEntry[],
  stopping: AbortSignal,
): Promise<Handled> {
  const lastUse = new Map<SessionHandle, number>();
  let ignored = 0;
  for (const { handle: text, at } of entries) {
    const parsed = text === undefined ? undefined : parseSessionHandle(text);
    if (parsed === undefined) ignored += 1;
    else lastUse.set(parsed, Math.max(at, lastUse.get(parsed) ?? 0));
  }
  let gone = 0;
  let error: Error | undefined;
  const failed = new Set<string | undefined>();
  const queue = [...lastUse];
  const slide = async (one: SessionHandle, usedAt: number): Promise<void> => {
    const session = await store.find(one);
    // Overdue permissions would hold the deadline (slide.lua): after an outage of ours, everybody's.
    if (session !== undefined && session.permFreshUntil <= clock() / 1000) {
      await upkeep.attend(one, 'worker', { seen: session, sparing: true });
    }
    const deadline =
      session &&
      (await sessions.prolong(one, session, () => store.slide(one, idleSeconds, usedAt)));
    if (deadline === undefined) gone += 1;
    else await upkeep.noteInUse(one);
  };
  const slideNext = async (): Promise<void> => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      // The next replica has them: a stop with a Redis that hangs must not wait for each.
      if (stopping.aborted) {
        failed.add(next[0]);
        continue;
      }
      try {
        await slide(...next);
      } catch (why) {
        error ??= why as Error;
        failed.add(next[0]);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, slideNext));
  events.activityHandled('slid', lastUse.size - failed.size - gone);
  events.activityHandled('gone', gone);
  events.activityHandled('ignored', ignored);
  return { failed, error };
}
