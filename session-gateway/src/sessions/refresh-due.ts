import { parseSessionHandle, refreshDueKey, type SessionHandle } from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import { LuaScript } from './lua-script.js';

const lifetime = 24 * 3600 * 1000;
const page = 1000;

const script = {
  plan: new LuaScript('refresh-due-plan'),
  claim: new LuaScript('refresh-due-claim'),
};

export interface Claimed {
  readonly handles: readonly SessionHandle[];
  /** By Redis's clock, epoch seconds: by it they are due. */
  readonly now: number;
  /** How long the one that waited longest has been due, seconds. */
  readonly lateBy: number;
}

/**
 * When each session's tokens or permissions are next due, for all replicas. A hint: what it loses is
 * found again when the session is used, and whether something is due says the session itself.
 */
export class RefreshDue {
  readonly #redis: RedisConnection;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  /**
   * @param second epoch seconds
   * @param wait seconds that must pass first by Redis's clock, whatever ours says
   */
  async plan(handle: SessionHandle, second: number, wait = 0): Promise<void> {
    await this.#plan(handle, second, '', wait);
  }

  /** The same where nothing is planned; leaves a plan or a lease alone. */
  async planIfNone(handle: SessionHandle, second: number, wait = 0): Promise<void> {
    await this.#plan(handle, second, 'NX', wait);
  }

  async forget(handle: SessionHandle): Promise<void> {
    await this.#redis.zrem(refreshDueKey, handle);
  }

  /** Everything noted: as good as every session that lives, and some that do not. */
  async all(): Promise<SessionHandle[]> {
    const found = new Set<SessionHandle>();
    for (let first = 0; ; first += page) {
      const texts = await this.#redis.zrange(refreshDueKey, first, first + page - 1);
      for (const handle of texts.map(parseSessionHandle)) {
        if (handle !== undefined) found.add(handle);
      }
      if (texts.length < page) return [...found];
    }
  }

  size(): Promise<number> {
    return this.#redis.zcard(refreshDueKey);
  }

  /** Sessions that are due, leased to the caller: to nobody else before the lease is over. */
  async claim(atMost: number, leaseSeconds: number): Promise<Claimed> {
    const args = [atMost, leaseSeconds, lifetime];
    const [now, oldest, ...due] = (await script.claim.run(this.#redis, [refreshDueKey], args)) as [
      now: number,
      oldest: number,
      ...handles: string[],
    ];
    const handles = due.map(parseSessionHandle).filter((handle) => handle !== undefined);
    return { handles, now, lateBy: now - oldest };
  }

  async #plan(handle: SessionHandle, second: number, how: '' | 'NX', wait: number): Promise<void> {
    if (!Number.isFinite(second)) return;
    const args = [second, handle, how, lifetime, wait];
    await script.plan.run(this.#redis, [refreshDueKey], args);
  }
}
