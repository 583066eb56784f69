import { openRedisOnce, type RedisConfig, type RedisConnection } from '@sallyport/shared/runtime';
import { Cluster, type Redis } from 'ioredis';
import { clusterSlot, hashTag } from './cluster-slot.js';
import { RevocationJournal } from './revocation-journal.js';
import { NotAcknowledgedError, PlainLink, type Write, type WriteLink } from './write-link.js';

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

/** No name of a primary: what nobody confirmed may stand on one of yesterday. */
const unconfirmed = '';

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
  /** Also those that only finish what they have begun. */
  readonly #sockets = new Set<Redis>();
  #isClosed = false;
  readonly #journal: RevocationJournal;
  /** Behind sentinels: how often the ordinary connection was lost, after which the primary may be another. */
  #connection = 0;

  constructor(options: AcknowledgedLinkOptions) {
    this.#options = options;
    // Over the ordinary connection: it is the one whose primary `#primaryOf` names, and a repetition
    // waits for nobody's word, so it holds no revocation up.
    const plain = new PlainLink(options.redis);
    this.#journal = new RevocationJournal({
      primaryOf: (key) => this.#primaryOf(key),
      write: (write) => plain.write([write]),
    });
    if (options.config.mode !== 'cluster') options.redis.on('close', this.#onClose);
  }

  async write(writes: readonly Write[]): Promise<unknown[]> {
    const { acks } = this.#options;
    const groups = new Map<string, number[]>();
    writes.forEach(({ key }, at) => {
      const primary = this.#primaryOf(key);
      groups.set(primary, [...(groups.get(primary) ?? []), at]);
    });
    const replies: unknown[] = [];
    const confirmations = await Promise.all(
      [...groups].map(async ([primary, places]) => {
        const group = places.flatMap((at) => writes[at] ?? []);
        const { answers, confirmed } = await this.#writeTo(primary, group);
        const isConfirmed = confirmed >= acks;
        // Anybody may ask for the end of what never was: it must push no real one out of the journal.
        const done = group.filter(
          (one, at) => !isConfirmed || one.didNothing?.(answers[at]) !== true,
        );
        this.#journal.remember(isConfirmed ? primary : unconfirmed, done);
        places.forEach((at, index) => (replies[at] = answers[index]));
        return confirmed;
      }),
    );
    const fewest = Math.min(acks, ...confirmations);
    if (fewest < acks) throw new NotAcknowledgedError(fewest, acks, replies);
    return replies;
  }

  async close(): Promise<void> {
    this.#options.redis.off('close', this.#onClose);
    this.#journal.close();
    this.#isClosed = true;
    for (const socket of this.#sockets) socket.disconnect();
    await Promise.allSettled(this.#links.values());
  }

  readonly #onClose = (): void => {
    for (const [primary, link] of this.#links) this.#retire(primary, link);
    this.#connection += 1;
  };

  async #writeTo(
    primary: string,
    writes: readonly Write[],
  ): Promise<{ answers: unknown[]; confirmed: number }> {
    const { acks, timeout } = this.#options;
    const opening = this.#link(primary);
    const link = await opening;
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
      const confirmed = Number(answers.at(-1)?.[1] ?? 0);
      // Perhaps the primary is one of yesterday that still answers: the next to ask looks again.
      if (confirmed < acks) this.#retire(primary, opening);
      return { answers: answers.slice(0, writes.length).map(([, reply]) => reply), confirmed };
    } catch (error) {
      this.#retire(primary, opening);
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
    if (this.#isClosed) return Promise.reject(new Error('the link is closed'));
    const known = this.#links.get(primary);
    if (known !== undefined) return known;
    const opening = this.#open(primary, () => this.#forget(primary, opening));
    this.#links.set(primary, opening);
    opening.catch(() => this.#forget(primary, opening));
    return opening;
  }

  #retire(primary: string, link: Promise<Link>): void {
    this.#forget(primary, link);
    link.then(
      (open) => {
        open.retired = true;
        if (open.pending === 0) open.redis.disconnect();
      },
      () => undefined,
    );
  }

  /** Only this one: meanwhile there may be another, and who forgets that leaves it open for ever. */
  #forget(primary: string, link: Promise<Link>): void {
    if (this.#links.get(primary) === link) this.#links.delete(primary);
  }

  async #open(primary: string, onEnd: () => void): Promise<Link> {
    const { config, current = () => config, timeout } = this.#options;
    const now = current();
    const redis = openRedisOnce(
      now.mode === 'cluster' ? { ...now, nodes: [nodeOf(primary)] } : now,
      // Longer than WAIT, or the client would cut off what the server is about to say.
      { command: 2 * timeout + 500, connect: 2000 },
    );
    redis.on('error', () => undefined);
    this.#sockets.add(redis);
    redis.on('end', () => {
      this.#sockets.delete(redis);
      onEnd();
    });
    await redis.connect();
    if (this.#isClosed) redis.disconnect();
    return { redis, pending: 0, retired: false };
  }
}

function nodeOf(primary: string): RedisConfig['nodes'][number] {
  const colon = primary.lastIndexOf(':');
  return { host: primary.slice(0, colon), port: Number(primary.slice(colon + 1)) };
}
