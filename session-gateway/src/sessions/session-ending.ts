import type { SessionHandle } from '@sallyport/shared';
import type { Correlation } from '../correlation.js';
import type { TokenCipher } from '../oidc/token-cipher.js';
import type { TokenSet } from '../oidc/token-set.js';
import type { SessionIndex } from './session-index.js';
import { ownersOf } from './session-owners.js';
import type { Profile, SessionStore, StoredSession, TokensToRevoke } from './session-store.js';
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
  /** Whose tokens are to be revoked at the provider after such an end. */
  readonly tokensToRevoke?: (how: SessionEnd, replacedBy?: Profile) => TokensToRevoke;
  /**
   * Told of every session that ended here; must not throw. What it returns never rejects, and nobody
   * is answered before it resolves.
   */
  readonly ended?: (
    session: EndedSession,
    how: SessionEnd,
    correlation?: Correlation,
  ) => Promise<void>;
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
    correlation?: Correlation,
  ): Promise<ClosedSession | undefined> {
    const { session, noted, unconfirmed } = await this.#end(handle, { how, correlation });
    const closed = session && (await this.#closed(handle, session, noted));
    if (closed !== undefined) told?.(closed);
    if (unconfirmed !== undefined) throw unconfirmed;
    return closed;
  }

  /** Ends one that is over anyway: whoever meets it again ends it again, whatever the replicas say. */
  async drop(handle: SessionHandle, correlation?: Correlation): Promise<void> {
    const { session, noted } = await this.#end(handle, { how: 'closed', correlation });
    if (session !== undefined) await this.#leave(handle, session, noted);
  }

  /** It is over: what is left in an index is a ghost, and no reason to tell the person otherwise. */
  async #leave(handle: SessionHandle, session: StoredSession, noted: Noted): Promise<void> {
    const left = this.#options.index.leave(ownersOf(session), [handle]).catch(() => undefined);
    await Promise.all([left, noted]);
  }

  async #closed(
    handle: SessionHandle,
    session: StoredSession,
    noted: Noted,
  ): Promise<ClosedSession> {
    await this.#leave(handle, session, noted);
    const { cipher } = this.#options;
    const tokens = await cipher.open(session.sealedTokens, handle).catch(() => undefined);
    return {
      handle,
      userId: session.grants.userId,
      idp: session.profile.idp,
      ...(tokens === undefined ? {} : { tokens }),
    };
  }

  /** One that makes way for a login; its entries in the indexes are left to that. */
  async end(handle: SessionHandle, terms: EndTerms): Promise<void> {
    const { noted } = await this.#end(handle, terms);
    await noted;
  }

  /**
   * In one step: tokens that a refresh stores are either taken here, or find nothing to be stored in.
   * @returns `unconfirmed`: for want of the replicas' word; it has ended all the same
   */
  async #end(
    handle: SessionHandle,
    { how, replacedBy, correlation }: EndTerms,
  ): Promise<{ session?: StoredSession | undefined; noted: Noted; unconfirmed?: Error }> {
    const { store, ended, tokensToRevoke } = this.#options;
    let session: StoredSession | undefined;
    let noted: Noted;
    const told = (taken: StoredSession): void => {
      session = taken;
      const one = { handle, session: taken, ...(replacedBy && { replacedBy }) };
      noted = ended?.(one, how, correlation);
    };
    try {
      await orUnavailable(store.take(handle, told, tokensToRevoke?.(how, replacedBy)));
      return { session, noted };
    } catch (error) {
      if (!isUnconfirmed(error)) throw error;
      return { session, noted, unconfirmed: error };
    }
  }
}

interface EndTerms {
  readonly how: SessionEnd;
  /** Whose login takes its place. */
  readonly replacedBy?: Profile;
  readonly correlation: Correlation | undefined;
}

type Noted = Promise<void> | undefined;
