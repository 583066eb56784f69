import { Redis, SentinelConnector, SentinelIterator, type RedisOptions } from 'ioredis';

/** How long the sentinels that are slow to answer are waited for, ms. */
const patience = 500;
/** How often the sentinels are asked again: news of a failover can be missed, ms. */
const interval = 2_000;

/** From our goodbye to the end of the connection, ms; it would hold a process up that stops. */
const disconnectTimeout = 200;

type Sentinel = NonNullable<RedisOptions['sentinels']>[number];

/**
 * Goes where most sentinels say the master is. ioredis believes the first one that answers: that one
 * may be cut off together with the master of yesterday, and both would be believed for as long as
 * the partition lasts.
 */
export class MajorityConnector extends SentinelConnector {
  #named: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ConstructorParameters<typeof SentinelConnector>[0]) {
    super(options);
    // Those of the failover detector have nobody who listens: ioredis would write each failed attempt on
    // a sentinel that is down to standard error, several a second, and to no log.
    const inside = this as unknown as {
      connectToSentinel(sentinel: Sentinel, options?: RedisOptions): Redis;
    };
    const dial = inside.connectToSentinel.bind(this);
    inside.connectToSentinel = (sentinel, more) =>
      dial(sentinel, { disconnectTimeout, ...more }).on('error', () => undefined);
  }

  override async connect(
    ...of: Parameters<SentinelConnector['connect']>
  ): ReturnType<SentinelConnector['connect']> {
    this.#stopLooking();
    this.connecting = true;
    const sentinels = this.options.sentinels ?? [];
    const { named, agreeing } = await askAll(sentinels, this.options);
    if (!this.#isWanted()) throw new Error('Connection is closed.');
    this.#named = named;
    // Those who disagree come last, and not never: of their failovers we still want to hear.
    const others = sentinels.filter((one) => !agreeing.includes(one));
    this.sentinelIterator = new SentinelIterator([...agreeing, ...others]);
    const stream = await super.connect(...of);
    if (this.options.failoverDetector === true) {
      this.#timer = setInterval(() => void this.#lookAgain(), interval).unref();
    }
    return stream;
  }

  override disconnect(): void {
    this.#stopLooking();
    super.disconnect();
  }

  /** Whatever is being asked just now is of a connection that is over. */
  #stopLooking(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** A disconnect may have come in between. */
  #isWanted(): boolean {
    return this.connecting;
  }

  async #lookAgain(): Promise<void> {
    const timer = this.#timer;
    if (timer === undefined) return;
    const { named } = await askAll(this.options.sentinels ?? [], this.options);
    // As ioredis does when a sentinel tells of a failover: closed, so that it connects anew.
    if (timer === this.#timer && named !== undefined && named !== this.#named) this.disconnect();
  }
}

interface Named {
  /** host:port; undefined while nobody answers. */
  readonly named: string | undefined;
  readonly agreeing: readonly Sentinel[];
}

/** The address that most of those who answer give; of two equally many the one in the earlier place. */
async function askAll(sentinels: readonly Sentinel[], options: RedisOptions): Promise<Named> {
  const votes = new Map<string, Sentinel[]>();
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, patience).unref();
    const decided = (): boolean =>
      [...votes.values()].some((voters) => voters.length > sentinels.length / 2);
    const asked = sentinels.map(async (sentinel) => {
      const address = await ask(sentinel, options);
      if (address === undefined) return;
      votes.set(address, [...(votes.get(address) ?? []), sentinel]);
      if (decided()) resolve();
    });
    void Promise.all(asked).then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
  const inOrder = sentinels.flatMap((sentinel) =>
    [...votes].filter(([, voters]) => voters.includes(sentinel)),
  );
  const [first, ...rest] = inOrder;
  if (first === undefined) return { named: undefined, agreeing: [] };
  const [named, agreeing] = rest.reduce(
    (best, one) => (one[1].length > best[1].length ? one : best),
    first,
  );
  return { named, agreeing };
}

async function ask({ host, port }: Sentinel, options: RedisOptions): Promise<string | undefined> {
  const { name = '', sentinelUsername, sentinelPassword, sentinelTLS } = options;
  const redis = new Redis({
    host: host ?? '127.0.0.1',
    port: port ?? 26379,
    lazyConnect: true,
    enableReadyCheck: false,
    disableClientInfo: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectTimeout: patience,
    commandTimeout: patience,
    disconnectTimeout,
    ...(sentinelUsername === undefined ? {} : { username: sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
    ...(sentinelTLS === undefined ? {} : { tls: sentinelTLS }),
  });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    const address = await redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name);
    return Array.isArray(address) ? address.join(':') : undefined;
  } catch {
    return undefined;
  } finally {
    redis.disconnect();
  }
}
