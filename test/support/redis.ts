import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from '@jest/globals';
import {
  findRedisServer,
  redisServer62,
  redisServerOnPath,
  type RedisServer,
} from '@sallyport/demo/parts/redis-server';
import { redisAcl } from '@sallyport/demo/redis-acl';
import { startRedis, type RedisProcess } from '@sallyport/demo/redis-process';
import type { RedisSettings } from '@sallyport/demo/redis-settings';
import {
  closeRedis,
  createLogger,
  createRedis,
  type RedisConfig,
  type RedisConnection,
} from '@sallyport/shared/runtime';
import { Redis } from 'ioredis';
import { formCluster } from './redis-cluster.js';
import type { TlsFiles } from './tls-files.js';

export interface RedisUser {
  readonly name: string;
  readonly password: string;
}

/** The shipped users, and one who may do everything. */
export const users = {
  reader: { name: 'extauthz', password: 'reader-password' },
  writer: { name: 'session-gateway', password: 'writer-password' },
  admin: { name: 'admin', password: 'admin-password' },
} as const satisfies Record<string, RedisUser>;

/** As Redis's own user when it copies from another. */
const replicaLines = [`masteruser ${users.admin.name}`, `masterauth ${users.admin.password}`];

const adminLine = `user admin on >${users.admin.password} ~* &* +@all`;

/** One or three real servers with the shipped ACL file. */
export interface TestRedis {
  readonly version: readonly [major: number, minor: number];
  readonly servers: readonly RedisProcess[];
  /** A connection of the admin to each server. */
  readonly admins: readonly Redis[];
  /** The first of these: the only one, unless it is a Cluster. */
  readonly admin: Redis;
  /** Likewise of the servers. */
  readonly server: RedisProcess;
  readonly config: (user: RedisUser) => RedisConfig;
  /** The variables by which a service finds it. */
  readonly env: (user: RedisUser) => Readonly<Record<string, string>>;
  /** A connection as the services make theirs; closed with the fixture. */
  connect(user: RedisUser): Promise<RedisConnection>;
  close(): Promise<void>;
}

export interface TestRedisOptions extends Omit<RedisSettings, 'tls'> {
  readonly prefix?: string;
  readonly version?: '6.2';
  readonly tls?: TlsFiles;
  /** Of each primary of a Cluster. */
  readonly replicas?: 0 | 1;
}

/** Redis 6.2, whatever else is installed. */
export async function redis62(options: TestRedisOptions = {}): Promise<TestRedis> {
  return start(await redisServer62(), 1, options);
}

/** Redis 7 or newer if PATH has one. */
export async function redis7(options: TestRedisOptions = {}): Promise<TestRedis | undefined> {
  const server = await redisServerOnPath();
  return server !== undefined && server.version[0] >= 7 ? start(server, 1, options) : undefined;
}

/** One server, 6.2 only if that is asked for. */
export async function redisStandalone(options: TestRedisOptions = {}): Promise<TestRedis> {
  return start(await anyServer(options), 1, options);
}

/** Three primaries that share the slots; their replicas come after them. */
export async function redisCluster(options: TestRedisOptions = {}): Promise<TestRedis> {
  return start(await anyServer(options), 3, options);
}

function anyServer({ version }: TestRedisOptions): Promise<RedisServer> {
  return version === '6.2' ? redisServer62() : findRedisServer();
}

const onPath = await redisServerOnPath();
const hasRedis7 = onPath !== undefined && onPath.version[0] >= 7;

/** A `describe` with a Redis of its own; skipped, with the reason in its name, where there is none. */
export function describeOnRedis(
  kind: '6.2' | '7' | 'cluster',
  title: string,
  body: (redis: () => TestRedis) => void,
  options: TestRedisOptions = {},
): void {
  if (kind === '7' && !hasRedis7) {
    describe.skip(`${title} (skipped: no redis-server 7 on PATH)`, () => {
      body(() => {
        throw new Error('skipped');
      });
    });
    return;
  }
  describe(title, () => {
    let redis: TestRedis | undefined;
    beforeAll(async () => {
      const open = { '6.2': redis62, '7': redis7, cluster: redisCluster }[kind];
      redis = await open(options);
    });
    body(() => redis ?? missing());
    // Last: hooks run as they are written, and a service that is stopped after its Redis waits for it.
    afterAll(() => redis?.close());
  });
}

function firstOf<T>([one]: readonly T[]): T {
  if (one === undefined) throw new Error('no server');
  return one;
}

function missing(): never {
  throw new Error('Redis is there only inside a test');
}

async function start(
  server: RedisServer,
  count: number,
  options: TestRedisOptions,
): Promise<TestRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-redis-'));
  const cluster = count > 1;
  const { tls, replicas = 0, ...settings } = options;
  const passwords = { extauthz: users.reader.password, sessionGateway: users.writer.password };
  const acl = redisAcl({
    version: server.version,
    passwords,
    cluster,
    ...(options.prefix === undefined ? {} : { prefix: options.prefix }),
  });
  const servers = await Promise.all(
    Array.from({ length: count * (1 + replicas) }, (_, index) =>
      startRedis({
        acl: [...acl, adminLine],
        ...settings,
        ...(tls === undefined ? {} : { tls: tls.server }),
        extraConfig: [
          ...(settings.extraConfig ?? []),
          ...(replicas > 0 ? replicaLines : []),
          ...(tls === undefined ? [] : ['tls-replication yes', 'tls-cluster yes']),
        ],
        clusterEnabled: cluster,
        binary: server.path,
        directory: join(folder, String(index)),
      }),
    ),
  );
  const adminOptions = {
    maxRetriesPerRequest: 3,
    ...(tls === undefined ? {} : { tls: tls.client }),
  };
  const admins = servers.map((one) => new Redis(one.url(users.admin), adminOptions));
  // A test that kills a server must not fail for a connection it does not use.
  admins.forEach((admin) => admin.on('error', () => undefined));
  if (cluster) await formCluster(servers, admins, count);
  const config = (user: RedisUser): RedisConfig => ({
    nodes: servers.map(({ port }) => ({ host: '127.0.0.1', port })),
    mode: cluster ? 'cluster' : 'standalone',
    database: 0,
    username: user.name,
    password: user.password,
    ...(tls === undefined ? {} : { tls: tls.client }),
  });
  const first = `127.0.0.1:${String(servers[0]?.port)}`;
  const connections: RedisConnection[] = [];
  return {
    version: server.version,
    servers,
    admins,
    admin: firstOf(admins),
    server: firstOf(servers),
    config,
    env: (user) => ({
      ...(cluster
        ? { REDIS_CLUSTER_NODES: first }
        : { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(servers[0]?.port) }),
      REDIS_USERNAME: user.name,
      REDIS_PASSWORD: user.password,
      ...tls?.env,
    }),
    connect: async (user) => {
      const logger = createLogger({ name: 'test', level: 'silent' });
      const timeouts = { command: 5_000, connect: 5_000 };
      const connection = createRedis(config(user), timeouts, logger);
      connections.push(connection);
      await connection.connect();
      return connection;
    },
    close: async () => {
      await Promise.all(connections.map(closeRedis));
      admins.forEach((admin) => admin.disconnect());
      await Promise.all(servers.map((one) => one.kill()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
