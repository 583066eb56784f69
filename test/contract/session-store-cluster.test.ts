import { describeOnRedis } from '../support/redis.js';
import { redisStoreContracts } from './redis-store.js';

describeOnRedis('cluster', 'Redis Cluster', (redis) => {
  redisStoreContracts('SessionStore (Redis Cluster)', redis);
});
