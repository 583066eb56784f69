import { describeOnRedis } from '../support/redis.js';
import { redisCredentials } from '../support/redis-credentials.js';

describeOnRedis('cluster', 'the gateway’s Redis credentials, on a Cluster', redisCredentials, {
  appendOnly: true,
});
