import type { Unit } from '@sallyport/shared/runtime';
import type { Redis } from 'ioredis';
import { authority } from './authority.js';
import type { Trust } from './cached-session-reader.js';
import type { InvalidationLink } from './invalidation-link.js';

export interface SameServerTrustOptions {
  readonly redis: Redis;
  readonly link: InvalidationLink;
  /** Whether the server said less than the bound ago that it is a primary. */
  readonly vouched: (now: number) => boolean;
  /** Fails where the server that sessions are read from is not entitled to answer. */
  readonly prove: (redis: Redis) => Promise<unknown>;
  readonly now: () => number;
  readonly onError: (reason: string) => void;
}

export interface SameServerTrust {
  readonly trust: Trust;
  readonly isTrusted: (now: number) => boolean;
  readonly units: readonly Unit[];
}

/**
 * The link and the data connection are dialled apart. Behind sentinels, a Service or an address that
 * moves they may lead to different servers, and then the one reports changes of sessions that the
 * other does not serve (ATTACKS 2).
 */
export function sameServerTrust(options: SameServerTrustOptions): SameServerTrust {
  const { redis, link, vouched, prove, now, onError } = options;
  const agree = (server: string): void => {
    const watched = link.server();
    // The later one was dialled where the name leads now; a server of yesterday lets go of neither.
    if (watched !== undefined && watched !== server && link.armedAt() > entitled.connectedAt()) {
      redis.disconnect(true);
    } else {
      link.keepOnlyIf(server);
    }
  };
  const entitled = authority({ redis, prove, onProved: agree, now, onError });
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
