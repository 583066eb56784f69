import type { SessionId } from '@sallyport/shared';
import { sessionHandle } from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import { check } from '../../extauthz/src/check.js';
import { redisSessionReader } from '../../extauthz/src/redis-session-reader.js';
import { noFile, someFacts } from './facts.js';
import type { Seen } from './role-ledger.js';

/** Whether extauthz lets somebody in, asked of its own parts without the cache. */
export type SessionReader = (id: SessionId, lane: 'cookie' | 'bearer') => Promise<Seen>;

export function sessionReader(redis: RedisConnection): SessionReader {
  const reader = redisSessionReader({
    redis,
    prefix: 'extauthz:session:',
    breaker: { isOpen: () => false, trip: () => undefined },
    role: { confirm: () => undefined, vouches: () => true, refused: () => undefined },
    now: () => performance.now(),
    onError: (reason) => {
      throw new Error(reason);
    },
    onCorrupt: () => undefined,
  });
  return async (id, lane) => {
    const { lookup } = await reader.read(sessionHandle(id, 'hashed'));
    const facts = someFacts(
      lane === 'cookie'
        ? { cookie: `__Host-session=${id}` }
        : { cookie: undefined, authorization: `Bearer ${id}` },
    );
    const decision = check(facts, lookup, noFile, Date.now());
    if (decision.outcome !== 'allow' || decision.session === undefined) return { allowed: false };
    const { userId, roles, permissions } = decision.session;
    return { allowed: true, userId, roles, permissions };
  };
}
