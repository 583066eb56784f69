import { setTimeout as delay } from 'node:timers/promises';
import type { Clock, SessionHandle } from '@sallyport/shared';
import type { Correlation } from '../correlation.js';
import type { IdentityProvider } from '../oidc/identity-provider.js';
import { asIdentityProviderError } from '../oidc/identity-provider-error.js';
import { refreshVerdict } from '../oidc/refresh-verdict.js';
import type { TokenCipher } from '../oidc/token-cipher.js';
import type { RefreshedTokens } from '../oidc/refresh-grant.js';
import type { TokenSet } from '../oidc/token-set.js';
import type { RefreshEvents } from '../refresh-events.js';
import { sameClaimedGrants } from './claimed-grants.js';
import type { EndedSessions, EndReason } from './ended-sessions.js';
import type { PermissionRefresh } from './permission-refresh.js';
import type { HeldLock, RefreshLock } from './refresh-lock.js';
import type { SessionLifecycle } from './session-lifecycle.js';
import type { SessionStore, SessionUpdate, SessionView, StoredSession } from './session-store.js';
import { orUnavailable } from './store-unavailable.js';

export type RefreshOutcome =
  /** `session`: as it stands now, where it was looked at anyway. */
  | { readonly outcome: 'refreshed'; readonly session?: SessionView }
  | { readonly outcome: 'gone' | 'no_refresh_token' }
  | { readonly outcome: 'ended'; readonly reason: EndReason }
  /** Not now, and the session lives: the provider failed, or somebody else is at it. */
  | { readonly outcome: 'kept'; readonly reason: string };

export interface SessionRefreshOptions {
  readonly store: Pick<SessionStore, 'find' | 'look' | 'update'>;
  readonly sessions: Pick<SessionLifecycle, 'stands' | 'drop' | 'liftCap'>;
  readonly cipher: Pick<TokenCipher, 'open' | 'seal'>;
  readonly idps: ReadonlyMap<string, Pick<IdentityProvider, 'prepare' | 'refresh' | 'revoke'>>;
  readonly lock: Pick<RefreshLock, 'acquire' | 'settled'>;
  readonly permissions: Pick<PermissionRefresh, 'fetch' | 'keep' | 'renew'>;
  readonly ended: Pick<EndedSessions, 'remember'>;
  readonly events: RefreshEvents;
  readonly clock: Clock;
  /** How long a request waits for the result of another replica, ms; the worker has others to see to. */
  readonly patience: number;
  /** How long tokens that are paid for are tried to be stored, ms. */
  readonly persistence: number;
}

const pollInterval = 25;

/** New tokens for a session from its refresh token: once per expiry, whoever asks, on any replica. */
export class SessionRefresh {
  readonly #options: SessionRefreshOptions;

  constructor(options: SessionRefreshOptions) {
    this.#options = options;
  }

  /** @param seen the session as it was when its tokens were found due */
  async refresh(
    handle: SessionHandle,
    seen: StoredSession,
    by: 'request' | 'worker',
    correlation?: Correlation,
  ): Promise<RefreshOutcome> {
    const attempt = await orUnavailable(this.#options.lock.acquire(handle, seen.tokenVersion));
    if (attempt.outcome === 'busy' && by === 'worker') return { outcome: 'kept', reason: 'busy' };
    if (attempt.outcome === 'busy') return this.#resultOfOther(handle, seen);
    if (attempt.outcome === 'spent') {
      return this.#over(handle, seen, 'session_ended_at_idp', correlation);
    }
    if (attempt.outcome !== 'held') return { outcome: 'kept', reason: attempt.outcome };
    const { lock } = attempt;
    try {
      // Whoever had the lock before may have done it all, or ended the session.
      const session = await orUnavailable(this.#options.store.find(handle));
      if (session === undefined) {
        lock.settle();
        return { outcome: 'gone' };
      }
      if (session.tokenVersion !== seen.tokenVersion) return { outcome: 'refreshed' };
      return await this.#exchange(handle, session, lock, correlation);
    } finally {
      // Does nothing where the attempt rests or was abandoned. If it fails the lease runs out.
      await lock.release().catch(() => undefined);
    }
  }

  /** When Redis knows what became of every attempt, or cannot be told. */
  settled(): Promise<void> {
    return this.#options.lock.settled();
  }

  async #exchange(
    handle: SessionHandle,
    session: StoredSession,
    lock: HeldLock,
    correlation: Correlation | undefined,
  ): Promise<RefreshOutcome> {
    const { store, sessions, cipher, idps, permissions, events } = this.#options;
    const idp = idps.get(session.profile.idp);
    let tokens: TokenSet;
    try {
      tokens = await cipher.open(session.sealedTokens, handle);
      await idp?.prepare();
    } catch (error) {
      // Another replica may have the key (ATTACKS 32), the provider may be back in a moment.
      await lock.rest('unspent').catch(() => undefined);
      return { outcome: 'kept', reason: (error as { code: string }).code };
    }
    const { refreshToken } = tokens;
    if (refreshToken === undefined || idp === undefined) return { outcome: 'no_refresh_token' };
    // Before the token is spent: what it brings must be stored at once, not wait for this.
    const grants = await permissions.fetch(handle, session, correlation);
    // In one journey: a mark on a session that is over marks nothing any more.
    const [isStanding, mark] = await Promise.allSettled([
      sessions.stands(session),
      orUnavailable(lock.markInFlight()),
    ]);
    // Nothing was sent: two such failures of Redis must not use a token up.
    if (isStanding.status === 'rejected') lock.unmark();
    const [standing, marked] = [valueOf(isStanding), valueOf(mark)];
    if (!standing) {
      lock.settle();
      await sessions.drop(handle, correlation);
      return { outcome: 'gone' };
    }
    if (!marked) return this.#resultOfOther(handle, session);
    events.tokenSent(lock.isRetry, correlation);
    let answer: RefreshedTokens;
    try {
      answer = await idp.refresh(refreshToken, tokens, session.profile, correlation);
    } catch (error) {
      const failed = await this.#failed(handle, session, lock, error, correlation);
      // What was fetched for nothing holds all the same; asked for again, it would be at every try.
      if (failed.outcome === 'kept' && grants !== undefined) {
        await permissions.keep(handle, session, grants, correlation).catch(() => undefined);
      }
      return failed;
    }
    const { claimed, ...fresh } = answer;
    // What was asked for above was joined to claims that no longer hold.
    const isOutdated =
      claimed !== undefined && !sameClaimedGrants(claimed, session.profile.claimed);
    const update: SessionUpdate = {
      tokens: {
        expectedVersion: session.tokenVersion,
        sealedTokens: await cipher.seal(fresh, handle),
        ...(fresh.expiresAt === undefined ? {} : { tokenExpiresAt: fresh.expiresAt }),
        ...(isOutdated ? { claimed } : {}),
      },
      ...(grants === undefined || isOutdated ? {} : { permissions: grants }),
    };
    const outcome = await this.#store(handle, lock, update, correlation);
    if (outcome === 'lost') return { outcome: 'kept', reason: 'store_unavailable' };
    lock.settle();
    // The next may have the lock as soon as the tokens are stored.
    const [stillStands, current] = await Promise.all([
      outcome.outcome !== 'updated' || sessions.stands(session),
      store.look(handle).catch(() => undefined),
      lock.release().catch(() => undefined),
    ]);
    const isRevoked = !stillStands;
    if (isRevoked) await sessions.drop(handle, correlation);
    if (isRevoked || outcome.outcome === 'gone') {
      // Ended meanwhile: nobody may be left with a token of this session.
      events.orphanRevoked();
      await idp.revoke(fresh.refreshToken ?? refreshToken, correlation).catch(() => undefined);
      return { outcome: 'gone' };
    }
    if (outcome.tokens === 'conflict') events.tokensConflicted();
    // Pushed meanwhile: what was fetched may be older than what stands there (ATTACKS 12).
    if (outcome.permissions === 'conflict' || isOutdated) {
      await permissions.renew(handle, correlation);
      return { outcome: 'refreshed' };
    }
    await sessions.liftCap(handle, session, outcome, correlation);
    const isAsLooked = outcome.uncapped === undefined && current !== undefined;
    return { outcome: 'refreshed', ...(isAsLooked ? { session: current } : {}) };
  }

  async #failed(
    handle: SessionHandle,
    session: StoredSession,
    lock: HeldLock,
    error: unknown,
    correlation: Correlation | undefined,
  ): Promise<RefreshOutcome> {
    const verdict = refreshVerdict(asIdentityProviderError(error));
    if (verdict.verdict === 'kept') {
      await lock.rest(verdict.fate).catch(() => undefined);
      return { outcome: 'kept', reason: verdict.reason };
    }
    lock.settle();
    const reason =
      verdict.reason === 'invalid_grant' ? 'session_ended_at_idp' : 'session_subject_changed';
    return this.#over(handle, session, reason, correlation);
  }

  /**
   * The provider has said so, or the token was sent twice, both leases are over and nobody knows what
   * became of it: it is not sent again, and the session would wait for tokens to its end (ATTACKS 39,
   * TRUST R22). Whoever was only paused finds the session gone and has what it got revoked.
   */
  async #over(
    handle: SessionHandle,
    seen: StoredSession,
    reason: EndReason,
    correlation: Correlation | undefined,
  ): Promise<RefreshOutcome> {
    const { store, sessions, ended } = this.#options;
    // The token may be refused because the one retry of it has brought new ones meanwhile.
    const current = await orUnavailable(store.find(handle));
    if (current === undefined) return { outcome: 'gone' };
    if (current.tokenVersion !== seen.tokenVersion) return { outcome: 'refreshed' };
    // First the reason: who finds the session gone looks for it. It may be lost, the removal not.
    await ended.remember(handle, reason).catch(() => undefined);
    await sessions.drop(handle, correlation);
    return { outcome: 'ended', reason };
  }

  /** The old token is spent: giving up at the first error would log the person out. */
  async #store(
    handle: SessionHandle,
    lock: HeldLock,
    update: SessionUpdate,
    correlation: Correlation | undefined,
  ) {
    const { store, events, clock, persistence } = this.#options;
    const until = clock() + persistence;
    for (;;) {
      try {
        return await store.update(handle, update);
      } catch {
        if (clock() >= until) {
          lock.abandon();
          events.tokensLost(correlation);
          return 'lost' as const;
        }
        await delay(pollInterval * 4);
      }
    }
  }

  /** Waits, for a bounded time, until the other is done; then its tokens are ours. */
  async #resultOfOther(handle: SessionHandle, seen: StoredSession): Promise<RefreshOutcome> {
    const { store, clock, patience } = this.#options;
    const until = clock() + patience;
    while (clock() < until) {
      const session = await orUnavailable(store.find(handle));
      if (session === undefined) return { outcome: 'gone' };
      if (session.tokenVersion !== seen.tokenVersion) return { outcome: 'refreshed' };
      await delay(pollInterval);
    }
    return { outcome: 'kept', reason: 'busy' };
  }
}

function valueOf<T>(settled: PromiseSettledResult<T>): T {
  if (settled.status === 'rejected') throw settled.reason;
  return settled.value;
}
