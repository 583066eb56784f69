import { endedSessionKey, type SessionHandle } from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';

/** Why a session ended that its owner did not end; also the `reason` of the answer. */
export const endReasons = ['session_ended_at_idp', 'session_subject_changed'] as const;
export type EndReason = (typeof endReasons)[number];

/** How long whoever comes back is told the reason and not just "not logged in", seconds. */
const remembered = 600;

/** Tells the next answer why there is no session any more. Decides nothing: it may be lost. */
export class EndedSessions {
  readonly #redis: RedisConnection;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  async remember(handle: SessionHandle, reason: EndReason): Promise<void> {
    await this.#redis.set(endedSessionKey(handle), reason, 'EX', remembered);
  }

  async reasonOf(handle: SessionHandle): Promise<EndReason | undefined> {
    const found = await this.#redis.get(endedSessionKey(handle));
    return endReasons.find((reason) => reason === found);
  }
}
