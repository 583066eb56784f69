import { openRedisOnce, type RedisConfig, type RedisConnection } from '@sallyport/shared/runtime';
import { Cluster, type Redis } from 'ioredis';
import { clusterSlot, hashTag } from './cluster-slot.js';
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

/**
 * Writes that the replicas have confirmed (ATTACKS 14). WAIT counts only what its own connection has
 * written: so one connection to each primary, for nothing else, WAIT directly behind the writes. It
 * lives once: what a close in between leaves unanswered is not acknowledged.
 */
export class AcknowledgedLink implements WriteLink {
  readonly #options: AcknowledgedLinkOptions;
  readonly #links = new Map<string, Promise<Redis>>();

  constructor(options: AcknowledgedLinkOptions) {
    this.#options = options;
  }

  async write(writes: readonly Write[]): Promise<unknown[]> {
    const groups = new Map<string, number[]>();
    writes.forEach(({ key }, at) => {
      const primary = this.#primaryOf(key);
      groups.set(primary, [...(groups.get(primary) ?? []), at]);
    });
    const replies: unknown[] = [];
    await Promise.all(
      [...groups].map(async ([primary, places]) => {
        const group = places.flatMap((at) => writes[at] ?? []);
        const answers = await this.#writeTo(primary, group);
        places.forEach((at, index) => (replies[at] = answers[index]));
      }),
    );
    return replies;
  }

  async close(): Promise<void> {
    const links = await Promise.allSettled(this.#links.values());
    for (const link of links) if (link.status === 'fulfilled') link.value.disconnect();
  }

  async #writeTo(primary: string, writes: readonly Write[]): Promise<unknown[]> {
    const { acks, timeout } = this.#options;
    const redis = await this.#link(primary);
    const pipeline = redis.pipeline();
    for (const { words } of writes) pipeline.call(...(words as [string, ...string[]]));
    // What was gone already is no write, and WAIT promises to count writes only: a mark is one, and
    // who has it has all that came before it, also from an earlier connection.
    pipeline.eval(mark, 1, `gateway:ack:{${hashTag(writes[0]?.key ?? '')}}`);
    pipeline.wait(acks, timeout);
    const answers = (await pipeline.exec()) ?? [];
    const failed = answers.find(([error]) => error !== null);
    if (failed?.[0]) throw failed[0];
    const confirmed = Number(answers.at(-1)?.[1] ?? 0);
    if (confirmed < acks) throw new NotAcknowledgedError(confirmed, acks);
    return answers.slice(0, writes.length).map(([, reply]) => reply);
  }

  #primaryOf(key: string): string {
    const { redis, config } = this.#options;
    if (!(redis instanceof Cluster)) {
      const [node] = config.nodes;
      return node === undefined ? '' : `${node.host}:${node.port}`;
    }
    const primary = redis.slots[clusterSlot(key)]?.[0];
    if (primary === undefined) throw new Error('no primary is known for a slot');
    return primary;
  }

  #link(primary: string): Promise<Redis> {
    const known = this.#links.get(primary);
    if (known !== undefined) return known;
    const opening = this.#open(primary);
    this.#links.set(primary, opening);
    opening.catch(() => this.#links.delete(primary));
    return opening;
  }

  async #open(primary: string): Promise<Redis> {
    const { config, current = () => config, timeout } = this.#options;
    const colon = primary.lastIndexOf(':');
    const node = { host: primary.slice(0, colon), port: Number(primary.slice(colon + 1)) };
    // Longer than WAIT, or the client would cut off what the server is about to say.
    const redis = openRedisOnce(
      { ...current(), nodes: [node] },
      { command: 2 * timeout + 500, connect: 2000 },
    );
    redis.on('error', () => undefined);
    redis.on('end', () => this.#links.delete(primary));
    await redis.connect();
    return redis;
  }
}
