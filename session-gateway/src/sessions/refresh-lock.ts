import { setTimeout as delay } from 'node:timers/promises';
import { freshBytes, refreshLockKey, type SessionHandle } from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import { LuaScript } from './lua-script.js';

const defaultLease = 5000;
/** ms */
const againAfter = 200;
/** How long a stop waits for that, ms. */
const stopPatience = 2_000;
const ignore = (): void => undefined;

export type LockAttempt =
  | { readonly outcome: 'held'; readonly lock: HeldLock }
  /** Somebody is at it. */
  | { readonly outcome: 'busy' }
  /** The last attempt failed a moment ago; it is not yet time for the next. */
  | { readonly outcome: 'resting' }
  /** The token was sent twice and nobody saw what became of it: it is not sent again. */
  | { readonly outcome: 'spent' };

export interface HeldLock {
  /** Whether the token was sent before, and may be spent. */
  readonly isRetry: boolean;
  /**
   * The last step before the identity provider is called. From here on the token may be spent, so
   * nobody else uses it before `retryAfter`, and then once at most (ATTACKS 39).
   * @returns false if the lock was lost meanwhile: then the token must not be sent.
   */
  markInFlight(): Promise<boolean>;
  /** The token was not sent after the mark: this was no use of it. To be followed by a release. */
  unmark(): void;
  /** The token's fate is known and stored: its uses count no more. To be followed by a release. */
  settle(): void;
  /** Lets go; uses of unknown fate stay counted. Safe to repeat, and after any other end. */
  release(): Promise<void>;
  /**
   * The attempt failed: nobody tries again for a while. `unknown`: the token may be spent. Where Redis
   * cannot be told it is told again in the background; this rejects all the same.
   */
  rest(fate: 'unspent' | 'unknown'): Promise<void>;
  /** Leaves the mark as it is: the token was spent, and what came of it could not be stored. */
  abandon(): void;
}

export interface RefreshLockOptions {
  /** ms; longer than any call to the identity provider may take. */
  readonly retryAfter: number;
  /** How long the uses of a token are remembered, ms: as long as a session may live. */
  readonly memory: number;
  /** How long a holder that died before the mark keeps the others waiting, ms; 5000 if left out. */
  readonly lease?: number;
}

const script = {
  acquire: new LuaScript('refresh-lock-acquire'),
  advance: new LuaScript('refresh-lock-advance'),
};

/**
 * One refresh per session across all replicas. What a holder may do is fenced twice: the mark is made
 * only for the owner of the lock, and the store takes tokens only for the version they were made from.
 */
export class RefreshLock {
  readonly #redis: RedisConnection;
  readonly #options: RefreshLockOptions;
  readonly #untold = new Set<Promise<void>>();

  constructor(redis: RedisConnection, options: RefreshLockOptions) {
    this.#redis = redis;
    this.#options = options;
  }

  async acquire(handle: SessionHandle, tokenVersion: number): Promise<LockAttempt> {
    const owner = freshBytes(16).toString('base64url');
    const args = [owner, tokenVersion, this.#lease];
    const [outcome, uses, wasSent] = (await script.acquire.run(
      this.#redis,
      [refreshLockKey(handle)],
      args,
    )) as ['held', number, 0 | 1] | ['busy' | 'resting' | 'spent'];
    if (outcome !== 'held') return { outcome };
    return { outcome, lock: this.#held(handle, owner, uses, wasSent === 1) };
  }

  get #lease(): number {
    return this.#options.lease ?? defaultLease;
  }

  #held(handle: SessionHandle, owner: string, uses: number, isRetry: boolean): HeldLock {
    const { retryAfter, memory } = this.#options;
    let leaseNow = this.#lease;
    let asked = false;
    let marked = false;
    let settled = false;
    let ended = false;
    const advance = async (next: string, add = 0, most = 2): Promise<boolean> => {
      const args = [owner, next, add, most, Math.ceil(leaseNow), memory];
      return (await script.advance.run(this.#redis, [refreshLockKey(handle)], args)) === 1;
    };
    const renewal = setInterval(() => {
      // A renewal that fails only shortens the lease; the mark and the store find out.
      advance(owner).catch(() => undefined);
    }, this.#lease / 3).unref();
    const end = (): boolean => {
      clearInterval(renewal);
      const first = !ended;
      ended = true;
      return first;
    };
    return {
      isRetry,
      markInFlight: async () => {
        leaseNow = retryAfter;
        asked = true;
        // Once, however often Redis is told: on a Cluster ioredis sends a command again whose connection was
        // lost, also one that was done (5.11.1, Cluster#handleError).
        marked = await advance(owner, 1, uses + 1);
        return marked;
      },
      unmark: () => void (marked = false),
      settle: () => void (settled = true),
      release: async () => {
        if (!end()) return;
        // A mark that nobody answered was followed by no use.
        const most = settled ? 0 : marked ? 2 : uses;
        const letGo = () => advance('release', 0, most);
        await (asked && !marked ? this.#insist(letGo) : letGo());
      },
      rest: async (fate) => {
        if (!end()) return;
        // Sessions that failed together, in an outage, are not tried again together.
        leaseNow = retryAfter * (1 + Math.random() / 2);
        // It came back, and was seen to: however often, no such use is the one that nobody saw end.
        if (fate === 'unspent')
          await this.#insist(() => advance(isRetry ? '?' : '', marked ? -1 : 0));
        else await this.#insist(() => advance('?', 0, uses));
      },
      abandon: () => void end(),
    };
  }

  /**
   * Tells Redis again, in the background, what it could not be told now. Lost, a use whose end is known
   * would stand as one that nobody saw end, and the second such use ends the session: an outage of the
   * provider and a moment's of Redis would (TRUST R13). Only its owner changes the lock, so this is
   * never too late.
   */
  async #insist(tell: () => Promise<unknown>): Promise<void> {
    try {
      await tell();
    } catch (error) {
      const again = this.#again(tell).finally(() => this.#untold.delete(again));
      this.#untold.add(again);
      throw error;
    }
  }

  /** When Redis knows all that it is to know, or will not be told in the time that a stop has for it. */
  async settled(): Promise<void> {
    if (this.#untold.size === 0) return;
    const giveUp = new AbortController();
    const patience = delay(stopPatience, undefined, { signal: giveUp.signal }).catch(ignore);
    await Promise.race([Promise.allSettled(this.#untold), patience]);
    giveUp.abort();
  }

  async #again(tell: () => Promise<unknown>): Promise<void> {
    const end = performance.now() + this.#options.retryAfter;
    while (performance.now() < end) {
      await delay(againAfter, undefined, { ref: false });
      try {
        await tell();
        return;
      } catch {
        // Not yet.
      }
    }
  }
}
