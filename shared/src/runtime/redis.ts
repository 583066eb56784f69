import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { Logger } from './logger.js';
import type { RedisConfig } from './redis-config.js';
import { MajorityConnector } from './sentinel-connector.js';
import { tlsAdvice } from './tls-advice.js';

export type RedisConnection = Redis | Cluster;

const retryInterval = 100;
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

/** No more often than this are the files read because Redis refused a command, ms. */
const renewalInterval = 500;

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
  const redis = new Redis({
    ...options,
    retryStrategy: (attempt) => {
      renew();
      return retryDelay(attempt);
    },
    reconnectOnError: ({ message }) =>
      // A demoted master keeps its connections if the sentinel could not close them.
      (initial.mode === 'sentinel' && message.startsWith('READONLY ')) ||
      (/^(?:NOAUTH|NOPERM|WRONGPASS) /.test(message) &&
        performance.now() - renewedAt >= renewalInterval &&
        renew()),
  });
  return redis;
}

/**
 * A connection that lives once: it never reconnects and re-sends nothing, for a caller whose state
 * ends with it. Not connected until `connect()`.
 */
export function openRedisOnce(config: RedisConfig, timeouts: RedisTuning): Redis {
  return new Redis({
    ...redisOptions(config, timeouts),
    ...placeOf(config),
    // The detector's own connections to the sentinels would outlive this one.
    failoverDetector: false,
    sentinelRetryStrategy: () => null,
    retryStrategy: () => null,
    autoResubscribe: false,
  });
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
    sentinelRetryStrategy: retryDelay,
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

/** One line when the link goes and one when it is back, however many attempts lie between. */
function logLinkState(redis: RedisConnection, logger: Logger): void {
  let up: boolean | undefined;
  redis.on('ready', () => {
    if (up !== true) logger.info('redis: connected');
    up = true;
  });
  redis.on('error', (error: Error) => {
    if (up !== false)
      logger.warn({ reason: reasonOf(redis, error) }, 'redis: unreachable, retrying');
    up = false;
  });
  redis.on('close', () => {
    if (up === true) logger.warn('redis: connection lost, retrying');
    up = false;
  });
}

/** Starts connecting and does not wait: a service that can live without Redis for a while stays up. */
export function beginConnecting(redis: RedisConnection): void {
  redis.connect().catch(() => {
    // Reported by the `error` listener; ioredis goes on trying.
  });
}

/** Connects, trying for at most `patience` ms. @throws Error with the last reason. */
export async function connectOrFail(redis: RedisConnection, patience: number): Promise<void> {
  const noAnswer = 'no answer';
  let lastReason = noAnswer;
  const remember = (error: Error): void => void (lastReason = reasonOf(redis, error));
  redis.on('error', remember);
  // Of no use where an `error` has said more: it says that the connection is closed.
  const unlessKnown = (error: Error): void => {
    if (lastReason === noAnswer) remember(error);
  };
  // With all sentinels away `connect` tries for ever; the patience is this function's.
  await Promise.race([redis.connect().catch(unlessKnown), pause(retryInterval)]);
  for (let waited = 0; waited < patience; waited += retryInterval) {
    try {
      await redis.ping();
      redis.off('error', remember);
      return;
    } catch (error) {
      if (redis.status === 'ready') remember(error as Error);
      await pause(retryInterval);
    }
  }
  redis.disconnect();
  throw new Error(`Redis gave no answer for ${patience / 1000} s: ${lastReason}`);
}

/** What happened and, where TLS is why, what to do. */
function reasonOf(redis: RedisConnection, error: Error): string {
  const usesTls =
    (redis instanceof Cluster ? redis.options.redisOptions?.tls : redis.options.tls) !== undefined;
  const advice = usesTls ? tlsAdvice(error) : '';
  return advice === '' ? error.message : `${error.message}. ${advice}`;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Closes after the commands under way, or at once when there is no link. */
export async function closeRedis(redis: RedisConnection): Promise<void> {
  try {
    await redis.quit();
    // QUIT leaves the failover detector's connections to the sentinels open, and the process with them.
    if (redis instanceof Redis && redis.options.sentinels) redis.disconnect();
  } catch {
    redis.disconnect();
  }
}
