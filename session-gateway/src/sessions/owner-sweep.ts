import { gatewaySessionKey, sessionKey, type SessionHandle } from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import type { Correlation } from '../correlation.js';
import type { LeftSession, SpentSession } from '../oidc/spent-session.js';
import type { LeftTokens } from './left-tokens.js';
import type { RevocationJob } from './revocation-job.js';
import type { SessionIndex } from './session-index.js';
import type { TokensToRevoke } from './session-store.js';
import {
  writeAnyway,
  type NotAcknowledgedError,
  type Write,
  type WriteLink,
} from './write-link.js';

export interface OwnerSweepOptions {
  readonly redis: RedisConnection;
  readonly link: WriteLink;
  readonly index: SessionIndex;
  /** `EXTAUTHZ_SESSION_KEY_PREFIX` */
  readonly prefix: string;
  /** Where the tokens of what it ends are left, and whose. */
  readonly left?: Pick<LeftTokens, 'plan' | 'end'>;
  readonly tokensToRevoke?: TokensToRevoke;
  /** Told of every session that ended by this; must not throw. */
  readonly ended?: (session: SpentSession, correlation?: Correlation) => void;
}

export interface Swept {
  readonly ended: number;
  /** Some replicas have not said that they have it too. */
  readonly unconfirmed?: NotAcknowledgedError | undefined;
}

interface SweepTerms {
  /** Told after each chunk that it goes on. */
  readonly renew?: () => Promise<unknown>;
  readonly correlation?: Correlation | undefined;
}

const chunk = 500;

/** Ends an owner's sessions whose login began before a revocation; later ones stay. */
export class OwnerSweep {
  readonly #options: OwnerSweepOptions;

  constructor(options: OwnerSweepOptions) {
    this.#options = options;
  }

  /** Entries come and go meanwhile and shift the pages, so only a pass that ended nothing is the last. */
  async sweep(job: RevocationJob, terms: SweepTerms = {}): Promise<Swept> {
    let ended = 0;
    let unconfirmed: NotAcknowledgedError | undefined;
    for (let pass: Swept = { ended: -1 }; pass.ended !== 0; ended += pass.ended) {
      pass = await this.#sweepOnce(job, terms);
      unconfirmed = pass.unconfirmed;
    }
    return { ended, unconfirmed };
  }

  async #sweepOnce(
    { owner, seq }: RevocationJob,
    { renew, correlation }: SweepTerms,
  ): Promise<Swept> {
    const { index, link } = this.#options;
    let ended = 0;
    let unconfirmed: NotAcknowledgedError | undefined;
    for (let first = 0; ;) {
      const entries = await index.page(owner, first, first + chunk - 1);
      if (entries.length === 0) return { ended, unconfirmed };
      const judged = await Promise.all(
        entries.map(async (entry) => ({ ...entry, ...(await this.#look(entry.handle)) })),
      );
      const due = judged.filter(({ begun }) => !(begun >= seq));
      const removals = await this.#removals(due);
      const { replies: removed, ...word } = await writeAnyway(link, removals);
      unconfirmed ??= word.unconfirmed;
      // What may come back stays in the index, for the next to resume.
      const gone = word.unconfirmed
        ? []
        : due.filter(({ settled }, at) => settled || Number(removed[at]) > 0);
      due.forEach(({ spent }, at) => {
        if (Number(removed[at]) === 0) return;
        ended += 1;
        if (spent !== undefined) this.#options.ended?.(spent, correlation);
      });
      await index.leave(
        [owner],
        gone.map(({ handle }) => handle),
      );
      first += entries.length - gone.length;
      await renew?.();
    }
  }

  /**
   * When a session's login began, and what is left of it. Tokens that a refresh stores between this
   * and the removal are revoked by that refresh: it asks whether its session stands.
   */
  async #look(handle: SessionHandle): Promise<{ begun: number; spent?: Spent }> {
    const key = gatewaySessionKey(this.#options.prefix, handle);
    const fields = ['seq', 'idp', 'tokens', 'iss', 'sub'] as const;
    try {
      const [seq, idp, sealedTokens, iss, sub] = await this.#options.redis.hmget(key, ...fields);
      const begun = Number(seq);
      if (!idp || !sealedTokens) return { begun };
      return { begun, spent: { handle, idp, sealedTokens, iss: iss ?? '', sub: sub ?? '' } };
    } catch (error) {
      // A record that cannot be read is not later than anything.
      if ((error as Error).message.startsWith('WRONGTYPE')) return { begun: -Infinity };
      throw error;
    }
  }

  /**
   * Of both records, the reader's first, in one step that no memory limit refuses. That step leaves the
   * tokens too: this process may die before it has asked the provider.
   */
  async #removals(
    due: readonly { handle: SessionHandle; spent?: Spent }[],
  ): Promise<readonly Write[]> {
    const { prefix, left, tokensToRevoke } = this.#options;
    const toLeave = due.flatMap(({ spent }) =>
      spent !== undefined && tokensToRevoke?.idps.includes(spent.idp) ? spent.handle : [],
    );
    const endedAt = (await left?.plan(toLeave)) ?? 0;
    const leaving = new Set(toLeave);
    return due.map(({ handle, spent }) => {
      const records = [sessionKey(prefix, handle), gatewaySessionKey(prefix, handle)] as const;
      if (left !== undefined && spent !== undefined && leaving.has(handle)) {
        return left.end({ ...spent, endedAt }, records);
      }
      return { key: records[0], words: ['DEL', ...records] };
    });
  }
}

type Spent = Omit<LeftSession, 'endedAt'>;
