import { defaultSessionKeyPrefix, sessionKey } from '@sallyport/shared';
import { RedisSessionStore } from '../../session-gateway/src/sessions/redis-session-store.js';
import { users, type TestRedis } from '../support/redis.js';
import { until } from '../support/until.js';
import { sessionRecordsContract } from './session-records.contract.js';
import { sessionStoreContract } from './session-store.contract.js';

/** Both contracts on one server, through the shipped writer user. */
export function redisStoreContracts(title: string, redis: () => TestRedis): void {
  sessionStoreContract(title, async () => {
    const writer = await redis().connect(users.writer);
    return {
      store: new RedisSessionStore(writer, { prefix: defaultSessionKeyPrefix }),
      now: async () => Number((await writer.time())[0]),
      runOut: (handle) =>
        until(async () => (await writer.pttl(sessionKey(defaultSessionKeyPrefix, handle))) === -2),
      close: () => Promise.resolve(),
    };
  });
  sessionRecordsContract(redis);
}
