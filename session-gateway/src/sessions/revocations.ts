import {
  gatewaySessionKey,
  ownerKeys,
  revokeDueKey,
  revokeSeqKey,
  revokeSeqSpareKey,
  sessionKey,
  type OwnerKind,
  type SessionHandle,
  type SessionOwner,
} from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import type { SpentSession } from '../oidc/token-revocations.js';
import { LuaScript } from './lua-script.js';
import { decodeJob, encodeJob, type RevocationJob } from './revocation-job.js';
import type { SessionIndex } from './session-index.js';
import type { WriteLink } from './write-link.js';

export interface RevocationsOptions {
  readonly redis: RedisConnection;
  readonly link: WriteLink;
  readonly index: SessionIndex;
  /** `EXTAUTHZ_SESSION_KEY_PREFIX` */
  readonly prefix: string;
  /** Told of every session that ended by this; must not throw. */
  readonly ended?: (session: SpentSession) => void;
}

const script = {
  seq: new LuaScript('revoke-seq'),
  epoch: new LuaScript('raise-epoch'),
  plan: new LuaScript('plan-revocation'),
  claim: new LuaScript('claim-revocation'),
};

/** The longest absolute lifetime any configuration may have, and 900 s (ATTACKS 9). */
const epochLife = (86_400 + 900) * 1000;
const jobLife = 86_400_000;
/** How long a dead process keeps the others from its job; renewed with every chunk. */
const lease = 5000;
const chunk = 500;

/**
 * "End every session of this owner", so that it holds: against logins that began before, against
 * slides and refreshes under way, against the death of the process that does it.
 */
export class Revocations {
  readonly #options: RevocationsOptions;

  constructor(options: RevocationsOptions) {
    this.#options = options;
  }

  /** The number of the last revocation: what a login that begins now may ignore. */
  async sequence(): Promise<number> {
    return Number(
      await script.seq.run(this.#options.redis, [revokeSeqKey, revokeSeqSpareKey], [0]),
    );
  }

  /**
   * Epoch and job first, then the records. If those two are refused (memory full, an ACL), the
   * sessions end all the same, and it rejects: a login under way might survive (ATTACKS 13).
   * @returns the revocation's number, for {@link sweep}
   */
  async revokeAll(owner: SessionOwner): Promise<{ seq: number; ended: number }> {
    let job: RevocationJob;
    try {
      job = await this.#begin(owner);
    } catch (error) {
      await this.sweep({ owner, seq: Infinity });
      throw error;
    }
    return { seq: job.seq, ended: await this.#finish(job) };
  }

  /** Takes over a revocation whose process died, if there is one. */
  async resume(): Promise<{ kind: OwnerKind; ended: number } | undefined> {
    const text = await script.claim.run(this.#options.redis, [revokeDueKey], [lease, jobLife]);
    if (typeof text !== 'string') return undefined;
    const job = decodeJob(text);
    // Not of our making: nobody could ever finish it.
    if (job === undefined) await this.#options.redis.zrem(revokeDueKey, text);
    return job && { kind: job.owner.kind, ended: await this.#finish(job) };
  }

  /**
   * Ends the owner's sessions whose login began before `seq`; later ones stay. Entries come and go
   * meanwhile and shift the pages, so only a pass that ended nothing is the last.
   */
  async sweep(job: RevocationJob, renew: () => Promise<unknown> = noLease): Promise<number> {
    let ended = 0;
    for (let pass = -1; pass !== 0; ended += pass) {
      pass = await this.#sweepOnce(job, renew);
    }
    return ended;
  }

  /** The next number: above every login that has begun so far. */
  async advance(): Promise<number> {
    const write = script.seq.write([revokeSeqKey, revokeSeqSpareKey], [1]);
    const [seq] = await this.#options.link.write([write]);
    return Number(seq);
  }

  async #begin(owner: SessionOwner): Promise<RevocationJob> {
    const { link } = this.#options;
    const job = { owner, seq: await this.advance() };
    await link.write([
      script.epoch.write([ownerKeys(owner).epoch], [job.seq, epochLife]),
      script.plan.write([revokeDueKey], [encodeJob(job), lease, jobLife, 0]),
    ]);
    return job;
  }

  async #finish(job: RevocationJob): Promise<number> {
    const { redis } = this.#options;
    const member = encodeJob(job);
    const renew = () => script.plan.run(redis, [revokeDueKey], [member, lease, jobLife, 1]);
    const ended = await this.sweep(job, renew);
    await redis.zrem(revokeDueKey, member);
    return ended;
  }

  async #sweepOnce({ owner, seq }: RevocationJob, renew: () => Promise<unknown>): Promise<number> {
    const { index, link } = this.#options;
    let ended = 0;
    for (let first = 0; ;) {
      const entries = await index.page(owner, first, first + chunk - 1);
      if (entries.length === 0) return ended;
      const judged = await Promise.all(
        entries.map(async (entry) => ({ ...entry, ...(await this.#look(entry.handle)) })),
      );
      const due = judged.filter(({ begun }) => !(begun >= seq));
      const removed = await link.write(due.map(({ handle }) => this.#removal(handle)));
      const gone = due.filter(({ settled }, at) => settled || Number(removed[at]) > 0);
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
