import {
  sessionHandle,
  type SessionHandle,
  type SessionId,
  type SessionOwner,
} from '@sallyport/shared';
import type { Correlation } from '../correlation.js';
import type { CompletedLogin } from '../oidc/completed-login.js';
import { defaultPermFreshSeconds, firstVersion } from './gateway-record.js';
import { sessionsOf, type LiveSession } from './live-sessions.js';
import { SessionEnding, type ClosedSession, type SessionEndingOptions } from './session-ending.js';
import {
  SessionOpening,
  type OpenedSession,
  type OpeningTerms,
  type SessionOpeningOptions,
} from './session-opening.js';
import { ownersOf } from './session-owners.js';
import type { Grants, SessionView, StoredSession, UpdateOutcome } from './session-store.js';
import { orUnavailable } from './store-unavailable.js';

export type { ClosedSession, EndedSession, SessionEnd } from './session-ending.js';
export type { Device, OpenedSession } from './session-opening.js';

export type SessionLifecycleOptions = SessionOpeningOptions & SessionEndingOptions;

/** How a session begins and ends. */
export class SessionLifecycle {
  readonly #options: SessionLifecycleOptions;
  readonly #opening: SessionOpening;
  readonly #ending: SessionEnding;

  constructor(options: SessionLifecycleOptions) {
    this.#options = options;
    this.#ending = new SessionEnding(options);
    this.#opening = new SessionOpening(options, this.#ending);
  }

  /** The browser session behind a cookie's value, if it is alive. Never slides it. */
  async find(id: SessionId): Promise<StoredSession | undefined> {
    const session = await orUnavailable(this.#options.store.find(this.handleOf(id)));
    return session?.kind === 'browser' ? session : undefined;
  }

  /** The same without its tokens. */
  async look(id: SessionId): Promise<SessionView | undefined> {
    const session = await orUnavailable(this.#options.store.look(this.handleOf(id)));
    return session?.kind === 'browser' ? session : undefined;
  }

  handleOf(id: SessionId): SessionHandle {
    return sessionHandle(id, this.#options.keyForm);
  }

  /** @see SessionOpening.open */
  open(
    login: CompletedLogin,
    grants: Grants,
    seq: number,
    replaced: readonly SessionHandle[],
    terms?: OpeningTerms,
  ): Promise<OpenedSession> {
    return this.#opening.open(login, grants, seq, replaced, terms);
  }

  /**
   * Whether a session was not revoked since its login. To be asked before anything prolongs it and
   * again afterwards, and if one answer is no, it is to be closed; {@link prolong} does.
   */
  stands(session: Pick<StoredSession, 'profile' | 'grants' | 'seq'>): Promise<boolean> {
    return orUnavailable(this.#options.index.stands(ownersOf(session), session.seq));
  }

  /**
   * Does what lets a session live longer, unless it was revoked since its login. Asked again after:
   * the records' slot is not the epochs'. One that was revoked is closed (ATTACKS 10).
   * @returns undefined if it is over
   */
  async prolong<T>(
    handle: SessionHandle,
    session: Pick<StoredSession, 'profile' | 'grants' | 'seq'>,
    act: () => Promise<T>,
    correlation?: Correlation,
  ): Promise<T | undefined> {
    if (await this.stands(session)) {
      const result = await orUnavailable(act());
      if (await this.stands(session)) return result;
    }
    await this.drop(handle, correlation);
    return undefined;
  }

  /** @see SessionEnding.close */
  close(
    handle: SessionHandle,
    told?: (closed: ClosedSession) => void,
    how?: 'closed' | 'device',
    correlation?: Correlation,
  ): Promise<ClosedSession | undefined> {
    return this.#ending.close(handle, told, how, correlation);
  }

  /** @see SessionEnding.drop */
  drop(handle: SessionHandle, correlation?: Correlation): Promise<void> {
    return this.#ending.drop(handle, correlation);
  }

  /** The living sessions of an owner, of every kind. */
  allOf(owner: SessionOwner): Promise<LiveSession[]> {
    return orUnavailable(sessionsOf(owner, this.#options.index, this.#options.store));
  }

  /** Roles and permissions that changed while the session was opened; a push since then wins. */
  async grantOpened(handle: SessionHandle, grants: Grants): Promise<void> {
    const permissions = {
      expectedVersion: firstVersion,
      roles: grants.roles,
      permissions: grants.permissions,
      freshForSeconds: this.#permFreshSeconds,
    };
    await orUnavailable(this.#options.store.update(handle, { permissions }));
  }

  /** New roles and permissions for every session of an owner. @returns how many there were */
  async grantAll(
    owner: SessionOwner,
    grants: Omit<Grants, 'userId'>,
    correlation?: Correlation,
  ): Promise<number> {
    const { store } = this.#options;
    const freshForSeconds = this.#permFreshSeconds;
    const permissions = { expectedVersion: 'any' as const, ...grants, freshForSeconds };
    let changed = 0;
    for (const { handle, session } of await this.allOf(owner)) {
      const stored = await orUnavailable(store.update(handle, { permissions }));
      if (stored.outcome !== 'updated') continue;
      changed += 1;
      await this.liftCap(handle, session, stored, correlation);
    }
    return changed;
  }

  /**
   * New permissions lift a cap; the deadline goes back to where use had brought it.
   * @param stored what the store said: the cap may have come after the caller read the session
   */
  async liftCap(
    handle: SessionHandle,
    session: StoredSession,
    stored: UpdateOutcome,
    correlation?: Correlation,
  ): Promise<void> {
    if (stored.outcome === 'gone' || stored.uncapped === undefined) return;
    const { lastAccessedAt } = stored.uncapped;
    const { store, lifetimes } = this.#options;
    const slide = () => store.slide(handle, lifetimes.idleSeconds, lastAccessedAt);
    await this.prolong(handle, session, slide, correlation);
  }

  get #permFreshSeconds(): number {
    return this.#options.permFreshSeconds ?? defaultPermFreshSeconds;
  }
}
