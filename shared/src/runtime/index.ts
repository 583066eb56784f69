export * from './env.js';
export * from './env-types.js';
export * from './health.js';
export * from './lifecycle.js';
export * from './logger.js';
export * from './management-server.js';
export * from './redis.js';
export * from './redis-config.js';
export { Counter, Gauge, Histogram, Registry } from 'prom-client';
