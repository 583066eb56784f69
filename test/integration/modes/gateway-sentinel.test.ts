import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from '@jest/globals';
import { startModeStack, type ModeStack } from '../../support/mode-stack.js';
import {
  startSentinelRig,
  type SentinelRig,
  type SentinelRigOptions,
} from '../../support/sentinel.js';
import { redisHasTls, tlsFiles } from '../../support/tls-files.js';
import { itServesSessions } from './gateway-journey.js';

function onSentinel(options: (directory: string) => SentinelRigOptions): void {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-gateway-sentinel-'));
  let rig: SentinelRig | undefined;
  let stack: ModeStack | undefined;
  beforeAll(async () => {
    rig = await startSentinelRig(directory, options(directory));
    stack = await startModeStack({ readerEnv: rig.env, writerEnv: rig.writerEnv });
  });
  afterAll(async () => {
    await stack?.close();
    await rig?.close();
    rmSync(directory, { recursive: true, force: true });
  });
  itServesSessions(() => stack as ModeStack);
}

describe('the services behind sentinels', () => {
  describe('of version 6.2', () => onSentinel(() => ({ version: '6.2' })));
  describe(`of this machine${redisHasTls ? ', over mutual TLS' : ''}`, () => {
    onSentinel((directory) => (redisHasTls ? { tls: tlsFiles(join(directory, 'tls')) } : {}));
  });
});
