import { activityStreamKey, sessionKey, type SessionHandle } from '@sallyport/shared';
import type { Unit } from '@sallyport/shared/runtime';
import keySlot from 'cluster-key-slot';
import type { Cluster, Redis } from 'ioredis';
import { nameOf, ownerName, ownerNames, ownKey, slotCount } from '../cluster-slots.js';
import { authority, type Authority } from './authority.js';
import type { Trust } from './cached-session-reader.js';
import type { InvalidationLink } from './invalidation-link.js';
import { proveByWriting } from './prove-by-writing.js';

export interface ClusterTrustOptions {
  readonly cluster: Cluster;
  readonly prefix: string;
  /** A link to one primary. */
  readonly openLink: (node: { host: string; port: number }) => InvalidationLink;
  readonly onFlush: () => void;
  readonly now: () => number;
  readonly onError: (reason: string) => void;
}

export interface ClusterTrust {
  readonly trust: Trust;
  /** The connection to the primary that the handle's link watches. */
  readonly owner: (handle: SessionHandle) => Redis | undefined;
  readonly isTrusted: (now: number) => boolean;
  readonly units: readonly Unit[];
}

interface Primary {
  readonly redis: Redis;
  readonly link: InvalidationLink;
  readonly entitled: Authority;
  /** Generations of two primaries, or of one that came back, never meet. */
  readonly firstGeneration: number;
  /** Something was answered from memory, or kept, on its word since the last flush. */
  reliedOn: boolean;
}

const generationsPerPrimary = 1e9;

/**
 * One link per primary: each reports the changes of its own slots only (ATTACKS 7).
 *
 * Who owns a slot is this module's own copy of the map, taken together with a flush: what was kept
 * on one primary's word must never be served on another's.
 */
export function clusterTrust(options: ClusterTrustOptions): ClusterTrust {
  const { cluster, prefix, now } = options;
  const primaries = new Map<string, Primary>();
  const owners: (Primary | undefined)[] = new Array<undefined>(slotCount).fill(undefined);
  const names: (string | undefined)[] = new Array<undefined>(slotCount).fill(undefined);
  const endings = new Set<Promise<void>>();
  let arrivals = 0;

  const slotOf = (handle: SessionHandle): number => keySlot(sessionKey(prefix, handle));

  /** Undefined also where the Cluster's map says more than the copy that the cache rests on. */
  const ownerOf = (handle: SessionHandle): Primary | undefined => {
    const slot = slotOf(handle);
    return cluster.slots[slot]?.[0] === names[slot] ? owners[slot] : undefined;
  };

  const isProved = ({ link, entitled }: Primary, time: number): boolean => {
    const server = entitled.server(time);
    return link.isTrusted(time) && server !== undefined && server === link.server();
  };

  const admit = (name: string, redis: Redis): void => {
    const { host = '127.0.0.1', port = 6379 } = redis.options;
    const link = options.openLink({ host, port });
    const prove = proofFor(name, cluster, prefix);
    const entitled = authority({
      redis,
      prove,
      onProved: (server) => link.keepOnlyIf(server),
      now,
      onError: options.onError,
    });
    arrivals += 1;
    const firstGeneration = arrivals * generationsPerPrimary;
    primaries.set(name, { redis, link, entitled, firstGeneration, reliedOn: false });
    void link.start();
    void entitled.start();
  };

  const dismiss = (name: string, { link, entitled }: Primary): void => {
    primaries.delete(name);
    const ending = Promise.all([link.stop(), entitled.stop()]).then(() => undefined);
    endings.add(ending);
    void ending.finally(() => endings.delete(ending));
  };

  /**
   * Who is there and who owns what, anew. Everything known is dropped where something was kept on
   * the word of a primary that no longer owns its slot, or is another connection by now; not for one
   * that hangs and is dialled again and again, which must not empty the cache of the others.
   */
  const survey = (): void => {
    const owning = ownerNames(cluster);
    // Not those that were only named at the start: a name of their own may hide a node twice.
    const nodes = cluster.nodes('master').filter((redis) => owning.has(nameOf(redis)));
    const found = new Map(nodes.map((redis) => [nameOf(redis), redis]));
    let inDoubt = false;
    for (const [name, primary] of primaries) {
      if (found.get(name) === primary.redis) continue;
      dismiss(name, primary);
    }
    for (const [name, redis] of found) {
      if (!primaries.has(name)) admit(name, redis);
    }
    for (let slot = 0; slot < slotCount; slot += 1) {
      const name = cluster.slots[slot]?.[0];
      const owner = name === undefined ? undefined : primaries.get(name);
      if (owners[slot] !== owner) inDoubt ||= owners[slot]?.reliedOn === true;
      names[slot] = name;
      owners[slot] = owner;
    }
    if (inDoubt) options.onFlush();
  };

  const topology = ['+node', '-node', 'refresh'] as const;
  return {
    trust: {
      isTrusted: (time, handle) => {
        const owner = ownerOf(handle);
        if (owner === undefined || !isProved(owner, time)) return false;
        owner.reliedOn = true;
        return true;
      },
      generation: (handle) => {
        const owner = ownerOf(handle);
        return owner === undefined ? 0 : owner.firstGeneration + owner.link.generation();
      },
      // One primary in doubt must not empty the cache of the others with every check.
      isFlushDue: (handle) => {
        const owner = ownerOf(handle);
        if (owner?.reliedOn !== true) return false;
        owner.reliedOn = false;
        return true;
      },
    },
    owner: (handle) => {
      const redis = ownerOf(handle)?.redis;
      return redis?.status === 'ready' ? redis : undefined;
    },
    isTrusted: (time) =>
      primaries.size > 0 && [...primaries.values()].every((primary) => isProved(primary, time)),
    units: [
      {
        name: 'cluster trust',
        start: () => {
          for (const event of topology) cluster.on(event, survey);
          survey();
          return Promise.resolve();
        },
        stop: async () => {
          for (const event of topology) cluster.off(event, survey);
          for (const [name, primary] of primaries) dismiss(name, primary);
          await Promise.all(endings);
        },
      },
    ],
  };
}

/** A keyed read in one of the primary's own slots; the owner of the activity stream's must also write. */
function proofFor(
  name: string,
  cluster: Cluster,
  prefix: string,
): (redis: Redis) => Promise<unknown> {
  const key = ownKey(cluster, prefix, name);
  return async (redis) => {
    const isStreamOwner = ownerName(cluster, activityStreamKey) === name;
    await Promise.all([redis.pttl(key()), ...(isStreamOwner ? [proveByWriting(redis)] : [])]);
  };
}
