import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from '@jest/globals';
import { startModeStack, type ModeStack } from '../../support/mode-stack.js';
import { redisCluster, users, type TestRedis, type TestRedisOptions } from '../../support/redis.js';
import { redisHasTls, tlsFiles } from '../../support/tls-files.js';
import { itServesSessions } from './gateway-journey.js';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-gateway-cluster-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Three primaries, each with a replica, which must have every revocation (the default there). */
function onCluster(options: () => TestRedisOptions): void {
  let redis: TestRedis | undefined;
  let stack: ModeStack | undefined;
  beforeAll(async () => {
    redis = await redisCluster({ appendOnly: true, replicas: 1, ...options() });
    stack = await startModeStack({
      readerEnv: redis.env(users.reader),
      writerEnv: redis.env(users.writer),
    });
  });
  afterAll(async () => {
    await stack?.close();
    await redis?.close();
  });
  itServesSessions(() => stack as ModeStack);
}

describe('the services on a Cluster', () => {
  describe('of version 6.2', () => onCluster(() => ({ version: '6.2' })));
  describe(`of this machine${redisHasTls ? ', over mutual TLS' : ''}`, () => {
    onCluster(() => (redisHasTls ? { tls: tlsFiles(join(directory, 'tls')) } : {}));
  });
});
