import {
  ownerKeys,
  revokeDueKey,
  revokeSeqKey,
  revokeSeqSpareKey,
  type OwnerKind,
  type SessionOwner,
} from '@sallyport/shared';
import type { Correlation } from '../correlation.js';
import { LuaScript } from './lua-script.js';
import { OwnerSweep, type OwnerSweepOptions, type Swept } from './owner-sweep.js';
import { decodeJob, encodeJob, type RevocationJob } from './revocation-job.js';
import { writeAnyway, type NotAcknowledgedError } from './write-link.js';

export type RevocationsOptions = OwnerSweepOptions;

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

/**
 * "End every session of this owner", so that it holds: against logins that began before, against
 * slides and refreshes under way, against the death of the process that does it.
 */
export class Revocations {
  readonly #options: RevocationsOptions;
  readonly #sweeps: OwnerSweep;

  constructor(options: RevocationsOptions) {
    this.#options = options;
    this.#sweeps = new OwnerSweep(options);
  }

  /** The number of the last revocation: what a login that begins now may ignore. */
  async sequence(): Promise<number> {
    return Number(
      await script.seq.run(this.#options.redis, [revokeSeqKey, revokeSeqSpareKey], [0]),
    );
  }

  /**
   * Epoch and job first, then the records. If those two are refused (memory full, an ACL), the
   * sessions end all the same, and it rejects: a login under way might survive (ATTACKS 13). Where
   * only the replicas' word is missing it does everything, and rejects; the job is left to be resumed.
   * @param told how many ended, also where it rejects then: who asks again finds none
   * @returns the revocation's number, for {@link sweep}
   */
  async revokeAll(
    owner: SessionOwner,
    told?: (ended: number) => void,
    correlation?: Correlation,
  ): Promise<{ seq: number; ended: number }> {
    let begun: { job: RevocationJob; unconfirmed?: NotAcknowledgedError | undefined };
    try {
      begun = await this.#begin(owner);
    } catch (error) {
      const { ended } = await this.#sweeps.sweep({ owner, seq: Infinity }, { correlation });
      told?.(ended);
      throw error;
    }
    const { ended, unconfirmed = begun.unconfirmed } = await this.#finish(begun.job, correlation);
    told?.(ended);
    if (unconfirmed !== undefined) throw unconfirmed;
    return { seq: begun.job.seq, ended };
  }

  /** Takes over a revocation that its process did not finish, if there is one. */
  async resume(correlation?: Correlation): Promise<(Swept & { kind: OwnerKind }) | undefined> {
    const text = await script.claim.run(this.#options.redis, [revokeDueKey], [lease, jobLife]);
    if (typeof text !== 'string') return undefined;
    const job = decodeJob(text);
    // Not of our making: nobody could ever finish it.
    if (job === undefined) await this.#options.redis.zrem(revokeDueKey, text);
    return job && { kind: job.owner.kind, ...(await this.#finish(job, correlation)) };
  }

  /** Ends the owner's sessions whose login began before `seq`; later ones stay. */
  async sweep(job: RevocationJob, correlation?: Correlation): Promise<number> {
    const { ended, unconfirmed } = await this.#sweeps.sweep(job, { correlation });
    if (unconfirmed !== undefined) throw unconfirmed;
    return ended;
  }

  /**
   * The next number: above every login that has begun so far. The replicas' word for it alone is not
   * insisted on: should a failover undo it, the journal repeats it.
   */
  async advance(): Promise<number> {
    return (await this.#advance()).seq;
  }

  async #advance(): Promise<{ seq: number; unconfirmed?: NotAcknowledgedError | undefined }> {
    const write = script.seq.write([revokeSeqKey, revokeSeqSpareKey], [1]);
    const { replies, unconfirmed } = await writeAnyway(this.#options.link, [write]);
    return { seq: Number(replies[0]), unconfirmed };
  }

  async #begin(
    owner: SessionOwner,
  ): Promise<{ job: RevocationJob; unconfirmed?: NotAcknowledgedError | undefined }> {
    const { seq, unconfirmed } = await this.#advance();
    const job = { owner, seq };
    const written = await writeAnyway(this.#options.link, [
      script.epoch.write([ownerKeys(owner).epoch], [seq, epochLife]),
      script.plan.write([revokeDueKey], [encodeJob(job), lease, jobLife, 0]),
    ]);
    return { job, unconfirmed: unconfirmed ?? written.unconfirmed };
  }

  async #finish(job: RevocationJob, correlation: Correlation | undefined): Promise<Swept> {
    const { redis } = this.#options;
    const member = encodeJob(job);
    const renew = () => script.plan.run(redis, [revokeDueKey], [member, lease, jobLife, 1]);
    const swept = await this.#sweeps.sweep(job, { renew, correlation });
    if (swept.unconfirmed === undefined) await redis.zrem(revokeDueKey, member);
    return swept;
  }
}
