import type { SessionHandle } from '@sallyport/shared';
import type { TokenCipher } from '../oidc/token-cipher.js';
import type { TokenSet } from '../oidc/token-set.js';
import type { SessionIndex } from './session-index.js';
import { ownersOf } from './session-owners.js';
import type { Profile, SessionStore, StoredSession } from './session-store.js';
import { isUnconfirmed, orUnavailable } from './store-unavailable.js';

/** By logout or by what became of it, from its user's list, by a later login in the same browser, for want of room. */
export type SessionEnd = 'closed' | 'device' | 'replaced' | 'session_limit';

export interface EndedSession {
  readonly handle: SessionHandle;
  readonly session: StoredSession;
  /** Whose login took its place in the browser. */
  readonly replacedBy?: Profile;
}

export interface ClosedSession {
  readonly handle: SessionHandle;
  readonly userId: string;
  readonly idp: string;
  /** For the provider's logout; missing where no key of the ring opens them. */
  readonly tokens?: TokenSet;
}

export interface SessionEndingOptions {
  readonly store: Pick<SessionStore, 'take'>;
  readonly index: Pick<SessionIndex, 'leave'>;
  readonly cipher: Pick<TokenCipher, 'open'>;
  /** Told of every session that ended here; must not throw. */
  readonly ended?: (session: EndedSession, how: SessionEnd) => void;
}

/** How a session ends, and what follows from it although no replica confirms it. */
export class SessionEnding {
  readonly #options: SessionEndingOptions;

  constructor(options: SessionEndingOptions) {
    this.#options = options;
  }

  /**
   * Ends a session: both records are gone when this resolves. Undefined if there was none.
   * @param told of one that has ended, also where this rejects for want of the replicas' word: asked
   *   again, it is not there any more
   */
  async close(
    handle: SessionHandle,
    told?: (closed: ClosedSession) => void,
    how: 'closed' | 'device' = 'closed',
  ): Promise<ClosedSession | undefined> {
    const { session, unconfirmed } = await this.end(handle, how);
    const closed = session && (await this.#closed(handle, session));
    if (closed !== undefined) told?.(closed);
    if (unconfirmed !== undefined) throw unconfirmed;
    return closed;
  }

  /** Ends one that is over anyway: whoever meets it again ends it again, whatever the replicas say. */
  async drop(handle: SessionHandle): Promise<void> {
    const { session } = await this.end(handle, 'closed');
    if (session !== undefined) await this.#leave(handle, session);
  }

  /** It is over: what is left in an index is a ghost, and no reason to tell the person otherwise. */
  async #leave(handle: SessionHandle, session: StoredSession): Promise<void> {
    await this.#options.index.leave(ownersOf(session), [handle]).catch(() => undefined);
  }

  async #closed(handle: SessionHandle, session: StoredSession): Promise<ClosedSession> {
    await this.#leave(handle, session);
    const { cipher } = this.#options;
    const tokens = await cipher.open(session.sealedTokens, handle).catch(() => undefined);
    return {
      handle,
      userId: session.grants.userId,
      idp: session.profile.idp,
      ...(tokens === undefined ? {} : { tokens }),
    };
  }

  /**
   * In one step: tokens that a refresh stores are either taken here, or find nothing to be stored in.
   * @returns `unconfirmed`: for want of the replicas' word; it has ended all the same
   */
  async end(
    handle: SessionHandle,
    how: SessionEnd,
    replacedBy?: Profile,
  ): Promise<{ session?: StoredSession | undefined; unconfirmed?: Error }> {
    const { store, ended } = this.#options;
    let session: StoredSession | undefined;
    const told = (taken: StoredSession): void => {
      session = taken;
      ended?.({ handle, session: taken, ...(replacedBy && { replacedBy }) }, how);
    };
    try {
      await orUnavailable(store.take(handle, told));
      return { session };
    } catch (error) {
      if (!isUnconfirmed(error)) throw error;
      return { session, unconfirmed: error };
    }
  }
}
