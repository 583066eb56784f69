import { describeOnRedis } from '../support/redis.js';
import { redisStoreContracts } from './redis-store.js';

describeOnRedis('7', 'Redis 7', (redis) => {
  redisStoreContracts('SessionStore (Redis 7)', redis);
});
