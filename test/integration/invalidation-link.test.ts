import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { startRedis, type RedisProcess } from '@sallyport/demo/redis-process';
import { newSessionId, sessionHandle, sessionKey, type SessionHandle } from '@sallyport/shared';
import { createLogger, openRedisOnce } from '@sallyport/shared/runtime';
import {
  invalidationLink,
  type InvalidationLink,
} from '../../extauthz/src/cache/invalidation-link.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

const prefix = 'extauthz:session:';
const aHandle = (): SessionHandle => sessionHandle(newSessionId(), 'hashed');

describe('invalidationLink on a real Redis', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-link-'));
  let server: RedisProcess;
  let admin: Redis;
  let proxy: TcpProxy;
  let link: InvalidationLink | undefined;
  let ahead = 0;
  const now = (): number => performance.now() + ahead;
  let invalidated: SessionHandle[] = [];
  let flushes = 0;

  beforeAll(async () => {
    server = await startRedis({ directory });
    admin = new Redis(server.port);
    proxy = await startTcpProxy(server.port);
  });
  afterEach(async () => {
    await link?.stop();
    [invalidated, flushes, ahead] = [[], 0, 0];
  });
  afterAll(async () => {
    await proxy.close();
    admin.disconnect();
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const start = async (): Promise<InvalidationLink> => {
    const nodes = [{ host: '127.0.0.1', port: proxy.port }];
    const started = invalidationLink({
      open: () =>
        openRedisOnce({ nodes, mode: 'standalone', database: 0 }, { command: 300, connect: 300 }),
      prefix,
      onInvalidate: (handle) => invalidated.push(handle),
      onFlush: () => (flushes += 1),
      now,
      logger: createLogger({ name: 'test', level: 'silent' }),
    });
    link = started;
    await started.start();
    await until(() => started.isTrusted(now()));
    return started;
  };
  const keyOf = (handle: SessionHandle): string => sessionKey(prefix, handle);

  it('reports a change, a deletion and an expiry of a session', async () => {
    await start();
    const [changed, deleted, expired] = [aHandle(), aHandle(), aHandle()];
    await admin.hset(keyOf(changed), 'a', '1');
    await admin.set(keyOf(deleted), '1');
    await admin.del(keyOf(deleted));
    await admin.set(keyOf(expired), '1', 'PX', 1);
    await until(() => invalidated.filter((handle) => handle === deleted).length >= 1);
    await until(() => invalidated.filter((handle) => handle === expired).length >= 2);
    expect(invalidated).toContain(changed);
  });

  it('reg-A5: reports every key of a transaction and of a batch', async () => {
    await start();
    const handles = Array.from({ length: 5 }, aHandle);
    await admin.mset(handles.flatMap((handle) => [keyOf(handle), '1']));
    await until(() => handles.every((handle) => invalidated.includes(handle)));
    invalidated = [];
    const [one, two] = handles as [SessionHandle, SessionHandle];
    await admin.multi().del(keyOf(one)).del(keyOf(two)).exec();
    await until(() => invalidated.includes(one) && invalidated.includes(two));
  });

  it('reg-A5: flushes on FLUSHALL', async () => {
    await start();
    await admin.set(keyOf(aHandle()), '1');
    const before = flushes;
    await admin.flushall();
    await until(() => flushes > before);
  });

  it('is not told of keys outside the prefix', async () => {
    await start();
    await admin.set('gateway:session:x', '1');
    const mark = aHandle();
    await admin.set(keyOf(mark), '1');
    await until(() => invalidated.includes(mark));
    expect(invalidated).toEqual([mark]);
  });

  it('reg-A1: flushes, arms a new connection and reports again after its connection was killed', async () => {
    const running = await start();
    const { length } = proxy.connections();
    expect(length).toBe(1);
    const before = running.generation();
    await admin.client('KILL', 'TYPE', 'pubsub');
    await until(() => running.generation() > before && running.isTrusted(now()));
    expect(flushes).toBeGreaterThan(0);
    const handle = aHandle();
    await admin.set(keyOf(handle), '1');
    await until(() => invalidated.includes(handle));
  });

  it('reg-A3: is not trusted from the moment its last proof is 750 ms old, with no timer having run', async () => {
    const running = await start();
    expect(running.isTrusted(now())).toBe(true);
    // As after a blocked event loop: time has passed, nothing else has.
    ahead = 750;
    expect(running.isTrusted(now())).toBe(false);
  });

  it('gives up a frozen connection and comes back on a new one', async () => {
    const running = await start();
    const before = running.generation();
    proxy.connections().forEach((connection) => connection.freeze());
    await until(() => !running.isTrusted(now()));
    await until(() => running.generation() > before && running.isTrusted(now()));
    expect(flushes).toBeGreaterThan(0);
  });

  it('is never trusted where Redis refuses tracking', async () => {
    await admin.call('ACL', 'SETUSER', 'plain', 'on', '>secret', '~*', '+@all', '-client');
    let opened = 0;
    const refused = invalidationLink({
      open: () => {
        opened += 1;
        return openRedisOnce(
          {
            nodes: [{ host: '127.0.0.1', port: server.port }],
            mode: 'standalone',
            database: 0,
            username: 'plain',
            password: 'secret',
          },
          { command: 300, connect: 300 },
        );
      },
      prefix,
      onInvalidate: () => undefined,
      onFlush: () => (flushes += 1),
      now,
      logger: createLogger({ name: 'test', level: 'silent' }),
    });
    await refused.start();
    await until(() => flushes > 0);
    expect(opened).toBe(1);
    expect(refused.isTrusted(now())).toBe(false);
    await refused.stop();
  });
});
