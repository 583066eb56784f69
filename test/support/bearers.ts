import { defaultSessionKeyPrefix, sessionKey, type SessionId } from '@sallyport/shared';
import type { Redis } from 'ioredis';
import { openExchanged } from './exchanged-session.js';
import type { InProcessGateway } from './in-process-gateway.js';
import { handleOf, rolesIn } from './session-world-scene.js';

/** Sessions of exchanged tokens, and when each token ends, by Redis's clock. */
export class Bearers {
  readonly #admin: Redis;
  readonly #exchanger: InProcessGateway;
  readonly #issuer: string;
  readonly #rolesOf: (userId: string) => number;
  /** Epoch seconds. */
  readonly #ends = new Map<SessionId, number>();

  constructor(
    parts: { readonly admin: Redis; readonly exchanger: InProcessGateway; readonly issuer: string },
    rolesOf: (userId: string) => number,
  ) {
    this.#admin = parts.admin;
    this.#exchanger = parts.exchanger;
    this.#issuer = parts.issuer;
    this.#rolesOf = rolesOf;
  }

  /** @returns whether the id was given to somebody */
  async open(
    id: SessionId,
    person: string,
    seconds: number,
    onBegan: () => void,
  ): Promise<boolean> {
    const end = Number((await this.#admin.time())[0]) + seconds;
    const opening = openExchanged(this.#exchanger, id, {
      ...{ person, issuer: this.#issuer, onBegan },
      seconds: () => Math.max(1, Math.floor(end - Date.now() / 1000)),
      grants: () => Promise.resolve({ userId: person, ...rolesIn(person, this.#rolesOf(person)) }),
    });
    this.#ends.set(id, end);
    return opening.then(
      () => true,
      () => false,
    );
  }

  /** What is wrong: I9, by what stands in the record and by its TTL. */
  async beyondTheirTokens(): Promise<string[]> {
    const found: string[] = [];
    for (const [id, end] of this.#ends) {
      const key = sessionKey(defaultSessionKeyPrefix, handleOf(id));
      const both = (await this.#admin.eval(look, 1, key)) as [string | null, string];
      const [recorded, byTtl] = both.map(Number);
      if ((recorded ?? 0) > end || (byTtl ?? 0) > end + 1) {
        found.push(`I9 a session ends at ${both.join(' and ')}, its token at ${String(end)}`);
      }
    }
    return found;
  }
}

/** Both ends, epoch seconds; 0 where there is no such session. */
const look = `
local ttl = redis.call('PTTL', KEYS[1])
if ttl == -2 then return { '0', '0' } end
if ttl == -1 then return { '0', '9e99' } end
local ends = redis.call('HGET', KEYS[1], 'expires_at')
return { ends or '9e99', tostring(tonumber(redis.call('TIME')[1]) + ttl / 1000) }`;
