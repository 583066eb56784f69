import { describeOnRedis } from '../support/redis.js';
import { redisStoreContracts } from './redis-store.js';

describeOnRedis('cluster', 'Redis Cluster', (redis) => {
  redisStoreContracts('reg-A18: SessionStore (Redis Cluster)', redis);
});
