import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChild, type ChildProcess } from '@sallyport/demo/child-process';
import { freePort } from '@sallyport/demo/free-port';
import { findRedisServer } from '@sallyport/demo/parts/redis-server';
import { redisAcl } from '@sallyport/demo/redis-acl';
import { startRedis, type RedisProcess } from '@sallyport/demo/redis-process';
import {
  createLogger,
  createRedis,
  type RedisConfig,
  type RedisConnection,
} from '@sallyport/shared/runtime';
import { Redis } from 'ioredis';
import { users } from './redis.js';
import { until } from './until.js';

export const masterName = 'sessions';
const sentinelPassword = 'sentinel-password';
/** What shared/redis/README.md grants the services on a sentinel. */
const asker = { name: 'asker', password: 'asker-password' };
const askerRights =
  'resetchannels &+switch-master -@all +sentinel|get-master-addr-by-name +sentinel|sentinels +subscribe';

/** One primary, two replicas, three sentinels that watch them; quorum two. */
export interface SentinelRig {
  readonly servers: readonly RedisProcess[];
  /** A connection of the admin to each server. */
  readonly admins: readonly Redis[];
  readonly sentinels: readonly ChildProcess[];
  /** The variables by which a service finds it. */
  readonly env: Readonly<Record<string, string>>;
  /** A connection as the gateway makes its own, through the sentinels. Not connected. */
  connectWriter(): RedisConnection;
  /** The port that most sentinels name as the master's. */
  masterPort(): Promise<number>;
  /** The admin's connection to the server that says it is the master and that the sentinels name. */
  master(): Promise<Redis>;
  failover(): Promise<void>;
  close(): Promise<void>;
}

export async function startSentinelRig(directory: string): Promise<SentinelRig> {
  const { path: binary, version } = await findRedisServer();
  const passwords = { extauthz: users.reader.password, sessionGateway: users.writer.password };
  const { name, password } = users.admin;
  const acl = [...redisAcl({ version, passwords }), `user ${name} on >${password} ~* &* +@all`];
  const launch = (index: number, primary?: RedisProcess): Promise<RedisProcess> =>
    startRedis({
      binary,
      acl,
      directory: join(directory, `redis-${String(index)}`),
      extraConfig: [
        `masteruser ${name}`,
        `masterauth ${password}`,
        'repl-diskless-sync-delay 0',
        ...(primary === undefined ? [] : [`replicaof 127.0.0.1 ${String(primary.port)}`]),
      ],
    });
  const primary = await launch(0);
  const servers = [primary, await launch(1, primary), await launch(2, primary)];
  const admins = servers.map((server) => new Redis(server.url(users.admin)));
  admins.forEach((admin) => admin.on('error', () => undefined));
  const link = async (admin: Redis) => (await admin.info('replication')).split('\r\n');
  await until(async () => {
    const lines = await Promise.all(admins.slice(1).map(link));
    return lines.every((own) => own.includes('master_link_status:up'));
  });
  const ports = [await freePort(), await freePort(), await freePort()];
  const sentinels = await Promise.all(
    ports.map((port) => startSentinel({ binary, directory, port, masterPort: primary.port })),
  );
  const askers = ports.map((port) => new Redis({ port, password: sentinelPassword }));
  askers.forEach((one) => one.on('error', () => undefined));
  await until(async () => (await Promise.all(askers.map(isComplete))).every(Boolean));

  const masterPort = async (): Promise<number> => {
    const answers = await Promise.all(
      askers.map((one) => one.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', masterName)),
    );
    const named = answers.map((answer) => Number((answer as string[])[1]));
    return named.find((port) => named.filter((other) => other === port).length >= 2) ?? 0;
  };
  return {
    servers,
    admins,
    sentinels,
    env: {
      REDIS_SENTINELS: ports.map((port) => `127.0.0.1:${String(port)}`).join(','),
      REDIS_SENTINEL_MASTER: masterName,
      REDIS_SENTINEL_USERNAME: asker.name,
      REDIS_SENTINEL_PASSWORD: asker.password,
      REDIS_USERNAME: users.reader.name,
      REDIS_PASSWORD: users.reader.password,
    },
    connectWriter: () => {
      const { name: username, password: secret } = users.writer;
      const config: RedisConfig = {
        nodes: ports.map((port) => ({ host: '127.0.0.1', port })),
        mode: 'sentinel',
        sentinel: { master: masterName, username: asker.name, password: asker.password },
        database: 0,
        username,
        password: secret,
      };
      const logger = createLogger({ name: 'test', level: 'silent' });
      return createRedis(config, { command: 1_000, connect: 1_000 }, logger);
    },
    masterPort,
    master: async () => {
      let found: Redis | undefined;
      await until(async () => {
        const port = await masterPort();
        found = admins[servers.findIndex((server) => server.port === port)];
        const [role] = (await found?.role().catch(() => undefined)) ?? [];
        return role === 'master';
      });
      return found as Redis;
    },
    failover: async () => {
      await until(() =>
        (askers[0] as Redis).call('SENTINEL', 'FAILOVER', masterName).then(
          () => true,
          // Too soon after the last one, or a replica has not been heard of again yet.
          () => false,
        ),
      );
    },
    close: async () => {
      [...askers, ...admins].forEach((connection) => connection.disconnect());
      await Promise.all([...sentinels, ...servers].map((one) => one.kill()));
    },
  };
}

async function startSentinel(place: {
  binary: string;
  directory: string;
  port: number;
  masterPort: number;
}): Promise<ChildProcess> {
  const { binary, directory, port, masterPort } = place;
  const own = join(directory, `sentinel-${String(port)}`);
  mkdirSync(own);
  const file = join(own, 'sentinel.conf');
  const { name, password } = users.admin;
  const lines = [
    'bind 127.0.0.1',
    `port ${String(port)}`,
    `dir "${own}"`,
    `requirepass ${sentinelPassword}`,
    `user ${asker.name} on >${asker.password} ${askerRights}`,
    `sentinel monitor ${masterName} 127.0.0.1 ${String(masterPort)} 2`,
    `sentinel auth-user ${masterName} ${name}`,
    `sentinel auth-pass ${masterName} ${password}`,
    `sentinel down-after-milliseconds ${masterName} 1000`,
    `sentinel failover-timeout ${masterName} 3000`,
    '',
  ];
  writeFileSync(file, lines.join('\n'), { mode: 0o600 });
  return startChild({
    name: 'sentinel',
    command: binary,
    args: [file, '--sentinel'],
    env: {},
    logFile: join(own, 'log'),
    waitsFor: 'PING',
    isReady: () => answersPing(port),
  });
}

async function answersPing(port: number): Promise<boolean> {
  const password = sentinelPassword;
  const connection = new Redis({ port, password, lazyConnect: true, retryStrategy: () => null });
  connection.on('error', () => undefined);
  try {
    await connection.connect();
    await connection.ping();
    return true;
  } catch {
    return false;
  } finally {
    connection.disconnect();
  }
}

/** Knows both replicas and both other sentinels. */
async function isComplete(sentinel: Redis): Promise<boolean> {
  const answer = (await sentinel
    .call('SENTINEL', 'MASTER', masterName)
    .catch(() => [])) as string[];
  const value = (name: string) => answer[answer.indexOf(name) + 1];
  return value('num-slaves') === '2' && value('num-other-sentinels') === '2';
}
