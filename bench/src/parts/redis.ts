import { join } from 'node:path';
import { findRedisServer } from '@sallyport/demo/parts/redis-server';
import { redisAcl } from '@sallyport/demo/redis-acl';
import { startRedis, type RedisProcess } from '@sallyport/demo/redis-process';
import { Redis } from 'ioredis';
import type { Workbench } from '../workbench.js';

const passwords = { extauthz: 'reader-password', sessionGateway: 'writer-password' };
const adminPassword = 'admin-password';

/** A real Redis with the shipped users, and an administrator who seeds and revokes. */
export interface BenchRedis {
  readonly process: RedisProcess;
  readonly admin: Redis;
  readonly adminCredentials: { readonly username: string; readonly password: string };
  readonly pid: () => number;
}

let started = 0;

export async function benchRedis(
  bench: Workbench,
  options: { durable?: boolean; appendOnly?: boolean } = {},
): Promise<BenchRedis> {
  const server = await findRedisServer();
  started += 1;
  const process = bench.keep(
    await startRedis({
      acl: [
        ...redisAcl({ version: server.version, passwords }),
        `user admin on >${adminPassword} ~* &* +@all`,
      ],
      binary: server.path,
      directory: join(bench.directory, `redis-${started}`),
      // Acknowledged means written: otherwise a killed Redis may forget what the oracle remembers.
      ...(options.durable === true
        ? { appendOnly: true, extraConfig: ['appendfsync always'] }
        : {}),
      // As the gateway demands it; no rewrite of the file in the middle of a round.
      ...(options.appendOnly === true
        ? { appendOnly: true, extraConfig: ['auto-aof-rewrite-percentage 0'] }
        : {}),
    }),
    (one) => one.kill(),
  );
  const adminCredentials = { username: 'admin', password: adminPassword };
  const admin = bench.keep(
    new Redis({ port: process.port, ...adminCredentials, retryStrategy: () => 20 }),
    (one) => one.disconnect(),
  );
  admin.on('error', () => undefined);
  return {
    process,
    admin,
    adminCredentials,
    pid: () => process.pid ?? missing('Redis'),
  };
}

/** What extauthz needs to reach it, as its own user. */
export function readerEnv(port: number): Record<string, string> {
  return {
    REDIS_HOST: '127.0.0.1',
    REDIS_PORT: String(port),
    REDIS_USERNAME: 'extauthz',
    REDIS_PASSWORD: passwords.extauthz,
  };
}

/** What session-gateway needs to reach it, as its own user. */
export function writerEnv(port: number): Record<string, string> {
  return {
    REDIS_HOST: '127.0.0.1',
    REDIS_PORT: String(port),
    REDIS_USERNAME: 'session-gateway',
    REDIS_PASSWORD: passwords.sessionGateway,
  };
}

/** How many reads of session hashes Redis has served. */
export async function sessionReads(admin: Redis): Promise<number> {
  const text = await admin.info('commandstats');
  return ['hmget', 'hgetall'].reduce((sum, command) => {
    const [, calls] = new RegExp(`cmdstat_${command}:calls=([0-9]+)`).exec(text) ?? [];
    return sum + Number(calls ?? 0);
  }, 0);
}

function missing(name: string): never {
  throw new Error(`${name} does not run`);
}
