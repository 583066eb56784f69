import {
  leftTokensKey,
  leftTokensPlan,
  parseSessionHandle,
  type SessionHandle,
} from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import { Cluster } from 'ioredis';
import type { LeftSession, LeftSessions } from '../oidc/spent-session.js';
import { LuaScript } from './lua-script.js';
import type { TokensToRevoke } from './session-store.js';
import type { Write } from './write-link.js';

export interface LeftTokensOptions {
  /** `EXTAUTHZ_SESSION_KEY_PREFIX` */
  readonly prefix: string;
  /** Told how many are given up: too many for Redis, or too old. */
  readonly onDropped?: (count: number) => void;
  /** How many are kept; the oldest make room. 10,000 if left out: some 40 MB. */
  readonly limit?: number;
  /** How long whoever ended a session has it alone, ms. */
  readonly lease?: number;
}

/** For `lua/take.lua`: the keys behind those of the records, and its argument. */
export interface LeavingTerms {
  readonly keys: readonly string[];
  readonly arg: string;
}

/** Longer than a provider is down, ms; what it has not taken by then lives until its own expiry. */
const life = 86_400_000;
const page = 1000;
const planKeys = [leftTokensPlan.due, leftTokensPlan.ended] as const;

const script = {
  plan: new LuaScript('plan-left', 'left-plan'),
  claim: new LuaScript('left-claim'),
  postpone: new LuaScript('left-postpone'),
  reseal: new LuaScript('left-reseal'),
};
const sweep = new LuaScript('sweep');

/**
 * The tokens of sessions that have ended, until the provider has revoked them. The scripts that end a
 * session leave them in the same step, sealed as they were; the plan says whose turn it is. What is
 * in no plan (a Cluster's primary did not answer) ends by its TTL.
 */
export class LeftTokens implements LeftSessions {
  readonly #redis: RedisConnection;
  readonly #options: LeftTokensOptions;
  readonly #numbers: { readonly life: number; readonly lease: number; readonly limit: number };

  constructor(redis: RedisConnection, options: LeftTokensOptions) {
    this.#redis = redis;
    this.#options = options;
    const { lease = 60_000, limit = 10_000 } = options;
    this.#numbers = { life, lease, limit };
  }

  terms(handle: SessionHandle, tokens: TokensToRevoke): LeavingTerms {
    const plan = this.#redis instanceof Cluster ? [] : planKeys;
    const arg = JSON.stringify({ ...tokens, handle, ...this.#numbers });
    return { keys: [this.#key(handle), ...plan], arg };
  }

  /** Where the script that ended it could not plan it; never rejects. */
  async planTaken(handle: SessionHandle): Promise<void> {
    if (this.#redis instanceof Cluster) await this.plan([handle]);
  }

  /**
   * Before sessions are ended together. Never rejects: none lives longer because of its tokens.
   * @returns the store's now, epoch seconds; 0 where it could not be planned
   */
  async plan(handles: readonly SessionHandle[]): Promise<number> {
    if (handles.length === 0) return 0;
    try {
      const arg = JSON.stringify({ handles, ...this.#numbers });
      const answer = await script.plan.run(this.#redis, planKeys, [arg]);
      const [now, pushedOut] = answer as [string, string[]];
      this.giveUp(pushedOut);
      return Number(now);
    } catch {
      return 0;
    }
  }

  /** The end of one of them, in one step with what is left of it. */
  end(session: LeftSession, records: readonly [string, string]): Write {
    return sweep.write([...records, this.#key(session.handle)], [encode(session), life]);
  }

  /** What the plan has no room for, or no time. */
  giveUp(texts: readonly string[]): void {
    if (texts.length === 0) return;
    this.#options.onDropped?.(texts.length);
    for (const handle of texts.map(parseSessionHandle)) {
      if (handle !== undefined) this.#redis.del(this.#key(handle)).catch(() => undefined);
    }
  }

  async claim(atMost: number): Promise<LeftSession[]> {
    const args = [atMost, this.#numbers.lease, life];
    const answer = await script.claim.run(this.#redis, planKeys, args);
    const [claimed, old] = answer as [string[], string[]];
    this.giveUp(old);
    const found = claimed.map(async (text) => {
      const handle = parseSessionHandle(text);
      const session = handle && decode(handle, await this.text(handle));
      // Done meanwhile, or not of our making.
      if (session === undefined) await this.#forget(text);
      return session;
    });
    const settled = await Promise.allSettled(found);
    return settled.flatMap((one) => (one.status === 'fulfilled' && one.value) || []);
  }

  async done(handle: SessionHandle): Promise<void> {
    await Promise.all([this.#redis.del(this.#key(handle)), this.#forget(handle)]);
  }

  async postpone(handle: SessionHandle, wait: number): Promise<void> {
    const args = [Math.ceil(wait), handle, life];
    await script.postpone.run(this.#redis, [leftTokensPlan.due], args);
  }

  size(): Promise<number> {
    return this.#redis.zcard(leftTokensPlan.ended);
  }

  async all(): Promise<SessionHandle[]> {
    const found = new Set<SessionHandle>();
    for (let first = 0; ; first += page) {
      const texts = await this.#redis.zrange(leftTokensPlan.ended, first, first + page - 1);
      for (const handle of texts.map(parseSessionHandle)) {
        if (handle !== undefined) found.add(handle);
      }
      if (texts.length < page) return [...found];
    }
  }

  /** What is kept of one, as it stands there. */
  text(handle: SessionHandle): Promise<string | null> {
    return this.#redis.get(this.#key(handle));
  }

  /**
   * Seals one anew, unless it is done meanwhile.
   * @returns undefined if nothing is left of it; whether it was not sealed so before
   * @throws SealError
   */
  async reseal(
    handle: SessionHandle,
    anew: (sealedTokens: string) => Promise<string>,
  ): Promise<boolean | undefined> {
    const text = await this.text(handle);
    const left = decode(handle, text);
    if (text === null || left === undefined) return undefined;
    const sealed = await anew(left.sealedTokens);
    if (sealed === left.sealedTokens) return false;
    const changed = encode({ ...left, sealedTokens: sealed });
    const done = await script.reseal.run(this.#redis, [this.#key(handle)], [text, changed]);
    return done === 1 ? true : undefined;
  }

  async #forget(text: string): Promise<void> {
    await Promise.all(planKeys.map((key) => this.#redis.zrem(key, text)));
  }

  #key(handle: SessionHandle): string {
    return leftTokensKey(this.#options.prefix, handle);
  }
}

/** As `lua/take.lua` writes it. */
function encode({ idp, iss, sub, endedAt, sealedTokens }: LeftSession): string {
  return JSON.stringify({ idp, iss, sub, endedAt: String(endedAt), tokens: sealedTokens });
}

function decode(handle: SessionHandle, text: string | null): LeftSession | undefined {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text ?? '{}') as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const { idp, iss, sub, endedAt, tokens } = value;
  if (typeof idp !== 'string' || typeof iss !== 'string' || typeof sub !== 'string') {
    return undefined;
  }
  if (typeof tokens !== 'string' || !/^[0-9]{1,12}$/.test(String(endedAt))) return undefined;
  return { handle, idp, iss, sub, endedAt: Number(endedAt), sealedTokens: tokens };
}
