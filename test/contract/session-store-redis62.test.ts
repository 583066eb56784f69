import { describeOnRedis } from '../support/redis.js';
import { redisStoreContracts } from './redis-store.js';

describeOnRedis('6.2', 'Redis 6.2', (redis) => {
  redisStoreContracts('SessionStore (Redis 6.2)', redis);
});
