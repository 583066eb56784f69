import {
  newSessionId,
  sessionHandle,
  type SessionHandle,
  type SessionId,
  type SessionKeyForm,
} from '@sallyport/shared';
import type { CompletedLogin } from '../oidc/completed-login.js';
import type { TokenCipher } from '../oidc/token-cipher.js';
import type { TokenSet } from '../oidc/token-set.js';
import type { Grants, SessionLifetimes, SessionStore, StoredSession } from './session-store.js';
import { orUnavailable } from './store-unavailable.js';

export interface SessionLifecycleOptions {
  readonly store: SessionStore;
  readonly cipher: TokenCipher;
  readonly keyForm: SessionKeyForm;
  readonly lifetimes: SessionLifetimes;
  /** How long the first permissions may be used without asking again; 900 s if left out. */
  readonly permFreshSeconds?: number;
  /** Told of every session that began, so that it is kept fresh. */
  readonly noteInUse?: (handle: SessionHandle) => Promise<void>;
}

export interface OpenedSession {
  /** For the cookie, and nowhere else. */
  readonly id: SessionId;
  readonly handle: SessionHandle;
}

export interface ClosedSession {
  readonly idp: string;
  /** For the provider's logout; missing where no key of the ring opens them. */
  readonly tokens?: TokenSet;
}

/** How a session begins and ends. */
export class SessionLifecycle {
  readonly #options: SessionLifecycleOptions;

  constructor(options: SessionLifecycleOptions) {
    this.#options = options;
  }

  /** The browser session behind a cookie's value, if it is alive. Never slides it. */
  async find(id: SessionId): Promise<StoredSession | undefined> {
    const session = await orUnavailable(this.#options.store.find(this.handleOf(id)));
    return session?.kind === 'browser' ? session : undefined;
  }

  handleOf(id: SessionId): SessionHandle {
    return sessionHandle(id, this.#options.keyForm);
  }

  /**
   * A session under an id that did not exist before (TRUST T8); then the ones it replaces end. If one
   * of those cannot be ended, the new one must not begin: its owner would hold two.
   */
  async open(
    login: CompletedLogin,
    grants: Grants,
    seq: number,
    replaced: readonly SessionHandle[],
  ): Promise<OpenedSession> {
    const { store, cipher, lifetimes, permFreshSeconds, noteInUse } = this.#options;
    const id = newSessionId();
    const handle = this.handleOf(id);
    const { tokens, profile } = login;
    const session = {
      profile,
      grants,
      kind: 'browser' as const,
      sealedTokens: await cipher.seal(tokens, handle),
      seq,
      ...(permFreshSeconds === undefined ? {} : { permFreshForSeconds: permFreshSeconds }),
      // Without a refresh token nothing can be done when they expire, so nothing is due then.
      ...(tokens.expiresAt === undefined || tokens.refreshToken === undefined
        ? {}
        : { tokenExpiresAt: tokens.expiresAt }),
    };
    await orUnavailable(store.create(handle, session, lifetimes));
    try {
      for (const old of new Set(replaced)) await orUnavailable(store.remove(old));
    } catch (error) {
      await store.remove(handle).catch(() => undefined);
      throw error;
    }
    // A note that is lost is made again when the session is used.
    await noteInUse?.(handle).catch(() => undefined);
    return { id, handle };
  }

  /** Ends a session: both records are gone when this resolves. Undefined if there was none. */
  async close(handle: SessionHandle): Promise<ClosedSession | undefined> {
    const { store, cipher } = this.#options;
    const session = await orUnavailable(store.find(handle));
    // Also when it was not found: half a session, or a damaged one, must go too.
    await orUnavailable(store.remove(handle));
    if (session === undefined) return undefined;
    const tokens = await cipher.open(session.sealedTokens, handle).catch(() => undefined);
    return { idp: session.profile.idp, ...(tokens === undefined ? {} : { tokens }) };
  }
}
