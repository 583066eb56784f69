import { join } from 'node:path';
import type { ChildProcess } from '@sallyport/demo/child-process';
import { freePort } from '@sallyport/demo/free-port';
import { findRedisServer, redisServer62 } from '@sallyport/demo/parts/redis-server';
import { redisAcl } from '@sallyport/demo/redis-acl';
import { startRedis, type RedisProcess } from '@sallyport/demo/redis-process';
import {
  createLogger,
  createRedis,
  type RedisConfig,
  type RedisConnection,
} from '@sallyport/shared/runtime';
import { Redis } from 'ioredis';
import { createNetwork, type Network, type NetworkNode } from './network-nodes.js';
import { users } from './redis.js';
import {
  asker,
  connectToSentinel,
  hasten,
  isComplete,
  masterName,
  startSentinel,
} from './sentinel-process.js';
import type { TlsFiles } from './tls-files.js';
import { until } from './until.js';

/** One primary, two replicas, three sentinels that watch them; quorum two. */
export interface SentinelRig {
  readonly servers: readonly RedisProcess[];
  /** A connection of the admin to each server. */
  readonly admins: readonly Redis[];
  readonly sentinels: readonly ChildProcess[];
  /** The variables by which extauthz finds it, and the gateway. */
  readonly env: Readonly<Record<string, string>>;
  readonly writerEnv: Readonly<Record<string, string>>;
  /** A connection as the gateway makes its own, through the sentinels. Not connected. */
  connectWriter(): RedisConnection;
  /** The index of the server that most sentinels name as the master; -1 while they differ. */
  masterIndex(): Promise<number>;
  /** The port that most sentinels name as the master's. */
  masterPort(): Promise<number>;
  /** The admin's connection to the server that says it is the master and that the sentinels name. */
  master(): Promise<Redis>;
  failover(): Promise<void>;
  /** Cuts these servers and sentinels off from the others, not from the services. With `partitionable`. */
  isolate(parts: { servers?: readonly number[]; sentinels?: readonly number[] }): void;
  heal(): void;
  close(): Promise<void>;
}

export interface SentinelRigOptions {
  /** Left out: whichever this machine has. */
  readonly version?: '6.2';
  /** For servers and sentinels alike. */
  readonly tls?: TlsFiles;
  readonly partitionable?: boolean;
  readonly extraConfig?: readonly string[];
}

interface Place {
  readonly port: number;
  /** Where the others find it: the same, unless a proxy stands before it. */
  readonly announced: number;
  readonly node?: NetworkNode;
}

export async function startSentinelRig(
  directory: string,
  options: SentinelRigOptions = {},
): Promise<SentinelRig> {
  const { tls } = options;
  const { path: binary, version } = await (options.version === '6.2'
    ? redisServer62()
    : findRedisServer());
  const passwords = { extauthz: users.reader.password, sessionGateway: users.writer.password };
  const { name, password } = users.admin;
  const acl = [...redisAcl({ version, passwords }), `user ${name} on >${password} ~* &* +@all`];
  const network = createNetwork();
  const newPlace = async (address: number): Promise<Place> => {
    if (options.partitionable !== true) {
      const port = await freePort();
      return { port, announced: port };
    }
    const node = await network.addNode(address, { bindSource: version[0] >= 7 });
    return { port: node.port, announced: node.announced, node };
  };
  const places = [await newPlace(11), await newPlace(12), await newPlace(13)];
  const launch = (index: number, primary?: Place): Promise<RedisProcess> => {
    const { port, announced, node } = places[index] as Place;
    return startRedis({
      binary,
      acl,
      port,
      appendOnly: true,
      ...(tls === undefined ? {} : { tls: tls.server }),
      directory: join(directory, `redis-${String(index)}`),
      extraConfig: [
        `masteruser ${name}`,
        `masterauth ${password}`,
        'repl-diskless-sync-delay 0',
        ...(tls === undefined ? [] : ['tls-replication yes']),
        ...(node === undefined
          ? []
          : [
              ...node.bindLines,
              'replica-announce-ip 127.0.0.1',
              `replica-announce-port ${String(announced)}`,
            ]),
        ...(primary === undefined ? [] : [`replicaof 127.0.0.1 ${String(primary.announced)}`]),
        ...(options.extraConfig ?? []),
      ],
    });
  };
  const [first] = places as [Place];
  const servers = [await launch(0), await launch(1, first), await launch(2, first)];
  const admins = servers.map(
    (server) => new Redis(server.url(users.admin), tls === undefined ? {} : { tls: tls.client }),
  );
  admins.forEach((admin) => admin.on('error', () => undefined));
  const link = async (admin: Redis) => (await admin.info('replication')).split('\r\n');
  await until(async () => {
    const lines = await Promise.all(admins.slice(1).map(link));
    return lines.every((own) => own.includes('master_link_status:up'));
  });
  const posts = [await newPlace(21), await newPlace(22), await newPlace(23)];
  const sentinels = await Promise.all(
    posts.map(({ port, announced, node }) =>
      startSentinel({
        binary,
        directory,
        port,
        masterPort: first.announced,
        ...(tls === undefined ? {} : { tls }),
        extraConfig:
          node === undefined
            ? []
            : [
                ...node.bindLines,
                'sentinel announce-ip 127.0.0.1',
                `sentinel announce-port ${String(announced)}`,
              ],
      }),
    ),
  );
  const ports = posts.map(({ port }) => port);
  const askers = ports.map((port) => connectToSentinel(port, tls));
  await until(async () => (await Promise.all(askers.map(isComplete))).every(Boolean));
  if (version[0] >= 7) await Promise.all(askers.map(hasten));

  const masterIndex = async (): Promise<number> => {
    const answers = await Promise.all(
      askers.map((one) =>
        one.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', masterName).catch(() => []),
      ),
    );
    const named = answers.map((answer) => Number((answer as string[])[1]));
    const most = named.find((port) => named.filter((other) => other === port).length >= 2);
    return places.findIndex(({ announced }) => announced === most);
  };
  const placeEnv = (user: { name: string; password: string }) => ({
    REDIS_SENTINELS: ports.map((port) => `127.0.0.1:${String(port)}`).join(','),
    REDIS_SENTINEL_MASTER: masterName,
    REDIS_SENTINEL_USERNAME: asker.name,
    REDIS_SENTINEL_PASSWORD: asker.password,
    REDIS_USERNAME: user.name,
    REDIS_PASSWORD: user.password,
    ...tls?.env,
  });
  return {
    servers,
    admins,
    sentinels,
    env: placeEnv(users.reader),
    writerEnv: placeEnv(users.writer),
    connectWriter: () => {
      const { name: username, password: secret } = users.writer;
      const config: RedisConfig = {
        nodes: ports.map((port) => ({ host: '127.0.0.1', port })),
        mode: 'sentinel',
        sentinel: { master: masterName, username: asker.name, password: asker.password },
        database: 0,
        username,
        password: secret,
        ...(tls === undefined ? {} : { tls: tls.client }),
      };
      const logger = createLogger({ name: 'test', level: 'silent' });
      return createRedis(config, { command: 1_000, connect: 1_000 }, logger);
    },
    masterIndex,
    masterPort: async () => servers[await masterIndex()]?.port ?? 0,
    master: async () => {
      let found: Redis | undefined;
      await until(async () => {
        found = admins[await masterIndex()];
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
    isolate: (parts) => isolate(network, { places, posts }, parts),
    heal: () => network.heal(),
    close: async () => {
      [...askers, ...admins].forEach((connection) => connection.disconnect());
      await Promise.all([...sentinels, ...servers].map((one) => one.kill()));
      await network.close();
    },
  };
}

function isolate(
  network: Network,
  all: { places: readonly Place[]; posts: readonly Place[] },
  { servers = [], sentinels = [] }: { servers?: readonly number[]; sentinels?: readonly number[] },
): void {
  const chosen = [...servers.map((at) => all.places[at]), ...sentinels.map((at) => all.posts[at])];
  network.isolate(chosen.flatMap((place) => place?.node ?? []));
}
