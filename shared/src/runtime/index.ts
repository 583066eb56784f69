export * from './env.js';
export * from './env-types.js';
export * from './health.js';
export * from './lifecycle.js';
export * from './line-file.js';
export * from './logger.js';
export * from './management-server.js';
export * from './node-settings.js';
export * from './redis.js';
export * from './redis-config.js';
export {
  beginConnecting,
  closeRedis,
  connectOrFail,
  type RedisConnection,
} from './redis-connection.js';
export * from './redis-error.js';
export * from './text-lines.js';
export { Counter, Gauge, Histogram, Registry } from 'prom-client';
