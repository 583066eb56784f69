import { permissionEpochKey } from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';
import { LuaScript } from './lua-script.js';
import type { Revocations } from './revocations.js';

const raise = new LuaScript('raise-epoch');
/** Longer than a login can take. */
const life = 900_000;

/**
 * That somebody replaced a user's roles, for logins under way: they asked the permission service
 * before, and the push could not see their session yet (ATTACKS 12).
 */
export class PermissionPushes {
  readonly #redis: RedisConnection;
  readonly #revocations: Pick<Revocations, 'advance'>;

  constructor(redis: RedisConnection, revocations: Pick<Revocations, 'advance'>) {
    this.#redis = redis;
    this.#revocations = revocations;
  }

  /** Before the push looks for sessions: whichever login it misses then sees this. */
  async announce(userId: string): Promise<void> {
    const seq = await this.#revocations.advance();
    await raise.run(this.#redis, [permissionEpochKey(userId)], [seq, life]);
  }

  /** To be asked once the session is created. */
  async anySince(userId: string, seq: number): Promise<boolean> {
    return Number((await this.#redis.get(permissionEpochKey(userId))) ?? 0) > seq;
  }
}
