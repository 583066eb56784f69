import {
  newSessionId,
  sessionHandle,
  type SessionHandle,
  type SessionId,
  type SessionKeyForm,
  type SessionOwner,
} from '@sallyport/shared';
import type { Correlation } from '../correlation.js';
import type { CompletedLogin } from '../oidc/completed-login.js';
import type { TokenCipher } from '../oidc/token-cipher.js';
import { sessionsOf, type LiveSession } from './live-sessions.js';
import { LoginRevokedError } from './login-revoked-error.js';
import type { SessionEnding } from './session-ending.js';
import type { SessionIndex } from './session-index.js';
import { ownersOf } from './session-owners.js';
import type {
  Grants,
  NewSession,
  SessionLifetimes,
  SessionStore,
  StoredSession,
} from './session-store.js';
import { orUnavailable } from './store-unavailable.js';

export interface SessionOpeningOptions {
  readonly store: SessionStore;
  readonly index: SessionIndex;
  readonly cipher: Pick<TokenCipher, 'open' | 'seal'>;
  readonly keyForm: SessionKeyForm;
  readonly lifetimes: SessionLifetimes;
  /** Sessions a user may have of one kind; the oldest make room. 0: any number. */
  readonly limit: number;
  /** How long the first permissions may be used without asking again; 900 s if left out. */
  readonly permFreshSeconds?: number;
  /** Write the email into the reader's hash too. */
  readonly shareEmail?: boolean;
  /** Told of every session that began, so that it is kept fresh. */
  readonly noteInUse?: (handle: SessionHandle, session: StoredSession) => Promise<void>;
}

/** For a person's own list of devices; nothing is decided by it. */
export type Device = Pick<NewSession, 'deviceHint' | 'ipPrefix'>;

export interface OpenedSession {
  /** For the cookie, and nowhere else. */
  readonly id: SessionId;
  readonly handle: SessionHandle;
  /** What {@link OpeningTerms.isOutdated} said. */
  readonly isOutdated: boolean;
}

export interface OpeningTerms {
  readonly device?: Device;
  /** Whether the roles may have changed; asked once both records stand, in no journey of its own. */
  readonly isOutdated?: () => Promise<boolean>;
  readonly correlation?: Correlation | undefined;
}

const no = Promise.resolve(false);

/** How a session begins, and who makes way for it. */
export class SessionOpening {
  readonly #options: SessionOpeningOptions;
  readonly #ending: Pick<SessionEnding, 'end'>;

  constructor(options: SessionOpeningOptions, ending: Pick<SessionEnding, 'end'>) {
    this.#options = options;
    this.#ending = ending;
  }

  /**
   * A session under an id that did not exist before (TRUST T8); then those beyond the limit end, and
   * the ones it replaces. If any of that fails the new one must not begin: its owner would hold
   * two, or one that was revoked while the person was at the provider.
   * @throws LoginRevokedError
   */
  async open(
    login: CompletedLogin,
    grants: Grants,
    seq: number,
    replaced: readonly SessionHandle[],
    { device = {}, isOutdated, correlation }: OpeningTerms = {},
  ): Promise<OpenedSession> {
    const { store, index, cipher, lifetimes, permFreshSeconds, noteInUse } = this.#options;
    const id = newSessionId();
    const handle = sessionHandle(id, this.#options.keyForm);
    const { tokens, profile } = login;
    const session = {
      profile,
      grants,
      kind: 'browser' as const,
      sealedTokens: await cipher.seal(tokens, handle),
      seq,
      ...device,
      shareEmail: this.#options.shareEmail === true,
      ...(permFreshSeconds === undefined ? {} : { permFreshForSeconds: permFreshSeconds }),
      // Without a refresh token nothing can be done when they expire, so nothing is due then.
      ...(tokens.expiresAt === undefined || tokens.refreshToken === undefined
        ? {}
        : { tokenExpiresAt: tokens.expiresAt }),
    };
    const owners = ownersOf(session);
    const enter = async () => {
      if (!(await orUnavailable(index.enter(owners, handle, seq)))) throw new LoginRevokedError();
    };
    try {
      await enter();
      const stored = await orUnavailable(store.create(handle, session, lifetimes));
      // What does not need each other's answer, in one journey. A note that is lost is made again
      // when the session is used.
      const noted = noteInUse?.(handle, stored).catch(() => undefined);
      // First back into the indexes, then whether anything was pushed to those who stand there.
      const [, size, outdated] = await Promise.all([
        enter(),
        this.#sizeOf(owners),
        isOutdated?.() ?? no,
        noted,
      ]);
      // Here and below for want of room, nobody asked for a revocation: that a replica is away must
      // not keep anybody from logging in. Should a failover undo it, the journal repeats it.
      const terms = { how: 'replaced', replacedBy: profile, correlation } as const;
      if (size > this.#options.limit) await this.#makeRoom(session, handle, replaced, correlation);
      // Last: whatever failed after it would leave the browser without any session.
      for (const old of new Set(replaced)) await this.#ending.end(old, terms);
      // What stays there is a ghost, and goes when somebody reads the index.
      await index.leave(owners, replaced).catch(() => undefined);
      return { id, handle, isOutdated: outdated };
    } catch (error) {
      await store.remove(handle).catch(() => undefined);
      await index.leave(owners, [handle]).catch(() => undefined);
      throw error;
    }
  }

  /** How many entries the user's index has, ghosts too; 0 where nobody limits them. */
  async #sizeOf([user]: readonly SessionOwner[]): Promise<number> {
    const { index, limit } = this.#options;
    return limit === 0 || user === undefined ? 0 : orUnavailable(index.size(user));
  }

  /** Per kind, so that a machine's tokens cannot push a person's browsers out (ATTACKS 11). */
  async #makeRoom(
    session: NewSession,
    newest: SessionHandle,
    replaced: readonly SessionHandle[],
    correlation: Correlation | undefined,
  ): Promise<void> {
    const { index, store, limit } = this.#options;
    const [user] = ownersOf(session);
    if (user === undefined) return;
    const all = (await orUnavailable(sessionsOf(user, index, store)))
      .filter((one) => one.session.kind === session.kind && !replaced.includes(one.handle))
      .sort(byBirth);
    // Only those before it: of two logins at the same time each would end the other.
    const earlier = all.findIndex(({ handle }) => handle === newest);
    for (const one of all.slice(0, Math.max(0, earlier + 1 - limit))) {
      await this.#ending.end(one.handle, { how: 'session_limit', correlation });
      await orUnavailable(index.leave(ownersOf(one.session), [one.handle]));
    }
  }
}

/** The same order for everybody who looks. */
function byBirth(one: LiveSession, other: LiveSession): number {
  const [a, b] = [one.session, other.session];
  const apart = a.createdAt - b.createdAt || (a.createdMicros ?? 0) - (b.createdMicros ?? 0);
  return apart || (one.handle < other.handle ? -1 : 1);
}
