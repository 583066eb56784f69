import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newSessionId, type SessionId } from '@sallyport/shared';
import {
  keyOf,
  startFailureRig,
  writeSession,
  type FailureRig,
} from '../../support/failure-rig.js';
import { until } from '../../support/until.js';

const hour = 3_600_000;
// From the sources: this file is built elsewhere.
const preload = pathToFileURL(join(process.cwd(), 'test/support/skewed-clock.mjs')).href;
/** What the service promises for an answer "no such session". */
const negativeLifetime = 1_000;

/** TRUST R15: whose clock is wrong neither ends nor prolongs a session; that is Redis's to say. */
describe.each([hour, -hour])('an extauthz whose clock is %i ms off', (skew) => {
  let rig: FailureRig;
  beforeAll(async () => {
    rig = await startFailureRig({
      // Where DEBUG is there without a setting that other versions do not know.
      version: '6.2',
      env: () => ({
        NODE_OPTIONS: `--import ${preload}`,
        CLOCK_SKEW_MS: String(skew),
      }),
    });
    // What Redis deletes by itself it also reports; here only the service's own count may end a session.
    await rig.admin.call('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
  });
  afterAll(() => rig.close());

  const redisTime = async (): Promise<number> => {
    const [seconds, microseconds] = await rig.admin.time();
    return Number(seconds) * 1000 + Number(microseconds) / 1000;
  };
  const reads = () => rig.calls('hmget');
  const reason = async (id: SessionId): Promise<string | undefined> => {
    const { status, body } = await rig.http(id);
    return status === 200 ? undefined : (JSON.parse(body) as { reason: string }).reason;
  };

  /** In memory by Redis's own count: the answer cost it no read. */
  const isInMemory = async (id: SessionId): Promise<boolean> => {
    const before = await reads();
    const statuses = await rig.statuses(id);
    return statuses.every((status) => status === 200) && (await reads()) === before;
  };
  /** One that was answered from memory before it ended; longer and longer on a busy machine. */
  const rememberedAndOver = async (
    make: (ms: number) => Promise<SessionId>,
  ): Promise<SessionId> => {
    for (let ms = 1_500; ; ms *= 2) {
      const id = await make(ms);
      const end = (await redisTime()) + ms;
      await rig.http(id);
      const remembered = await isInMemory(id);
      await until(async () => (await redisTime()) > end);
      if (remembered) return id;
    }
  };

  it('has another clock indeed', () => {
    const [first = ''] = rig.service.log().split('\n');
    const { time } = JSON.parse(first) as { time: string };
    expect(Math.abs(Date.parse(time) - Date.now() - skew)).toBeLessThan(hour / 4);
  });

  it('answers from memory for a session that is good for minutes', async () => {
    const id = await rig.write();
    await rig.turn(id, 200, [503]);
    await until(() => isInMemory(id));
    for (let again = 0; again < 20; again += 1) await rig.turn(id, 200);
  });

  it('forgets a session when its key ends, though nobody reports it and its fields say longer', async () => {
    const id = await rememberedAndOver(async (ms) => {
      const one = await rig.write();
      await rig.admin.pexpire(keyOf(one), ms);
      return one;
    });
    const before = await reads();
    await rig.turn(id, 401, [503]);
    await until(async () => (await reason(id)) === 'unknown_session');
    expect(await reads()).toBeGreaterThan(before);
  });

  it('ends a session by its fields, though its key stays', async () => {
    const id = await rememberedAndOver(async (ms) => {
      // Whole seconds: the first that is not before the end.
      const end = Math.ceil(((await redisTime()) + ms) / 1000);
      return rig.write({ expiresAt: end });
    });
    await until(async () => (await reason(id)) === 'expired_session');
    await rig.turn(id, 401, [503]);
    expect(await rig.admin.pttl(keyOf(id))).toBeGreaterThan(0);
  });

  it('lets a session in that was unknown a moment ago', async () => {
    const id = newSessionId();
    await rig.turn(id, 401, [503]);
    await writeSession(rig.admin, {}, 600, id);
    await rig.turn(id, 200, [401, 503]);
  });

  it('asks again for an unknown id after a second, and not for each check before', async () => {
    const id = newSessionId();
    await until(async () => {
      await rig.turn(id, 401, [503]);
      const before = await reads();
      for (let again = 0; again < 10; again += 1) await rig.statuses(id);
      return (await reads()) === before;
    });
    for (let round = 0; round < 2; round += 1) {
      // Whatever is remembered now was learnt before now.
      const [known, before] = [performance.now(), await reads()];
      await until(() => performance.now() - known > negativeLifetime + 50);
      await rig.turn(id, 401, [503]);
      expect(await reads()).toBeGreaterThan(before);
    }
  });
});
