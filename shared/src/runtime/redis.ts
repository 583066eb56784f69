import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { closeWithPeer, LastingRedis } from './lasting-redis.js';
import type { Logger } from './logger.js';
import type { RedisConfig } from './redis-config.js';
import { logLinkState, type RedisConnection } from './redis-connection.js';
import { MajorityConnector } from './sentinel-connector.js';

/** How often a Cluster is asked who owns which slot, ms: a reader that only hits memory meets no MOVED. */
const slotsRefreshInterval = 1_000;

export interface RedisTuning {
  /** How long one command may take before its caller is told it cannot know, ms. */
  readonly command: number;
  readonly connect: number;
  /**
   * Commands of one turn of the event loop go out in one write: much less work for Redis under load.
   * Not for a connection that blocks (XREADGROUP BLOCK).
   */
  readonly autoPipelining?: boolean;
}

/**
 * A connection that fails fast and heals by itself: no offline queue (a queue would answer a
 * request long after its caller has gone), one attempt per command, a reconnect at least every
 * 200 ms. Not connected until `connect()`.
 *
 * `enableReadyCheck` is off because ioredis then waits whole seconds while Redis loads its AOF;
 * LOADING is an error like any other here. `disableClientInfo` because the reader's ACL has no
 * CLIENT SETINFO.
 *
 * @param current asked before every reconnect and when Redis refuses the user: where secrets and
 * certificates come from files, what was read at the start may be out of date (TRUST R10, R11).
 */
export function createRedis(
  config: RedisConfig,
  timeouts: RedisTuning,
  logger: Logger,
  current: () => RedisConfig = () => config,
): RedisConnection {
  const options = redisOptions(config, timeouts);
  const redis =
    config.mode === 'cluster'
      ? renewingCluster(options, config, current, logger)
      : renewing({ ...options, ...placeOf(config) }, config, current, logger);
  logLinkState(redis, logger);
  return redis;
}

/**
 * A Cluster's connections come and go by themselves, each made of the options as they are then. So
 * these are renewed every second, and those that are up are told who they are from now on: a
 * password that is refused changes nothing for them.
 */
function renewingCluster(
  options: RedisOptions,
  initial: RedisConfig,
  current: () => RedisConfig,
  logger: Logger,
): Cluster {
  let used = initial;
  const cluster = new Cluster([...initial.nodes], {
    redisOptions: options,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    lazyConnect: true,
    clusterRetryStrategy: (attempt) => {
      renew();
      return retryDelay(attempt);
    },
    // ioredis's own timer goes on for ever, and the process with it, if QUIT crosses a refresh (5.11.1).
    slotsRefreshInterval: 0,
    // By their names, as they were given: ioredis would look all of them up first, so that one unknown name
    // kept it from those that are there, and hold certificates against addresses.
    dnsLookup: (host, done) => done(null, host),
  });
  cluster.on('+node', (node: Redis) => {
    closeWithPeer(node);
    settleAsking(node);
  });
  const renew = (): void => {
    const { username, password, tls } = current();
    const isNewUser = username !== used.username || password !== used.password;
    used = { ...used, username, password, tls } as RedisConfig;
    Object.assign(options, { username, password, tls });
    const nodes = cluster.nodes('all');
    for (const node of nodes) Object.assign(node.options, { username, password, tls });
    if (!isNewUser) return;
    logger.info('redis: the credential has changed');
    for (const node of nodes) {
      if (node.status !== 'ready' || password === undefined) continue;
      node.auth(username ?? 'default', password).catch(() => undefined);
    }
  };
  const timer = setInterval(() => {
    renew();
    if (cluster.status === 'ready') cluster.refreshSlotsCache();
  }, slotsRefreshInterval).unref();
  cluster.once('end', () => clearInterval(timer));
  return cluster;
}

/**
 * ioredis follows an ASK with an ASKING whose promise it drops (5.11.1, Cluster#sendCommand): where that
 * is refused or late, nobody would catch it, and Node ends the process.
 */
function settleAsking(node: Redis): void {
  const asking: () => Promise<'OK'> = node.asking.bind(node);
  node.asking = () => {
    const asked = asking();
    asked.catch(() => undefined);
    return asked;
  };
}

/** No more often than this are the files read because Redis refused a command, ms. */
const renewalInterval = 500;
/** No more often than this is a server by a name dialled again because it is no primary any more, ms. */
const demotionInterval = 2_000;

/** A connection that takes its secrets afresh whenever it connects again. */
function renewing(
  options: RedisOptions,
  initial: RedisConfig,
  current: () => RedisConfig,
  logger: Logger,
): Redis {
  let used = initial;
  let renewedAt = -Infinity;
  /** Whether the next connection will be somebody else than this one. */
  const renew = (): boolean => {
    renewedAt = performance.now();
    const next = current();
    const isNewUser = next.username !== used.username || next.password !== used.password;
    // ioredis reads its options at every connect; undefined also takes back what was set.
    const { username, password, tls } = next;
    Object.assign(redis.options, placeOf(next), { username, password, tls });
    used = next;
    if (isNewUser) logger.info('redis: the credential has changed');
    return isNewUser;
  };
  // Not right after a connect: what is asked of a server at the start must come back, of a replica too.
  let connectedAt = performance.now();
  const redis = new LastingRedis({
    ...options,
    retryStrategy: (attempt) => {
      renew();
      return retryDelay(attempt);
    },
    reconnectOnError: ({ message }) =>
      // A demoted master keeps its connections if the sentinel, or whoever demoted it, could not close them.
      (message.startsWith('READONLY ') &&
        (initial.mode === 'sentinel' || performance.now() - connectedAt >= demotionInterval)) ||
      (/^(?:NOAUTH|NOPERM|WRONGPASS) /.test(message) &&
        performance.now() - renewedAt >= renewalInterval &&
        renew()),
  });
  redis.on('connect', () => (connectedAt = performance.now()));
  return redis;
}

/**
 * A connection that lives once: it never reconnects and re-sends nothing, for a caller whose state
 * ends with it. Not connected until `connect()`.
 */
export function openRedisOnce(config: RedisConfig, timeouts: RedisTuning): Redis {
  const redis = new Redis({
    ...redisOptions(config, timeouts),
    ...placeOf(config),
    // The detector's own connections to the sentinels would outlive this one.
    failoverDetector: false,
    retryStrategy: () => null,
    autoResubscribe: false,
  });
  closeWithPeer(redis);
  return redis;
}

/** Where the server is, or who knows. */
function placeOf({ nodes, sentinel, tls }: RedisConfig): RedisOptions {
  if (sentinel === undefined) return { ...nodes[0] };
  const { master, username, password } = sentinel;
  return {
    sentinels: [...nodes],
    name: master,
    role: 'master',
    Connector: MajorityConnector as RedisOptions['Connector'],
    failoverDetector: true,
    // It would go on inside the connector, with the secrets that it began with and asking no majority.
    sentinelRetryStrategy: () => null,
    sentinelReconnectStrategy: retryDelay,
    sentinelCommandTimeout: 1_000,
    ...(username === undefined ? {} : { sentinelUsername: username }),
    ...(password === undefined ? {} : { sentinelPassword: password }),
    ...(tls === undefined ? {} : { sentinelTLS: { ...tls }, enableTLSForSentinelMode: true }),
  };
}

function redisOptions(config: RedisConfig, timeouts: RedisTuning): RedisOptions {
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    disableClientInfo: true,
    maxRetriesPerRequest: 0,
    commandTimeout: timeouts.command,
    connectTimeout: timeouts.connect,
    // ioredis keeps a timer of this length (2 s by default) alive after the link is already gone.
    disconnectTimeout: 200,
    keepAlive: 5_000,
    enableAutoPipelining: timeouts.autoPipelining === true,
    // Before the command that it is for, which goes at once after a redirection.
    autoPipeliningIgnoredCommands: ['asking'],
    db: config.database,
    ...(config.username === undefined ? {} : { username: config.username }),
    ...(config.password === undefined ? {} : { password: config.password }),
    ...(config.tls === undefined ? {} : { tls: { ...config.tls } }),
    retryStrategy: retryDelay,
  };
}

function retryDelay(attempt: number): number {
  return Math.min(50 * attempt, 200);
}
