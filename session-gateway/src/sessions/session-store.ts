import type { SessionHandle, SessionKind } from '@sallyport/shared';
import type { ClaimedGrants } from './claimed-grants.js';

/** Who the identity provider says the person is. */
export interface Profile {
  readonly sub: string;
  readonly iss: string;
  /** The registration id the login went through. */
  readonly idp: string;
  /** The provider's own session id (OIDC back-channel logout 1.0 §2.1), if it sent one. */
  readonly sid?: string;
  readonly email?: string;
  readonly emailVerified?: boolean;
  readonly name?: string;
  readonly picture?: string;
  readonly acr?: string;
  /** Epoch seconds. */
  readonly authTime?: number;
  /** Where the registration reads roles from claims. As old as the tokens it came with. */
  readonly claimed?: ClaimedGrants;
}

export interface Grants {
  readonly userId: string;
  readonly roles: readonly string[];
  readonly permissions: readonly string[];
}

/** What a login brings. Times are set by the store, from its own clock. */
export interface NewSession {
  readonly profile: Profile;
  readonly grants: Grants;
  readonly kind: SessionKind;
  /** JWE compact form; the store never sees a token. */
  readonly sealedTokens: string;
  /** When the access token expires, epoch seconds; left out if the provider did not say. */
  readonly tokenExpiresAt?: number;
  /** The revocation sequence when the login began (ATTACKS 9); 0 where nothing revokes yet. */
  readonly seq: number;
  readonly deviceHint?: string;
  readonly ipPrefix?: string;
  /** From the store's now, seconds; 900 if left out. */
  readonly permFreshForSeconds?: number;
  /** Write `email` into the reader's hash too. */
  readonly shareEmail?: boolean;
}

/** A live session as the gateway knows it. All times epoch seconds by the store's clock. */
export interface StoredSession extends Omit<NewSession, 'shareEmail' | 'permFreshForSeconds'> {
  readonly createdAt: number;
  /** Within that second: tells which of two logins came first. Missing in older records. */
  readonly createdMicros?: number;
  readonly lastAccessedAt: number;
  /** The idle deadline, never later than `absoluteExpiresAt`. */
  readonly expiresAt: number;
  readonly absoluteExpiresAt: number;
  readonly tokenVersion: number;
  readonly permVersion: number;
  /** Until when roles and permissions may be used without asking again. */
  readonly permFreshUntil: number;
  /** When the tokens were last renewed; missing until they were. */
  readonly tokensAt?: number;
  /** What no slide passes, since the permissions could not be asked for again; see `cap`. */
  readonly cappedAt?: number;
}

/** A session without its tokens: enough for whoever asks who is logged in, and for how long. */
export type SessionView = Omit<StoredSession, 'sealedTokens'>;

export interface SessionLifetimes {
  readonly idleSeconds: number;
  readonly absoluteSeconds: number;
}

/** Each part is applied only if its version is still the one the caller read (ATTACKS 12). */
export interface SessionUpdate {
  readonly tokens?: {
    readonly expectedVersion: number;
    readonly sealedTokens: string;
    readonly tokenExpiresAt?: number;
    /** What the claims that came with them grant; left out: as before. */
    readonly claimed?: ClaimedGrants;
  };
  readonly permissions?: {
    /** `any`: whoever says so decides over roles, not we; the version still grows. */
    readonly expectedVersion: number | 'any';
    readonly roles: readonly string[];
    readonly permissions: readonly string[];
    /** From the store's now, seconds. */
    readonly freshForSeconds: number;
  };
}

/** Whose tokens are left, when a session ends, until the provider has revoked them. */
export interface TokensToRevoke {
  /** Those of these registrations. */
  readonly idps: readonly string[];
  /** But not of the person whose new login takes its place: it lives on the same grant. */
  readonly replacedBy?: Pick<Profile, 'idp' | 'sub'>;
}

export type UpdateOutcome =
  | { readonly outcome: 'gone' }
  | {
      readonly outcome: 'updated';
      /** `conflict`: somebody was faster, nothing of this part was written. `untouched`: not asked for. */
      readonly tokens: 'stored' | 'conflict' | 'untouched';
      readonly permissions: 'stored' | 'conflict' | 'untouched';
      /** The new permissions have lifted a cap, and the session was last in use then; epoch seconds. */
      readonly uncapped?: { readonly lastAccessedAt: number };
    };

/** There is a session of this id already: the id was not fresh, and nothing was written. */
export class SessionExistsError extends Error {
  override readonly name = 'SessionExistsError';
  readonly code = 'session_exists';

  constructor() {
    super('a session of this id exists already');
  }
}

/**
 * Both records of every session: the gateway's own and the reader's `extauthz:session:*` hash.
 *
 * Every verb is one atomic step on the pair: both records or neither, one expiry on both, by the
 * store's clock. `update` and `slide` never create: a session that was removed stays removed, even
 * if its slide was already under way. Any verb rejects when the store cannot know; it never answers
 * "gone" for an outage.
 */
export interface SessionStore {
  /**
   * Writes a session that must not exist yet.
   * @throws SessionValueError before anything is written.
   * @throws SessionExistsError
   */
  create(
    handle: SessionHandle,
    session: NewSession,
    lifetimes: SessionLifetimes,
  ): Promise<StoredSession>;
  /** The session, if both its records are alive. Never slides. */
  find(handle: SessionHandle): Promise<StoredSession | undefined>;
  /** The same without the tokens, which are most of a record: for what happens all the time. */
  look(handle: SessionHandle): Promise<SessionView | undefined>;
  /**
   * Whether anything at all is kept of it, readable or not. What {@link find} does not understand may
   * still let somebody in.
   */
  exists(handle: SessionHandle): Promise<boolean>;
  update(handle: SessionHandle, update: SessionUpdate): Promise<UpdateOutcome>;
  /**
   * Moves the idle deadline to min(min(usedAt, now) + idle, absolute); never shortens it (ATTACKS 17).
   * @param usedAt when the session was in use, epoch seconds; now if left out.
   * @returns the deadline in force, or undefined if the session is gone.
   */
  slide(handle: SessionHandle, idleSeconds: number, usedAt?: number): Promise<number | undefined>;
  /**
   * Lets the session live as long as its permissions are fresh at the most, whatever slides it, until
   * new ones are stored; never lengthens. If they are not fresh any more the session ends.
   * @param permVersion of the permissions that were asked for in vain; with any others it does nothing
   * @returns the deadline in force, or undefined if the session is gone.
   */
  cap(handle: SessionHandle, permVersion: number): Promise<number | undefined>;
  /**
   * Puts the same tokens, sealed anew, in place of the old text; no version moves.
   * `changed`: there are other tokens by now, nothing was written.
   */
  reseal(
    handle: SessionHandle,
    sealedTokens: string,
    sealedAnew: string,
  ): Promise<'stored' | 'changed' | 'gone'>;
  /** Ends the session. @returns whether anything was there. Safe to repeat. */
  remove(handle: SessionHandle): Promise<boolean>;
  /**
   * The same. @returns the session as it was at its end, or undefined if there was no whole one.
   * @param told of a session that has ended, before this resolves, and also where it rejects
   *   because no replica confirms it: who takes again finds nothing
   * @param tokens to be left in the same step, for whoever revokes them; none if left out
   */
  take(
    handle: SessionHandle,
    told?: (session: StoredSession) => void,
    tokens?: TokensToRevoke,
  ): Promise<StoredSession | undefined>;
}
