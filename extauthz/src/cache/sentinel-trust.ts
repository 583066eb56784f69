import { activityStreamKey } from '@sallyport/shared';
import type { Unit } from '@sallyport/shared/runtime';
import type { Redis } from 'ioredis';
import { authority } from './authority.js';
import type { Trust } from './cached-session-reader.js';
import type { InvalidationLink } from './invalidation-link.js';

/** As the activity's: the proof must not let the stream grow either. */
const streamLength = 100_000;

/**
 * A write that a demoted (READONLY) or isolated primary (NOREPLICAS) refuses. The gateway reads only
 * the field `h`; where there is no stream nothing is written, and it is refused all the same.
 */
export function proveByWriting(redis: Redis): Promise<unknown> {
  return redis.xadd(activityStreamKey, 'NOMKSTREAM', 'MAXLEN', '~', streamLength, '*', 'p', '1');
}

/**
 * Behind sentinels the link and the data connection are resolved apart: for a while they may lead to
 * different servers, and then one of them reports changes of sessions that the other does not serve.
 */
export function sentinelTrust(options: {
  redis: Redis;
  link: InvalidationLink;
  /** Whether the server said less than the bound ago that it is a primary. */
  vouched: (now: number) => boolean;
  now: () => number;
  onError: (reason: string) => void;
}): { trust: Trust; isTrusted: (now: number) => boolean; units: readonly Unit[] } {
  const { redis, link, vouched, now, onError } = options;
  const entitled = authority({
    redis,
    prove: proveByWriting,
    // Nobody else would close a link to a master of yesterday that still answers PING.
    onProved: (server) => link.keepOnlyIf(server),
    now,
    onError,
  });
  const isSameServer = (time: number): boolean => {
    const server = entitled.server(time);
    return server !== undefined && server === link.server();
  };
  const isTrusted = (time: number): boolean =>
    link.isTrusted(time) && vouched(time) && isSameServer(time);
  return {
    trust: { isTrusted, generation: link.generation, isFlushDue: () => true },
    isTrusted,
    units: [entitled, link],
  };
}
