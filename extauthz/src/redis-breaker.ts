import { sessionKey, type SessionHandle } from '@sallyport/shared';
import type { RedisConnection, Unit } from '@sallyport/shared/runtime';
import { Cluster, type Redis } from 'ioredis';
import { nodeNamed, ownerName, ownerNames } from './cluster-slots.js';

/** How often a Redis that stopped answering is asked, ms. */
const probeInterval = 50;
/** After this long without any answer the connection is given up: its peer may be gone without a FIN. */
const giveUpAfter = 1_000;

/**
 * Keeps a hung Redis from filling this process: ioredis holds every unanswered command in memory
 * until its reply comes, deadline or not (TRUST R2). Open while the server that owns the session
 * accepts commands and answers none; then nothing is sent there but one PING at a time, and the
 * first answer closes it.
 */
export interface Breaker extends Unit {
  readonly isOpen: (handle: SessionHandle) => boolean;
  /** The deadline of a command for this session passed. */
  readonly trip: (handle: SessionHandle) => void;
}

export function redisBreaker(
  redis: RedisConnection,
  { prefix, now }: { prefix: string; now: () => number },
): Breaker {
  if (redis instanceof Cluster) return clusterBreaker(redis, prefix, now);
  const circuit = circuitOf({
    connection: () => redis,
    giveUp: (one) => one.disconnect(true),
    now,
  });
  return {
    name: 'redis breaker',
    isOpen: circuit.isOpen,
    trip: circuit.trip,
    start: () => Promise.resolve(),
    stop: () => {
      circuit.close();
      return Promise.resolve();
    },
  };
}

/** One per primary: the answer of a healthy one says nothing of the one that hangs. */
function clusterBreaker(cluster: Cluster, prefix: string, now: () => number): Breaker {
  const circuits = new Map<string, Circuit>();
  const ownerOf = (handle: SessionHandle) => ownerName(cluster, sessionKey(prefix, handle));

  const circuitFor = (name: string): Circuit => {
    const known = circuits.get(name);
    if (known !== undefined) return known;
    const circuit = circuitOf({
      // By name: ioredis makes another connection to a node whenever one has ended.
      connection: () => nodeNamed(cluster, name),
      giveUp: (node) => {
        // A node that ended comes back with the slot map, which would be a second away.
        node.once('end', () => cluster.refreshSlotsCache());
        node.disconnect();
      },
      now,
    });
    circuits.set(name, circuit);
    return circuit;
  };

  /** After a failover nobody would ever close the one of the primary of yesterday. */
  const forgetOthers = (): void => {
    const owners = ownerNames(cluster);
    for (const [name, circuit] of circuits) {
      if (owners.has(name)) continue;
      circuit.close();
      circuits.delete(name);
    }
  };

  return {
    name: 'redis breaker',
    isOpen: (handle) => {
      if (circuits.size === 0) return false;
      const name = ownerOf(handle);
      return name !== undefined && circuits.get(name)?.isOpen() === true;
    },
    trip: (handle) => {
      const name = ownerOf(handle);
      if (name !== undefined) circuitFor(name).trip();
    },
    start: () => {
      cluster.on('refresh', forgetOthers);
      return Promise.resolve();
    },
    stop: () => {
      cluster.off('refresh', forgetOthers);
      for (const circuit of circuits.values()) circuit.close();
      return Promise.resolve();
    },
  };
}

interface Circuit {
  readonly isOpen: () => boolean;
  readonly trip: () => void;
  readonly close: () => void;
}

function circuitOf(options: {
  /** Undefined while there is none. */
  connection: () => Redis | undefined;
  giveUp: (redis: Redis) => void;
  now: () => number;
}): Circuit {
  const { connection, giveUp, now } = options;
  let timer: NodeJS.Timeout | undefined;
  let silentSince = 0;
  let asking = false;

  const close = (): void => {
    clearInterval(timer);
    timer = undefined;
  };

  const probe = (): void => {
    const redis = connection();
    if (redis === undefined) return;
    // A dial has a time limit of its own, and may take longer than this.
    if (redis.status !== 'ready') silentSince = now();
    else if (now() - silentSince > giveUpAfter) {
      silentSince = now();
      giveUp(redis);
    }
    if (asking) return;
    asking = true;
    redis
      .ping()
      .then(close, () => undefined)
      .finally(() => (asking = false));
  };

  return {
    isOpen: () => timer !== undefined,
    trip: () => {
      if (timer !== undefined) return;
      silentSince = now();
      timer = setInterval(probe, probeInterval).unref();
    },
    close,
  };
}
