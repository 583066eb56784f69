import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChild, type ChildProcess } from '@sallyport/demo/child-process';
import { Redis, type RedisOptions } from 'ioredis';
import { users } from './redis.js';
import type { TlsFiles } from './tls-files.js';

export const masterName = 'sessions';
const sentinelPassword = 'sentinel-password';
/** What shared/redis/README.md grants the services on a sentinel. */
export const asker = { name: 'asker', password: 'asker-password' };
const askerRights =
  'resetchannels &+switch-master -@all +sentinel|get-master-addr-by-name +sentinel|sentinels +subscribe';

export interface SentinelPlace {
  readonly binary: string;
  readonly directory: string;
  readonly port: number;
  readonly masterPort: number;
  /** Further lines of its configuration. */
  readonly extraConfig?: readonly string[];
  readonly tls?: TlsFiles;
}

export async function startSentinel(place: SentinelPlace): Promise<ChildProcess> {
  const { binary, directory, port, masterPort, extraConfig = [], tls } = place;
  const own = join(directory, `sentinel-${String(port)}`);
  mkdirSync(own);
  const file = join(own, 'sentinel.conf');
  const { name, password } = users.admin;
  const lines = [
    'bind 127.0.0.1',
    ...(tls === undefined
      ? [`port ${String(port)}`]
      : [
          'port 0',
          `tls-port ${String(port)}`,
          'tls-replication yes',
          `tls-cert-file "${tls.server.cert}"`,
          `tls-key-file "${tls.server.key}"`,
          `tls-ca-cert-file "${tls.server.ca}"`,
        ]),
    `dir "${own}"`,
    `requirepass ${sentinelPassword}`,
    `user ${asker.name} on >${asker.password} ${askerRights}`,
    `sentinel monitor ${masterName} 127.0.0.1 ${String(masterPort)} 2`,
    `sentinel auth-user ${masterName} ${name}`,
    `sentinel auth-pass ${masterName} ${password}`,
    `sentinel down-after-milliseconds ${masterName} 1000`,
    `sentinel failover-timeout ${masterName} 3000`,
    ...extraConfig,
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
    isReady: () => answersPing(port, tls),
  });
}

/** A connection of one who may ask a sentinel everything. */
export function connectToSentinel(port: number, tls?: TlsFiles, options: RedisOptions = {}): Redis {
  const connection = new Redis({
    port,
    host: '127.0.0.1',
    password: sentinelPassword,
    ...(tls === undefined ? {} : { tls: tls.client }),
    ...options,
  });
  connection.on('error', () => undefined);
  return connection;
}

async function answersPing(port: number, tls?: TlsFiles): Promise<boolean> {
  const once = { lazyConnect: true, retryStrategy: () => null };
  const connection = connectToSentinel(port, tls, once);
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

/**
 * A master that comes back is made a replica after four publish periods (8 s), which is seen only at an
 * INFO (every 10 s), and a sentinel whose machine stood still holds back for 30 s. From Redis 7.
 */
export async function hasten(sentinel: Redis): Promise<void> {
  const periods = ['INFO-PERIOD', '1000', 'PUBLISH-PERIOD', '500', 'TILT-PERIOD', '3000'];
  await sentinel.call('SENTINEL', 'DEBUG', ...periods);
}

/** Knows both replicas and both other sentinels. */
export async function isComplete(sentinel: Redis): Promise<boolean> {
  const answer = (await sentinel
    .call('SENTINEL', 'MASTER', masterName)
    .catch(() => [])) as string[];
  const value = (name: string) => answer[answer.indexOf(name) + 1];
  return value('num-slaves') === '2' && value('num-other-sentinels') === '2';
}
