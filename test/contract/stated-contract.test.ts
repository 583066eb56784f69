import { beforeEach, expect, it } from '@jest/globals';
import {
  contractKey,
  contractLease,
  contractOf,
  contractText,
  type RecordContract,
} from '@sallyport/shared';
import { createLogger, type RedisConnection } from '@sallyport/shared/runtime';
import type { Redis } from 'ioredis';
import { stateContract, statedContract } from '../../session-gateway/src/stated-contract.js';
import { describeOnRedis, users } from '../support/redis.js';
import { until } from '../support/until.js';

const ours = contractOf({ keyForm: 'hashed', keyPrefix: 'a:', cookieName: '__Host-session' });
const next: RecordContract = { ...ours, version: ours.version + 1 };
const raw: RecordContract = { ...ours, keyForm: 'raw' };
const logger = createLogger({ name: 'test', level: 'silent' });

describeOnRedis('6.2', 'the contract that a gateway states', suite);
describeOnRedis('cluster', 'the contract that a gateway states, on a Cluster', suite);

function suite(redis: Parameters<Parameters<typeof describeOnRedis>[2]>[0]): void {
  let writer: RedisConnection;
  let reader: RedisConnection;
  beforeEach(async () => {
    for (const admin of redis().admins) await admin.flushall();
    [writer, reader] = [await redis().connect(users.writer), await redis().connect(users.reader)];
  });
  /** As extauthz sees it. */
  const said = async () => Object.keys(await reader.hgetall(contractKey)).sort();
  /** The server that holds the key. */
  const owner = async (): Promise<Redis> => {
    for (const admin of redis().admins) {
      if ((await admin.keys(contractKey)).length > 0) return admin;
    }
    throw new Error('nobody has it');
  };

  it('stands for its lease, and is read by extauthz’s own user', async () => {
    expect(await stateContract(writer, ours)).toEqual([]);
    expect(await said()).toEqual([contractText(ours)]);
    const ttl = await (await owner()).pttl(contractKey);
    expect(ttl).toBeGreaterThan(contractLease - 30_000);
    expect(ttl).toBeLessThanOrEqual(contractLease);
    await expect(reader.hset(contractKey, 'a', 'b')).rejects.toThrow('NOPERM');
    await expect(reader.del(contractKey)).rejects.toThrow('NOPERM');
  });

  it('stands beside that of a neighbouring version, and keeps it', async () => {
    expect(await stateContract(writer, next)).toEqual([]);
    expect(await stateContract(writer, ours)).toEqual([]);
    expect(await stateContract(writer, next)).toEqual([]);
    expect(await said()).toEqual([contractText(ours), contractText(next)]);
  });

  it('is not stated against one that stands, whose words are left as they are', async () => {
    await stateContract(writer, raw);
    expect(await stateContract(writer, ours)).toEqual([
      expect.stringContaining('SESSION_KEY_FORM is raw there and hashed here. Neither would'),
    ]);
    expect(await said()).toEqual([contractText(raw)]);
  });

  it('is stated once the other’s lease has ended, and takes it out', async () => {
    await stateContract(writer, raw);
    const [seconds = 0] = await (await owner()).time();
    await writer.hset(contractKey, contractText(raw), seconds * 1000 - 1);
    await writer.hset(contractKey, 'canary', 'without a lease');
    expect(await stateContract(writer, ours)).toEqual([]);
    expect(await said()).toEqual([contractText(ours)]);
  });

  it('is had by one only of those who disagree and start together', async () => {
    for (let round = 0; round < 20; round += 1) {
      await writer.del(contractKey);
      const starts = [ours, raw, next, { ...raw, keyPrefix: 'b:' }].map(async (contract) => {
        const problems = await stateContract(writer, contract);
        return problems.length === 0 ? contractText(contract) : undefined;
      });
      const stated = (await Promise.all(starts)).filter((text) => text !== undefined).sort();
      // The neighbours fit each other; of the rest one is alone.
      expect([1, 2]).toContain(stated.length);
      if (stated.length === 2) expect(stated).toEqual([contractText(ours), contractText(next)]);
      expect(await said()).toEqual(stated);
    }
  });

  it('is stated again by a gateway that runs, whoever came while Redis had lost it', async () => {
    const unit = statedContract(writer, ours, logger);
    await unit.start();
    await writer.del(contractKey);
    expect(await stateContract(writer, raw)).toEqual([]);
    writer.disconnect(true);
    await until(async () => (await said()).length === 2);
    expect(await said()).toEqual([contractText(ours), contractText(raw)]);
    await unit.stop();
  });

  it('does not keep a gateway from starting where it cannot be stated now', async () => {
    await writer.set(contractKey, 'of another type');
    const unit = statedContract(writer, ours, logger);
    await unit.start();
    await writer.del(contractKey);
    writer.disconnect(true);
    await until(async () => (await said()).length === 1);
    await unit.stop();
  });
}
