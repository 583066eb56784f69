import { gatewaySessionKey, sessionKey, type SessionHandle } from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import type { SpentSession } from '../oidc/token-revocations.js';
import type { RevocationJob } from './revocation-job.js';
import type { SessionIndex } from './session-index.js';
import { writeAnyway, type NotAcknowledgedError, type WriteLink } from './write-link.js';

export interface OwnerSweepOptions {
  readonly redis: RedisConnection;
  readonly link: WriteLink;
  readonly index: SessionIndex;
  /** `EXTAUTHZ_SESSION_KEY_PREFIX` */
  readonly prefix: string;
  /** Told of every session that ended by this; must not throw. */
  readonly ended?: (session: SpentSession) => void;
}

export interface Swept {
  readonly ended: number;
  /** Some replicas have not said that they have it too. */
  readonly unconfirmed?: NotAcknowledgedError | undefined;
}

const chunk = 500;

/** Ends an owner's sessions whose login began before a revocation; later ones stay. */
export class OwnerSweep {
  readonly #options: OwnerSweepOptions;

  constructor(options: OwnerSweepOptions) {
    this.#options = options;
  }

  /** Entries come and go meanwhile and shift the pages, so only a pass that ended nothing is the last. */
  async sweep(job: RevocationJob, renew: () => Promise<unknown> = noLease): Promise<Swept> {
    let ended = 0;
    let unconfirmed: NotAcknowledgedError | undefined;
    for (let pass: Swept = { ended: -1 }; pass.ended !== 0; ended += pass.ended) {
      pass = await this.#sweepOnce(job, renew);
      unconfirmed = pass.unconfirmed;
    }
    return { ended, unconfirmed };
  }

  async #sweepOnce({ owner, seq }: RevocationJob, renew: () => Promise<unknown>): Promise<Swept> {
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
      const removals = due.map(({ handle }) => this.#removal(handle));
      const { replies: removed, ...word } = await writeAnyway(link, removals);
      unconfirmed ??= word.unconfirmed;
      // What may come back stays in the index, for the next to resume.
      const gone = word.unconfirmed
        ? []
        : due.filter(({ settled }, at) => settled || Number(removed[at]) > 0);
      await index.leave(
        [owner],
        gone.map(({ handle }) => handle),
      );
      due.forEach(({ spent }, at) => {
        if (Number(removed[at]) === 0) return;
        ended += 1;
        if (spent !== undefined) this.#options.ended?.(spent);
      });
      first += entries.length - gone.length;
      await renew();
    }
  }

  /**
   * When a session's login began, and what is left of it. Tokens that a refresh stores between this
   * and the removal are revoked by that refresh: it asks whether its session stands.
   */
  async #look(handle: SessionHandle): Promise<{ begun: number; spent?: SpentSession }> {
    const key = gatewaySessionKey(this.#options.prefix, handle);
    try {
      const [seq, idp, sealedTokens] = await this.#options.redis.hmget(key, 'seq', 'idp', 'tokens');
      const begun = Number(seq);
      return idp && sealedTokens ? { begun, spent: { handle, idp, sealedTokens } } : { begun };
    } catch (error) {
      // A record that cannot be read is not later than anything.
      if ((error as Error).message.startsWith('WRONGTYPE')) return { begun: -Infinity };
      throw error;
    }
  }

  /** Both records, the reader's first, in one command that no memory limit refuses. */
  #removal(handle: SessionHandle) {
    const { prefix } = this.#options;
    const key = sessionKey(prefix, handle);
    return { key, words: ['DEL', key, gatewaySessionKey(prefix, handle)] as const };
  }
}

function noLease(): Promise<void> {
  return Promise.resolve();
}
