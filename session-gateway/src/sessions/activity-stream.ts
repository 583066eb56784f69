import { activityStreamKey } from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import { LuaScript } from './lua-script.js';

export interface ActivityEntry {
  readonly id: string;
  /** The field `h`; undefined where the entry has none or was trimmed away. */
  readonly handle: string | undefined;
  /** When the stream took it, epoch seconds. */
  readonly at: number;
}

const group = 'gateway';
const lifetime = 24 * 3600 * 1000;
/** An id further ahead than this is no clock that is a little fast. */
const believedFutureSeconds = 60;

const repairScript = new LuaScript('activity-stream');

type RawEntry = readonly [id: string, fields: readonly string[] | null];

/** `extauthz:activity` as one consumer of the group that all replicas are. */
export class ActivityStream {
  readonly #redis: RedisConnection;
  readonly #consumer: string;
  readonly #forgetAfter: number;

  /** @param forgetAfter how long a consumer may be silent until it is forgotten, ms */
  constructor(redis: RedisConnection, consumer: string, forgetAfter = 3_600_000) {
    this.#redis = redis;
    this.#consumer = consumer;
    this.#forgetAfter = forgetAfter;
  }

  /**
   * Makes the stream and the group where they are missing, renews the TTL (ATTACKS 16) and forgets
   * consumers that have gone and left nothing unconfirmed.
   */
  async repair(): Promise<'nothing' | 'made' | 'rebuilt'> {
    const args = [group, believedFutureSeconds, lifetime, this.#forgetAfter];
    return (await repairScript.run(this.#redis, [activityStreamKey], args)) as
      'nothing' | 'made' | 'rebuilt';
  }

  /** Entries nobody has read yet. @throws NOGROUP where the stream is gone */
  readNew(atMost: number): Promise<ActivityEntry[]> {
    return this.#read('>', atMost);
  }

  /** Entries this consumer has and has not confirmed: failed ones, and those it claimed. */
  readPending(atMost: number): Promise<ActivityEntry[]> {
    return this.#read('0', atMost);
  }

  /**
   * Takes over what another consumer read and did not confirm for that long. By id only: 6.2 answers
   * null for what was trimmed and says no id, so it could never be confirmed (ATTACKS 36).
   * @returns how many
   */
  async claim(idleMs: number, atMost: number): Promise<number> {
    const [, ids] = (await this.#redis.xautoclaim(
      activityStreamKey,
      group,
      this.#consumer,
      idleMs,
      '0-0',
      'COUNT',
      atMost,
      'JUSTID',
    )) as [string, string[]];
    return ids.length;
  }

  async confirm(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#redis.xack(activityStreamKey, group, ...ids);
  }

  async #read(from: '>' | '0', atMost: number): Promise<ActivityEntry[]> {
    const reply = (await this.#redis.xreadgroup(
      'GROUP',
      group,
      this.#consumer,
      'COUNT',
      atMost,
      'STREAMS',
      activityStreamKey,
      from,
    )) as readonly (readonly [string, readonly RawEntry[]])[] | null;
    return (reply?.[0]?.[1] ?? []).map(([id, fields]) => ({
      id,
      handle: valueOf('h', fields ?? []),
      at: Number(id.split('-', 1)[0]) / 1000,
    }));
  }
}

function valueOf(name: string, fields: readonly string[]): string | undefined {
  const at = fields.findIndex((field, index) => index % 2 === 0 && field === name);
  return at === -1 ? undefined : fields[at + 1];
}
