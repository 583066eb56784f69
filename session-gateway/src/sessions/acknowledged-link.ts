import { openRedisOnce, type RedisConfig, type RedisConnection } from '@sallyport/shared/runtime';
import { Cluster, type Redis } from 'ioredis';
import { clusterSlot, hashTag } from './cluster-slot.js';
import { RevocationJournal } from './revocation-journal.js';
import type { Write, WriteLink } from './write-link.js';

/** The write is done on the primary, but a failover may undo it: whoever asked must ask again. */
export class NotAcknowledgedError extends Error {
  override readonly name = 'NotAcknowledgedError';
  readonly code = 'not_acknowledged';

  constructor(got: number, wanted: number) {
    super(`${got} of ${wanted} replicas confirmed a revocation in time`);
  }
}

export interface AcknowledgedLinkOptions {
  readonly config: RedisConfig;
  /** Asked before every connect, where secrets come from files; `config` if left out. */
  readonly current?: () => RedisConfig;
  /** The ordinary connection, for its slot map. */
  readonly redis: RedisConnection;
  readonly acks: number;
  /** Of a command, and again of the wait for the replicas, ms. */
  readonly timeout: number;
}

/** DEL first: then a full memory does not refuse SET (see `lua/revoke-seq.lua`). */
const mark = "redis.call('DEL', KEYS[1]) return redis.call('SET', KEYS[1], '', 'PX', 1000)";

interface Link {
  readonly redis: Redis;
  /** Batches that wait for their answers. */
  pending: number;
  /** Nothing new is sent on it. */
  retired: boolean;
}

/**
 * Writes that the replicas have confirmed (ATTACKS 14). WAIT counts only what its own connection has
 * written: so one connection to each primary, for nothing else, WAIT directly behind the writes. It
 * lives once: what a close in between leaves unanswered is not acknowledged.
 *
 * A replica that confirmed need not be the one that a failover promotes. So what was written is
 * remembered for a while, and written again wherever another primary takes over (TRUST R5).
 */
export class AcknowledgedLink implements WriteLink {
  readonly #options: AcknowledgedLinkOptions;
  readonly #links = new Map<string, Promise<Link>>();
  readonly #journal: RevocationJournal;
  /** Behind sentinels: how often the ordinary connection was lost, after which the primary may be another. */
  #connection = 0;

  constructor(options: AcknowledgedLinkOptions) {
    this.#options = options;
    this.#journal = new RevocationJournal({
      primaryOf: (key) => this.#primaryOf(key),
      write: (writes) => this.#writeAll(writes),
    });
    if (options.config.mode !== 'cluster') options.redis.on('close', this.#onClose);
  }

  async write(writes: readonly Write[]): Promise<unknown[]> {
    return this.#writeAll(writes, (primary, group) => this.#journal.remember(primary, group));
  }

  async close(): Promise<void> {
    this.#options.redis.off('close', this.#onClose);
    this.#journal.close();
    const links = await Promise.allSettled(this.#links.values());
    for (const link of links) if (link.status === 'fulfilled') link.value.redis.disconnect();
  }

  readonly #onClose = (): void => {
    for (const primary of this.#links.keys()) this.#retire(primary);
    this.#connection += 1;
  };

  /** @param onDone told of each primary that has done its share, whatever its replicas say */
  async #writeAll(
    writes: readonly Write[],
    onDone: (primary: string, group: readonly Write[]) => void = () => undefined,
  ): Promise<unknown[]> {
    const groups = new Map<string, number[]>();
    writes.forEach(({ key }, at) => {
      const primary = this.#primaryOf(key);
      groups.set(primary, [...(groups.get(primary) ?? []), at]);
    });
    const replies: unknown[] = [];
    await Promise.all(
      [...groups].map(async ([primary, places]) => {
        const group = places.flatMap((at) => writes[at] ?? []);
        const answers = await this.#writeTo(primary, group, () => onDone(primary, group));
        places.forEach((at, index) => (replies[at] = answers[index]));
      }),
    );
    return replies;
  }

  async #writeTo(
    primary: string,
    writes: readonly Write[],
    onDone: () => void,
  ): Promise<unknown[]> {
    const { acks, timeout } = this.#options;
    const link = await this.#link(primary);
    const pipeline = link.redis.pipeline();
    for (const { words } of writes) pipeline.call(...(words as [string, ...string[]]));
    // What was gone already is no write, and WAIT promises to count writes only: a mark is one, and
    // who has it has all that came before it, also from an earlier connection.
    pipeline.eval(mark, 1, `gateway:ack:{${hashTag(writes[0]?.key ?? '')}}`);
    pipeline.wait(acks, timeout);
    link.pending += 1;
    try {
      const answers = (await pipeline.exec()) ?? [];
      const failed = answers.find(([error]) => error !== null);
      if (failed?.[0]) throw failed[0];
      onDone();
      const confirmed = Number(answers.at(-1)?.[1] ?? 0);
      if (confirmed < acks) throw new NotAcknowledgedError(confirmed, acks);
      return answers.slice(0, writes.length).map(([, reply]) => reply);
    } catch (error) {
      // Perhaps the primary is one of yesterday that still answers: the next to ask looks again.
      this.#retire(primary);
      throw error;
    } finally {
      link.pending -= 1;
      if (link.retired && link.pending === 0) link.redis.disconnect();
    }
  }

  #primaryOf(key: string): string {
    const { redis } = this.#options;
    if (!(redis instanceof Cluster)) return `connection ${this.#connection}`;
    const primary = redis.slots[clusterSlot(key)]?.[0];
    if (primary === undefined) throw new Error('no primary is known for a slot');
    return primary;
  }

  #link(primary: string): Promise<Link> {
    const known = this.#links.get(primary);
    if (known !== undefined) return known;
    const opening = this.#open(primary);
    this.#links.set(primary, opening);
    opening.catch(() => this.#forget(primary, opening));
    return opening;
  }

  #retire(primary: string): void {
    const link = this.#links.get(primary);
    if (link === undefined) return;
    this.#links.delete(primary);
    link.then(
      (open) => {
        open.retired = true;
        if (open.pending === 0) open.redis.disconnect();
      },
      () => undefined,
    );
  }

  #forget(primary: string, link: Promise<Link>): void {
    if (this.#links.get(primary) === link) this.#links.delete(primary);
  }

  async #open(primary: string): Promise<Link> {
    const { config, current = () => config, timeout } = this.#options;
    const now = current();
    const redis = openRedisOnce(
      now.mode === 'cluster' ? { ...now, nodes: [nodeOf(primary)] } : now,
      // Longer than WAIT, or the client would cut off what the server is about to say.
      { command: 2 * timeout + 500, connect: 2000 },
    );
    redis.on('error', () => undefined);
    redis.on('end', () => this.#links.delete(primary));
    await redis.connect();
    return { redis, pending: 0, retired: false };
  }
}

function nodeOf(primary: string): RedisConfig['nodes'][number] {
  const colon = primary.lastIndexOf(':');
  return { host: primary.slice(0, colon), port: Number(primary.slice(colon + 1)) };
}
