import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from '@jest/globals';
import { startModeStack, type ModeStack } from '../../support/mode-stack.js';
import { redisCluster, users, type TestRedis, type TestRedisOptions } from '../../support/redis.js';
import { redisHasTls, tlsFiles } from '../../support/tls-files.js';
import { itServesSessions } from './gateway-journey.js';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-gateway-cluster-'));

/** Three primaries, each with a replica, which must have every revocation (the default there). */
const cluster = (options: TestRedisOptions) =>
  redisCluster({ appendOnly: true, replicas: 1, ...options });
let clusters: readonly TestRedis[] = [];
beforeAll(async () => {
  const tls = redisHasTls ? { tls: tlsFiles(join(directory, 'tls')) } : {};
  // Together: their nodes mostly wait to hear of each other.
  clusters = await Promise.all([cluster({ version: '6.2' }), cluster(tls)]);
});
afterAll(async () => {
  await Promise.all(clusters.map((redis) => redis.close()));
  rmSync(directory, { recursive: true, force: true });
});

function onCluster(at: number): void {
  let stack: ModeStack | undefined;
  beforeAll(async () => {
    const redis = clusters[at] as TestRedis;
    stack = await startModeStack({
      readerEnv: redis.env(users.reader),
      writerEnv: redis.env(users.writer),
    });
  });
  afterAll(() => stack?.close());
  itServesSessions(() => stack as ModeStack);
}

describe('the services on a Cluster', () => {
  describe('of version 6.2', () => onCluster(0));
  describe(`of this machine${redisHasTls ? ', over mutual TLS' : ''}`, () => {
    onCluster(1);
  });
});
