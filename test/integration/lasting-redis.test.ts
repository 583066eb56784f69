import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { freePort } from '@sallyport/demo/free-port';
import { findRedisServer } from '@sallyport/demo/parts/redis-server';
import { startRedis, type RedisProcess } from '@sallyport/demo/redis-process';
import {
  closeRedis,
  createLogger,
  createRedis,
  type RedisConfig,
  type RedisConnection,
} from '@sallyport/shared/runtime';
import { Redis } from 'ioredis';
import { certificateAuthority } from '../support/certificates.js';
import { asker, masterName, startSentinel } from '../support/sentinel-process.js';
import { describeOnRedis, users, type TestRedis } from '../support/redis.js';
import { moveSlot, ownerOf } from '../support/redis-cluster.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { redisHasTls, tlsFiles } from '../support/tls-files.js';
import { until } from '../support/until.js';

describe('a connection that fails before it has a socket', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-lasting-'));
  let server: RedisProcess;
  let place: RedisConfig;
  let redis: RedisConnection | undefined;

  beforeAll(async () => {
    server = await startRedis({ directory });
    place = { nodes: [{ host: '127.0.0.1', port: server.port }], mode: 'standalone', database: 0 };
  });
  afterEach(() => redis && closeRedis(redis));
  afterAll(async () => {
    await server.kill();
    rmSync(directory, { recursive: true });
  });

  const create = (config = place, current = () => place): RedisConnection => {
    const logger = createLogger({ name: 'test', level: 'silent' });
    redis = createRedis(config, { command: 1_000, connect: 1_000 }, logger, current);
    return redis;
  };
  const answers = (one: RedisConnection): Promise<boolean> =>
    one.ping().then(
      () => true,
      () => false,
    );

  it('is tried again when it was to reconnect while it was being dialled', async () => {
    const one = create();
    const refused = one.connect();
    one.disconnect(true);
    await expect(refused).rejects.toThrow('closed');
    await until(() => answers(one), 10_000);
  });

  it('is tried again, with what the files hold by then, when its certificate is not the key’s', async () => {
    const [some, other] = [certificateAuthority().issue(), certificateAuthority().issue()];
    const one = create({ ...place, tls: { cert: some.cert, key: other.key } });
    await expect(one.connect()).rejects.toThrow();
    await until(() => answers(one), 10_000);
  });

  it.each([
    ['closed', (one: RedisConnection) => one.disconnect()],
    ['told to quit', (one: RedisConnection) => void one.quit().catch(() => undefined)],
  ])('is left alone once it is %s', async (_, end) => {
    const current = jest.fn(() => place);
    const one = create(place, current);
    await one.connect();
    const ended = once(one, 'end');
    end(one);
    await ended;
    expect(current).not.toHaveBeenCalled();
    expect(one.status).toBe('end');
  });

  it('is left alone when it is closed between two attempts', async () => {
    const one = create({ ...place, tls: { cert: 'none' } }, () => place);
    await expect(one.connect()).rejects.toThrow();
    one.disconnect();
    // What would be the next attempt's turn is over once a later one has had its own.
    const later = create({ ...place, tls: { cert: 'none' } });
    await expect(later.connect()).rejects.toThrow();
    await until(() => answers(later));
    expect(one.status).toBe('end');
  });
});

describe('a connection to a primary that was demoted and keeps its connections', () => {
  const directories = ['old', 'new'].map((name) =>
    mkdtempSync(join(tmpdir(), `sallyport-demoted-${name}-`)),
  );
  const ends: (() => unknown)[] = [];
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
    for (const directory of directories) rmSync(directory, { recursive: true });
  });

  it('is dialled again, to whom its name leads by then', async () => {
    const servers = await Promise.all(directories.map((directory) => startRedis({ directory })));
    const [old, promoted] = servers as [RedisProcess, RedisProcess];
    ends.push(() => Promise.all(servers.map((server) => server.kill())));
    const name = await startTcpProxy(old.port);
    ends.push(() => name.close());
    const logger = createLogger({ name: 'test', level: 'silent' });
    const nodes = [{ host: '127.0.0.1', port: name.port }];
    const config = { nodes, mode: 'standalone', database: 0 } as const;
    const redis = createRedis(config, { command: 1_000, connect: 1_000 }, logger);
    ends.push(() => closeRedis(redis));
    await redis.connect();
    await redis.set('key', 'old');
    const admin = new Redis(old.port);
    ends.push(() => admin.disconnect());
    name.retarget(promoted.port);
    await admin.replicaof('127.0.0.1', promoted.port);
    await until(() =>
      redis.set('key', 'new').then(
        () => true,
        () => false,
      ),
    );
    const other = new Redis(promoted.port);
    ends.push(() => other.disconnect());
    expect(await other.get('key')).toBe('new');
  });
});

describeOnRedis('cluster', 'a connection to a Cluster', (redis) => {
  it('is made by the seeds that are there, though another one has no address', async () => {
    const config = redis().config(users.writer);
    const nowhere = { host: 'nowhere.invalid', port: 1 };
    const logger = createLogger({ name: 'test', level: 'silent' });
    const one = createRedis(
      { ...config, nodes: [nowhere, ...config.nodes] },
      { command: 1_000, connect: 1_000 },
      logger,
    );
    await one.connect().catch(() => undefined);
    await until(() =>
      one.exists('gateway:a').then(
        () => true,
        () => false,
      ),
    );
    await closeRedis(one);
  });

  it('answers every command while a slot is on its way, also those that were piped together', async () => {
    const config = redis().config(users.writer);
    const tuning = { command: 5_000, connect: 5_000, autoPipelining: true };
    const one = createRedis(config, tuning, createLogger({ name: 'test', level: 'silent' }));
    await one.connect();
    const keys = Array.from(
      { length: 50 },
      (_, number) => `gateway:{on-its-way}:${String(number)}`,
    );
    await Promise.all(keys.map((key) => one.set(key, key)));
    const slot = await redis().admin.cluster('KEYSLOT', keys[0] ?? '');
    const from = await ownerOf(redis().admins, slot);
    await moveSlot(redis(), slot, {
      from,
      to: (from + 1) % 3,
      user: users.admin,
      between: async () => {
        for (let again = 0; again < 5; again += 1) {
          expect(await Promise.all(keys.map((key) => one.get(key)))).toEqual(keys);
        }
      },
    });
    await closeRedis(one);
  });
});

const named = mkdtempSync(join(tmpdir(), 'sallyport-named-'));
afterAll(() => rmSync(named, { recursive: true }));
const tls = tlsFiles(named, 'optional', 'localhost');
(redisHasTls ? describe : describe.skip)('a Cluster whose certificates bear names only', () => {
  const body = (redis: () => TestRedis): void => {
    it('is reached by those names', async () => {
      const nodes = redis().servers.map(({ port }) => ({ host: 'localhost', port }));
      const config = { ...redis().config(users.writer), nodes, tls: { ca: tls.client.ca } };
      const tuning = { command: 5_000, connect: 5_000 };
      const one = createRedis(config, tuning, createLogger({ name: 'test', level: 'silent' }));
      await one.connect();
      // On all of them.
      for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) await one.set(`gateway:${key}`, key);
      await closeRedis(one);
    });
  };
  describeOnRedis('cluster', 'that it announces', body, {
    tls,
    extraConfig: [
      'cluster-announce-hostname localhost',
      'cluster-preferred-endpoint-type hostname',
    ],
  });
});

describe('a connection that asks sentinels', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-asking-'));
  const ends: (() => unknown)[] = [() => rmSync(directory, { recursive: true })];
  let port: number;
  let redis: RedisConnection;

  beforeAll(async () => {
    const server = await startRedis({ directory });
    ends.push(() => server.kill());
    port = await freePort();
    const { path: binary } = await findRedisServer();
    const sentinel = await startSentinel({ binary, directory, port, masterPort: server.port });
    ends.push(() => sentinel.kill());
  });
  afterEach(() => closeRedis(redis));
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  });

  const config = (password: string, ...ports: number[]): RedisConfig => ({
    nodes: ports.map((one) => ({ host: '127.0.0.1', port: one })),
    mode: 'sentinel',
    database: 0,
    sentinel: { master: masterName, username: asker.name, password },
  });
  const create = (first: RedisConfig, current = () => first): RedisConnection => {
    const logger = createLogger({ name: 'test', level: 'silent' });
    redis = createRedis(first, { command: 1_000, connect: 1_000 }, logger, current);
    return redis;
  };
  const answers = (one: RedisConnection): Promise<boolean> =>
    one.ping().then(
      () => true,
      () => false,
    );

  it('asks them with the password that the file holds by then, when they refused the first', async () => {
    const one = create(config('of-yesterday', port), () => config(asker.password, port));
    await expect(one.connect()).rejects.toThrow('All sentinels are unreachable');
    await until(() => answers(one), 10_000);
  });

  it('writes nothing to standard error about one that is down', async () => {
    const complaint = jest.spyOn(console, 'error').mockImplementation(() => undefined);
    let attempts = 0;
    const broken = createServer((socket) => {
      attempts += 1;
      socket.on('error', () => undefined).destroy();
    });
    broken.listen(0, '127.0.0.1');
    await once(broken, 'listening');
    try {
      const one = create(config(asker.password, port, (broken.address() as AddressInfo).port));
      await one.connect();
      await until(() => attempts > 5, 10_000);
      expect(complaint.mock.calls).toEqual([]);
    } finally {
      complaint.mockRestore();
      broken.close();
    }
  });
});

describe('a connection that has failed but stays open', () => {
  const servers: Server[] = [];
  const accepted: Socket[] = [];
  let redis: RedisConnection;

  const listen = async (server: Server): Promise<number> => {
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const create = (port: number, tls?: { ca: string }): RedisConnection => {
    const logger = createLogger({ name: 'test', level: 'silent' });
    const nodes = [{ host: '127.0.0.1', port }];
    const config = { nodes, mode: 'standalone', database: 0, ...(tls && { tls }) } as const;
    redis = createRedis(config, { command: 60_000, connect: 1_000 }, logger);
    return redis;
  };
  afterEach(() => {
    redis.disconnect();
    for (const socket of accepted.splice(0)) socket.destroy();
    for (const server of servers.splice(0)) server.close();
  });
  const redialled = (): Promise<void> => until(() => accepted.length > 1, 10_000);

  it('is dialled again when its peer says goodbye and reads no more', async () => {
    const port = await listen(
      createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
        accepted.push(socket);
        socket.on('error', () => undefined);
      }),
    );
    const one = create(port);
    await one.connect();
    await until(() => accepted.length === 1);
    // More than the sockets of both sides hold: the rest can never leave.
    one.set('key', 'x'.repeat(1 << 25)).catch(() => undefined);
    accepted[0]?.end();
    await redialled();
  });

  it('is dialled again when TLS fails behind the handshake', async () => {
    const authority = certificateAuthority();
    const inside = await listen(
      createTlsServer(authority.issue(), (socket) => void socket.resume()),
    );
    const port = await listen(
      createServer((socket) => {
        accepted.push(socket);
        const upstream = connect(inside, '127.0.0.1');
        socket.on('close', () => upstream.destroy());
        socket.pipe(upstream).pipe(socket, { end: false });
        for (const end of [socket, upstream]) end.on('error', () => undefined);
      }),
    );
    const one = create(port, { ca: authority.cert });
    await one.connect();
    // No TLS record: the client's side fails, and nobody closes.
    accepted[0]?.write('HTTP/1.1 400 Bad Request\r\n\r\n');
    await redialled();
  });
});
