import type { SessionHandle } from '@sallyport/shared';
import type { TokenCipher } from '../oidc/token-cipher.js';
import type { LeftTokens } from './left-tokens.js';
import type { RefreshDue } from './refresh-due.js';
import type { SessionStore } from './session-store.js';

export interface RekeyOptions {
  readonly store: Pick<SessionStore, 'find' | 'reseal'>;
  /** Knows every session that is kept fresh. */
  readonly due: Pick<RefreshDue, 'all'>;
  /** Of sessions that have ended: their tokens are still to be revoked at the provider. */
  readonly left: Pick<LeftTokens, 'all' | 'reseal'>;
  readonly cipher: Pick<TokenCipher, 'isCurrent' | 'reseal'>;
}

export interface RekeyResult {
  readonly resealed: number;
  /** Sealed by the first key already. */
  readonly current: number;
  /** No key of the ring opens them: nothing was changed. */
  readonly unreadable: number;
}

const atOnce = 16;
/** A pass that reseals none is the last; sessions come meanwhile, so there may be a second. */
const passes = 10;

type Outcome = 'resealed' | 'current' | 'unreadable' | 'gone';

/**
 * Seals every session's tokens by the ring's first key, also those that sessions have left. A session
 * in use is not disturbed by it.
 */
export async function rekey(options: RekeyOptions): Promise<RekeyResult> {
  let resealed = 0;
  for (let pass = 1; ; pass += 1) {
    const counts = await once(options);
    resealed += counts.resealed;
    if (counts.resealed === 0 || pass === passes) {
      return { resealed, current: counts.current - resealed, unreadable: counts.unreadable };
    }
  }
}

async function once(options: RekeyOptions): Promise<Record<Outcome, number>> {
  const counts = { resealed: 0, current: 0, unreadable: 0, gone: 0 };
  const work = async (
    queue: SessionHandle[],
    one: (options: RekeyOptions, handle: SessionHandle) => Promise<Outcome>,
  ): Promise<void> => {
    const next = async (): Promise<void> => {
      for (let handle = queue.pop(); handle !== undefined; handle = queue.pop()) {
        counts[await one(options, handle)] += 1;
      }
    };
    await Promise.all(Array.from({ length: atOnce }, next));
  };
  await work(await options.due.all(), rekeyOne);
  // After them: one that ends meanwhile is found here.
  await work(await options.left.all(), rekeyLeft);
  return counts;
}

async function rekeyLeft({ left, cipher }: RekeyOptions, handle: SessionHandle): Promise<Outcome> {
  try {
    const resealed = await left.reseal(handle, async (sealed) =>
      cipher.isCurrent(sealed) ? sealed : cipher.reseal(sealed, handle),
    );
    if (resealed === undefined) return 'gone';
    return resealed ? 'resealed' : 'current';
  } catch (error) {
    if ((error as Error).name !== 'SealError') throw error;
    return 'unreadable';
  }
}

async function rekeyOne({ store, cipher }: RekeyOptions, handle: SessionHandle): Promise<Outcome> {
  for (;;) {
    const session = await store.find(handle);
    if (session === undefined) return 'gone';
    const { sealedTokens } = session;
    let anew: string;
    try {
      if (cipher.isCurrent(sealedTokens)) return 'current';
      anew = await cipher.reseal(sealedTokens, handle);
    } catch {
      return 'unreadable';
    }
    const outcome = await store.reseal(handle, sealedTokens, anew);
    // Changed: a refresh was faster, and has sealed by the first key, unless its replica's ring is older.
    if (outcome !== 'changed') return outcome === 'stored' ? 'resealed' : 'gone';
  }
}
