import { describeOnRedis } from '../support/redis.js';
import { redisCredentials } from '../support/redis-credentials.js';

describeOnRedis('6.2', 'the gateway’s Redis credentials', redisCredentials, { appendOnly: true });
