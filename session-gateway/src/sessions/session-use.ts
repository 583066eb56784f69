import type { Clock, SessionId } from '@sallyport/shared';
import type { Correlation } from '../correlation.js';
import type { EndedSessions, EndReason } from './ended-sessions.js';
import type { SessionLifecycle } from './session-lifecycle.js';
import type { SessionStore, SessionView, StoredSession } from './session-store.js';
import type { Attended, SessionUpkeep, UpkeepOutcome } from './session-upkeep.js';
import { orUnavailable } from './store-unavailable.js';

export interface SessionUseOptions {
  readonly sessions: Pick<SessionLifecycle, 'find' | 'look' | 'handleOf' | 'prolong'>;
  readonly store: Pick<SessionStore, 'slide'>;
  readonly upkeep: Pick<SessionUpkeep, 'isDue' | 'attend'>;
  readonly ended: Pick<EndedSessions, 'reasonOf'>;
  readonly idleSeconds: number;
  readonly clock: Clock;
  /** How long a heartbeat waits for a refresh, ms. The refresh goes on without it. */
  readonly heartbeatPatience: number;
  /** The same for a caller who asked to refresh. */
  readonly refreshPatience: number;
}

export type Used =
  | { readonly outcome: 'alive'; readonly session: SessionView; readonly upkeep?: UpkeepOutcome }
  /** Nobody has answered yet; what was begun goes on. */
  | { readonly outcome: 'pending' }
  | { readonly outcome: 'over'; readonly reason: EndReason | 'no_session' };

/** A person uses the session: its idle deadline moves, and what is due is done. */
export class SessionUse {
  readonly #options: SessionUseOptions;

  constructor(options: SessionUseOptions) {
    this.#options = options;
  }

  async heartbeat(id: SessionId, correlation?: Correlation): Promise<Used> {
    const { sessions, upkeep, heartbeatPatience } = this.#options;
    const handle = sessions.handleOf(id);
    const session = await sessions.look(id);
    if (session === undefined) return this.#over(id);
    if (!upkeep.isDue(handle, session)) return this.#slide(id, session, correlation);
    const attended = upkeep.attend(handle, 'request', { correlation });
    return this.#afterUpkeep(id, await within(heartbeatPatience, attended), correlation);
  }

  /**
   * New tokens now, unless they are quite new.
   * @param seen the session as it has just been found
   */
  async refresh(
    id: SessionId,
    seen: StoredSession | undefined,
    correlation?: Correlation,
  ): Promise<Used> {
    const { sessions, upkeep, refreshPatience } = this.#options;
    if (seen === undefined) return this.#over(id);
    const asked = { forced: true, seen, correlation };
    const attended = upkeep.attend(sessions.handleOf(id), 'request', asked);
    const outcome = await within(refreshPatience, attended);
    if (outcome === undefined) return { outcome: 'pending' };
    return this.#afterUpkeep(id, outcome, correlation);
  }

  /** Why there is no session, if it is known. */
  async reasonOf(id: SessionId | undefined): Promise<EndReason | 'no_session'> {
    if (id === undefined) return 'no_session';
    const { ended, sessions } = this.#options;
    const reason = await orUnavailable(ended.reasonOf(sessions.handleOf(id)));
    return reason ?? 'no_session';
  }

  async #afterUpkeep(
    id: SessionId,
    upkeep: Attended | undefined,
    correlation: Correlation | undefined,
  ): Promise<Used> {
    if (upkeep?.outcome === 'ended') return { outcome: 'over', reason: upkeep.reason };
    const session = upkeep?.session ?? (await this.#options.sessions.look(id));
    if (session === undefined) return this.#over(id);
    const used = await this.#slide(id, session, correlation);
    return used.outcome !== 'alive' || upkeep === undefined ? used : { ...used, upkeep };
  }

  /** In the second half of the idle time only: no write for every request. */
  async #slide(
    id: SessionId,
    session: SessionView,
    correlation: Correlation | undefined,
  ): Promise<Used> {
    const { store, sessions, idleSeconds, clock } = this.#options;
    const { expiresAt, absoluteExpiresAt, cappedAt = absoluteExpiresAt } = session;
    const left = expiresAt - clock() / 1000;
    const goesNoFurther = expiresAt >= Math.min(absoluteExpiresAt, cappedAt);
    if (left > idleSeconds / 2 || goesNoFurther) return { outcome: 'alive', session };
    const handle = sessions.handleOf(id);
    const slide = () => store.slide(handle, idleSeconds);
    const deadline = await sessions.prolong(handle, session, slide, correlation);
    if (deadline === undefined) return this.#over(id);
    return { outcome: 'alive', session: { ...session, expiresAt: deadline } };
  }

  async #over(id: SessionId): Promise<Used> {
    return { outcome: 'over', reason: await this.reasonOf(id) };
  }
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
