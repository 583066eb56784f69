import { beforeEach, expect, it } from '@jest/globals';
import { activityStreamKey } from '@sallyport/shared';
import type { Redis } from 'ioredis';
import { ActivityStream } from '../../session-gateway/src/sessions/activity-stream.js';
import { describeOnRedis, users, type TestRedis } from '../support/redis.js';

function suite(redis: () => TestRedis): void {
  let admin: Redis;
  const consumer = async (name: string, forgetAfter?: number): Promise<ActivityStream> =>
    new ActivityStream(await redis().connect(users.writer), name, forgetAfter);
  const known = async (): Promise<string[]> => {
    const consumers = await admin.xinfo('CONSUMERS', activityStreamKey, 'gateway');
    return (consumers as [string, string][]).map(([, name]) => name).sort();
  };
  /** Redis knows a consumer once it was given something. */
  const used = async (one: ActivityStream): Promise<void> => {
    await admin.xadd(activityStreamKey, '*', 'h', 'x');
    await one.confirm((await one.readNew(10)).map(({ id }) => id));
  };

  beforeEach(async () => {
    ({ admin } = redis());
    await admin.flushall();
  });

  it('forgets replicas that have gone, but for one whose entries nobody has confirmed', async () => {
    const [busy, gone] = [await consumer('busy'), await consumer('gone')];
    const sweeper = await consumer('sweeper', 0);
    await busy.repair();
    await used(gone);
    await admin.xadd(activityStreamKey, '*', 'h', 'x');
    const entries = await busy.readNew(10);
    await busy.repair();
    expect(await known()).toEqual(['busy', 'gone']);

    expect(await sweeper.repair()).toBe('nothing');
    expect(await known()).toEqual(['busy']);
    expect(await sweeper.claim(0, 10)).toBe(1);
    expect(await sweeper.readPending(10)).toEqual(entries);

    await sweeper.confirm(entries.map(({ id }) => id));
    await sweeper.repair();
    expect(await known()).toEqual([]);
  });

  it('takes one that was only paused as if nothing had been', async () => {
    const [paused, sweeper] = [await consumer('paused'), await consumer('sweeper', 0)];
    await paused.repair();
    await used(paused);
    expect(await known()).toEqual(['paused']);
    await sweeper.repair();
    expect(await known()).toEqual([]);
    await admin.xadd(activityStreamKey, '*', 'h', 'x');
    expect((await paused.readNew(10)).map(({ handle }) => handle)).toEqual(['x']);
    expect(await known()).toEqual(['paused']);
  });
}

describeOnRedis('6.2', 'consumers of the activity stream, Redis 6.2', suite);
describeOnRedis('7', 'consumers of the activity stream, Redis 7', suite);
