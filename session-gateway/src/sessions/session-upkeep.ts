import type { Clock, SessionHandle } from '@sallyport/shared';
import type { Correlation } from '../correlation.js';
import type { RefreshEvents } from '../refresh-events.js';
import type { PermissionRefresh } from './permission-refresh.js';
import type { RefreshDue } from './refresh-due.js';
import { permissionsDueAt, tokensDueAt, type RefreshTiming } from './refresh-schedule.js';
import type { RefreshOutcome, SessionRefresh } from './session-refresh.js';
import type { SessionStore, SessionView, StoredSession } from './session-store.js';
import { orUnavailable } from './store-unavailable.js';

export type UpkeepOutcome =
  RefreshOutcome | { readonly outcome: 'not_due' } | { readonly outcome: 'permissions_renewed' };

export interface SessionUpkeepOptions {
  readonly store: SessionStore;
  readonly refresh: Pick<SessionRefresh, 'refresh' | 'settled'>;
  readonly permissions: Pick<PermissionRefresh, 'renew'>;
  readonly due: RefreshDue | Pick<RefreshDue, 'plan' | 'planIfNone' | 'forget'>;
  readonly events: RefreshEvents;
  readonly clock: Clock;
  readonly timing: RefreshTiming & { readonly retryAfter: number };
}

/** `session`: as it stood at the end, if it did and could be looked at. */
export type Attended = UpkeepOutcome & { readonly session?: SessionView };

/** What {@link SessionUpkeep.attend} is asked for. */
export interface Attendance {
  /** Refresh the tokens although they are not due, unless they are quite new. */
  readonly forced?: boolean;
  /** The session as the caller has just read it; whatever is changed is read again. */
  readonly seen?: StoredSession;
  /** Callers who share a run share that of the first. */
  readonly correlation?: Correlation | undefined;
  /** Leave the provider alone: it does not answer. Permissions are renewed all the same. */
  readonly sparing?: boolean;
  /** By Redis's clock, which found the session due, epoch seconds; ours may be behind it. */
  readonly dueAt?: number;
}

interface Flight {
  readonly forced: boolean;
  readonly result: Promise<Attended>;
}

/** What a live session needs from time to time: new tokens, new permissions. One at a time each. */
export class SessionUpkeep {
  readonly #options: SessionUpkeepOptions;
  readonly #flights = new Map<SessionHandle, Flight>();

  constructor(options: SessionUpkeepOptions) {
    this.#options = options;
  }

  /** Looks at nothing but what the caller has: a heartbeat asks this every time. */
  isDue(handle: SessionHandle, session: SessionView): boolean {
    return this.#nextAt(handle, session) <= this.#now();
  }

  /** @param dueAt as {@link Attendance.dueAt} */
  areTokensDue(handle: SessionHandle, session: SessionView, dueAt: number): boolean {
    return tokensDueAt(handle, session, this.#options.timing) <= this.#now({ dueAt });
  }

  /**
   * Does what is due. Callers in this process share one run; it is never cut short, since it may have
   * spent a refresh token. The worker waits for nobody's: others are due.
   */
  async attend(
    handle: SessionHandle,
    by: 'request' | 'worker',
    { forced = false, seen, ...how }: Attendance = {},
  ): Promise<Attended> {
    const running = this.#flights.get(handle);
    if (running !== undefined && by === 'worker') return { outcome: 'kept', reason: 'busy' };
    if (running !== undefined) {
      const outcome = await running.result;
      if (running.forced || !forced || outcome.outcome === 'refreshed') return outcome;
    }
    const joined = this.#flights.get(handle);
    if (joined !== undefined) return joined.result;
    // What was read before another run ended says nothing any more.
    const current = running === undefined && seen !== undefined ? { seen } : {};
    const asked = { forced, ...how, ...current };
    const result = this.#attend(handle, by, asked).finally(() => this.#flights.delete(handle));
    this.#flights.set(handle, { forced, result });
    return result;
  }

  /** Notes a session that is in use, so that some replica comes back to it without a browser. */
  async noteInUse(handle: SessionHandle, seen?: StoredSession): Promise<void> {
    const session = seen ?? (await this.#options.store.find(handle));
    if (session === undefined) return;
    await this.#options.due.planIfNone(handle, this.#nextAt(handle, session));
  }

  /** Everything under way; settles when all of it has, and Redis knows of it. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#flights.values()].map(({ result }) => result));
    await this.#options.refresh.settled();
  }

  async #attend(
    handle: SessionHandle,
    by: 'request' | 'worker',
    asked: Attendance,
  ): Promise<Attended> {
    const session = asked.seen ?? (await orUnavailable(this.#options.store.find(handle)));
    const outcome =
      session === undefined
        ? ({ outcome: 'gone' } as const)
        : await this.#doWhatIsDue(handle, session, by, asked);
    if (outcome.outcome !== 'not_due') {
      this.#options.events.finished(
        {
          by,
          outcome: outcome.outcome,
          reason: 'reason' in outcome ? outcome.reason : undefined,
          of: session && { handle, session },
        },
        asked.correlation,
      );
    }
    // A plan that is lost is made again when the session is used.
    const now = this.#now(asked);
    const current = await this.#plan(handle, by, outcome, now).catch(() => undefined);
    return current === undefined ? outcome : { ...outcome, session: current };
  }

  async #doWhatIsDue(
    handle: SessionHandle,
    session: StoredSession,
    by: 'request' | 'worker',
    asked: Attendance,
  ): Promise<UpkeepOutcome> {
    const { refresh, permissions, timing } = this.#options;
    const { forced = false, sparing = false, correlation } = asked;
    const now = this.#now(asked);
    const tokensDue =
      tokensDueAt(handle, session, timing) <= now || (forced && !this.#isQuiteNew(session));
    let outcome: UpkeepOutcome = { outcome: 'not_due' };
    if (tokensDue) {
      outcome = sparing
        ? { outcome: 'kept', reason: 'spared' }
        : await refresh.refresh(handle, session, by, correlation);
      if (outcome.outcome !== 'no_refresh_token' && outcome.outcome !== 'kept') return outcome;
    }
    if (permissionsDueAt(handle, session, timing) > now) return outcome;
    // On their own timer, whatever becomes of the tokens.
    const current = await orUnavailable(this.#options.store.find(handle));
    if (current !== undefined && current.permVersion !== session.permVersion) return outcome;
    const renewed = await permissions.renew(handle, correlation);
    if (renewed === 'gone') return { outcome: 'gone' };
    if (outcome.outcome === 'kept') return outcome;
    return renewed === 'renewed'
      ? { outcome: 'permissions_renewed' }
      : { outcome: 'kept', reason: 'permission_service_unavailable' };
  }

  async #plan(
    handle: SessionHandle,
    by: 'request' | 'worker',
    outcome: UpkeepOutcome,
    now: number,
  ): Promise<SessionView | undefined> {
    const { due, timing } = this.#options;
    const session = await this.#after(handle, outcome);
    if (session === undefined) {
      await due.forget(handle);
      return undefined;
    }
    const reason = outcome.outcome === 'kept' ? outcome.reason : undefined;
    const permissionsAt = permissionsDueAt(handle, session, timing);
    const wait = (timing.retryAfter / 1000) * (1 + Math.random());
    // Whoever failed has made the plan; requests that come meanwhile must not push it away.
    if (by === 'request' && (reason === 'busy' || reason === 'resting')) {
      await due.planIfNone(handle, 0, wait);
      return session;
    }
    // Less often than those that were spared, or the few places would be theirs who are known to get nothing.
    const isUnanswered = by === 'worker' && reason === 'idp_unreachable';
    // Tokens that cannot be renewed any more would be due for ever.
    const isLast = outcome.outcome === 'no_refresh_token';
    const next = isLast ? permissionsAt : this.#nextAt(handle, session);
    if (next <= now) await due.plan(handle, 0, isUnanswered ? 2 * wait : wait);
    else await due.plan(handle, next, 1);
    return session;
  }

  /** What is left of the session; undefined if it is over. */
  async #after(handle: SessionHandle, outcome: UpkeepOutcome): Promise<SessionView | undefined> {
    if (outcome.outcome === 'gone' || outcome.outcome === 'ended') return undefined;
    const known = outcome.outcome === 'refreshed' ? outcome.session : undefined;
    return known ?? this.#options.store.look(handle);
  }

  #nextAt(handle: SessionHandle, session: SessionView): number {
    const { timing } = this.#options;
    return Math.min(
      tokensDueAt(handle, session, timing),
      permissionsDueAt(handle, session, timing),
    );
  }

  /** Two tabs that ask at once mean one refresh, also where the second comes a moment later. */
  #isQuiteNew({ tokensAt, tokenExpiresAt }: StoredSession): boolean {
    if (tokensAt === undefined) return false;
    const lifetime = (tokenExpiresAt ?? Infinity) - tokensAt;
    return this.#now() - tokensAt < Math.min(30, lifetime / 2);
  }

  /** The later of the two clocks: what is done early does no harm. */
  #now({ dueAt = 0 }: Attendance = {}): number {
    return Math.max(this.#options.clock() / 1000, dueAt);
  }
}
