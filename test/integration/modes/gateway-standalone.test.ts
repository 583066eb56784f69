import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startModeStack, type ModeStack } from '../../support/mode-stack.js';
import {
  redisStandalone,
  users,
  type TestRedis,
  type TestRedisOptions,
} from '../../support/redis.js';
import { redisHasTls, tlsFiles } from '../../support/tls-files.js';
import { itServesSessions } from './gateway-journey.js';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-standalone-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function onStandalone(options: () => TestRedisOptions): void {
  let redis: TestRedis | undefined;
  let stack: ModeStack | undefined;
  beforeAll(async () => {
    redis = await redisStandalone({ appendOnly: true, ...options() });
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

  it('says that it is ready', async () => {
    expect((await fetch(`${String(stack?.gateway.managementOrigin)}/readyz`)).status).toBe(200);
  });
}

describe('the services on one Redis', () => {
  describe('with the shipped users', () => onStandalone(() => ({})));
  describe('of version 6.2', () => onStandalone(() => ({ version: '6.2' })));
  const overTls = redisHasTls ? describe : describe.skip;
  overTls('over mutual TLS', () => {
    onStandalone(() => ({ tls: tlsFiles(join(directory, 'tls')) }));
  });
  overTls('over TLS, without a client certificate', () => {
    onStandalone(() => ({ tls: tlsFiles(join(directory, 'one-sided'), 'optional') }));
  });
});
