import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { closeRedis, connectOrFail, type RedisConnection } from '@sallyport/shared/runtime';
import { startSentinelRig, type SentinelRig } from '../../support/sentinel.js';
import { until } from '../../support/until.js';

describe('a sentinel that is cut off together with the primary', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-majority-'));
  let rig: SentinelRig;
  let writer: RedisConnection;
  beforeAll(async () => {
    rig = await startSentinelRig(directory, { partitionable: true });
    writer = rig.connectWriter();
    await connectOrFail(writer, 5_000);
  });
  afterAll(async () => {
    await closeRedis(writer);
    await rig.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const write = (key: string): Promise<boolean> =>
    writer.set(`gateway:rl:${key}`, '1', 'EX', 60).then(
      () => true,
      () => false,
    );
  const primaryHas = async (key: string): Promise<boolean> =>
    (await (await rig.master()).exists(`gateway:rl:${key}`)) === 1;

  it('R4: is not believed, although it is asked first and its primary still takes writes', async () => {
    const before = await rig.masterIndex();
    rig.isolate({ servers: [before], sentinels: [0] });
    await until(async () => ![-1, before].includes(await rig.masterIndex()));
    expect(await rig.admins[before]?.set('gateway:rl:of-yesterday', '1', 'EX', 60)).toBe('OK');
    await until(async () => (await write('one')) && (await primaryHas('one')));
    // It stays there, also when it must connect anew.
    await (await rig.master()).client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await until(async () => (await write('two')) && (await primaryHas('two')));

    rig.heal();
    await until(async () => {
      const [role] = (await rig.admins[before]?.role()) ?? [];
      return role === 'slave';
    });
    await until(async () => (await write('three')) && (await primaryHas('three')));
  });
});
