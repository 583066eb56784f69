import { logoutTokenKey } from '@sallyport/shared';
import type { RedisConnection } from '@sallyport/shared/runtime';

/**
 * Which logout tokens have done their work, and under which revocation. Recorded after success only,
 * so that a death in between loses nothing; and a token that comes again ends what it ended, not the
 * session the person has begun since (ATTACKS 27).
 */
export class LogoutTokenLog {
  readonly #redis: RedisConnection;
  readonly #lifeSeconds: number;

  constructor(redis: RedisConnection, lifeSeconds: number) {
    this.#redis = redis;
    this.#lifeSeconds = lifeSeconds;
  }

  async revocationOf(iss: string, jti: string): Promise<number | undefined> {
    const seq = await this.#redis.get(logoutTokenKey(iss, jti));
    return seq === null ? undefined : Number(seq);
  }

  async record(iss: string, jti: string, seq: number): Promise<void> {
    await this.#redis.set(logoutTokenKey(iss, jti), String(seq), 'EX', this.#lifeSeconds, 'NX');
  }
}
