import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { redisServer62 } from '@sallyport/demo/parts/redis-server';
import { startRedis, type RedisProcess } from '@sallyport/demo/redis-process';
import type { RedisSettings } from '@sallyport/demo/redis-settings';
import {
  encodeSession,
  newSessionId,
  sessionHandle,
  sessionKey,
  type Session,
  type SessionId,
} from '@sallyport/shared';
import { Redis } from 'ioredis';
import {
  checkHttp,
  grpcChecker,
  redisWithoutUsers,
  startExtauthz,
  type CheckAnswer,
  type ExtauthzProcess,
} from './extauthz.js';
import { someSession } from './facts.js';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';
import { until } from './until.js';

export const keyOf = (id: SessionId): string =>
  sessionKey('extauthz:session:', sessionHandle(id, 'hashed'));

/** Failures of Redis are looked at on whichever this machine has and on the oldest that is supported. */
export const redisVersions = [
  ['Redis', {}],
  ['Redis 6.2', { version: '6.2' }],
] as const satisfies readonly (readonly [string, FailureRigOptions])[];

/** A real Redis, a proxy in front of it, the built extauthz behind that, asked over both transports. */
export interface FailureRig {
  readonly directory: string;
  readonly redis: RedisProcess;
  readonly admin: Redis;
  readonly proxy: TcpProxy;
  readonly service: ExtauthzProcess;
  readonly checker: ReturnType<typeof grpcChecker>;
  /** How often Redis has run a command so far. */
  calls(command: string): Promise<number>;
  /** The link's and the others', by what was sent on them. */
  readonly links: () => ReturnType<TcpProxy['connections']>;
  readonly dataConnections: () => ReturnType<TcpProxy['connections']>;
  /** Writes a live session as the gateway does. */
  write(parts?: Partial<Session>, ttl?: number): Promise<SessionId>;
  http(id: SessionId): Promise<CheckAnswer>;
  grpc(id: SessionId): Promise<CheckAnswer>;
  /** The statuses over HTTP and gRPC. */
  readonly statuses: (id: SessionId) => Promise<readonly [number, number]>;
  /** Asks until both say so; nothing but `expected` and `meanwhile` may come on the way. */
  turn(id: SessionId, expected: number, meanwhile?: readonly number[]): Promise<void>;
  /** Asks until the session is in memory. */
  remembered(id: SessionId): Promise<void>;
  /** A metric's value, 0 while it has none. `name{label="value"}` */
  metric(name: string): Promise<number>;
  readonly isReady: () => Promise<boolean>;
  close(): Promise<void>;
}

export interface FailureRigOptions {
  readonly redis?: RedisSettings;
  /** Of extauthz, by the port at which it finds Redis; the second is Redis's own, past the proxy. */
  readonly env?: (redisPort: number, directPort: number) => Readonly<Record<string, string>>;
  /** Of extauthz, as its file would be. */
  readonly policy?: string;
  /** False: extauthz need not become ready. */
  readonly ready?: boolean;
  readonly version?: '6.2';
  /** The admin's user; left out: the default one. */
  readonly admin?: { readonly name: string; readonly password: string };
  readonly adminTls?: { readonly ca: string; readonly cert: string; readonly key: string };
}

export async function startFailureRig(options: FailureRigOptions = {}): Promise<FailureRig> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-failures-'));
  const ends: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    return await assemble(options, directory, ends, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function assemble(
  options: FailureRigOptions,
  directory: string,
  ends: (() => unknown)[],
  close: () => Promise<void>,
): Promise<FailureRig> {
  const binary = options.version === '6.2' ? { binary: (await redisServer62()).path } : {};
  const redis = await startRedis({
    appendOnly: true,
    ...options.redis,
    ...binary,
    directory: join(directory, 'redis'),
  });
  ends.push(() => redis.kill());
  const admin = new Redis(redis.port, '127.0.0.1', {
    ...(options.admin && { username: options.admin.name, password: options.admin.password }),
    ...(options.adminTls && { tls: options.adminTls }),
  });
  admin.on('error', () => undefined);
  ends.push(() => admin.disconnect());
  const proxy = await startTcpProxy(redis.port);
  ends.push(() => proxy.close());
  const policyFile = join(directory, 'policy.yaml');
  if (options.policy !== undefined) writeFileSync(policyFile, options.policy);
  const service = await startExtauthz({
    directory,
    env: {
      ...(options.policy !== undefined && { EXTAUTHZ_POLICY_FILE: policyFile }),
      REDIS_PORT: String(proxy.port),
      ...(options.redis?.acl === undefined && redisWithoutUsers),
      ...options.env?.(proxy.port, redis.port),
    },
    ready: options.ready !== false,
  });
  ends.push(() => service.child.kill());
  const checker = grpcChecker(service.grpcPort);
  ends.push(() => checker.close());
  const rig = checksOf(service, checker);
  const isLink = ({ sent }: { sent: () => string }): boolean => /\r\nsubscribe\r\n/i.test(sent());
  return {
    ...rig,
    directory,
    redis,
    admin,
    proxy,
    service,
    checker,
    calls: async (command) => {
      const stats = await admin.info('commandstats');
      return Number(new RegExp(`cmdstat_${command}:calls=([0-9]+)`).exec(stats)?.[1] ?? 0);
    },
    links: () => proxy.connections().filter(isLink),
    dataConnections: () => proxy.connections().filter((connection) => !isLink(connection)),
    write: (parts, ttl) => writeSession(admin, parts, ttl),
    close,
  };
}

/** As the gateway writes it. */
export async function writeSession(
  admin: Redis,
  parts: Partial<Session> = {},
  ttl = 600,
  id = newSessionId(),
): Promise<SessionId> {
  const seconds = Number((await admin.time())[0]);
  const session = someSession({ createdAt: seconds, expiresAt: seconds + ttl, ...parts });
  const expiry = (seconds + ttl) * 1000;
  await admin.multi().hset(keyOf(id), encodeSession(session)).pexpireat(keyOf(id), expiry).exec();
  return id;
}

export type Checks = Pick<
  FailureRig,
  'http' | 'grpc' | 'statuses' | 'turn' | 'remembered' | 'metric' | 'isReady'
>;

/** What can be asked of a running extauthz. */
export function checksOf(
  service: Pick<ExtauthzProcess, 'httpPort' | 'healthPort'>,
  checker: ReturnType<typeof grpcChecker>,
): Checks {
  const cookie = (id: SessionId) => [['cookie', `__Host-session=${id}`]] as const;
  const http = (id: SessionId): Promise<CheckAnswer> => checkHttp(service.httpPort, cookie(id));
  const grpc = (id: SessionId): Promise<CheckAnswer> => checker.check(cookie(id));
  const statuses = async (id: SessionId): Promise<readonly [number, number]> => {
    const answers = await Promise.all([http(id), grpc(id)]);
    for (const { status, headers } of answers) {
      if (status === 503) expect(headers['retry-after']).toBeDefined();
    }
    return [answers[0].status, answers[1].status];
  };
  const management = (path: string) =>
    fetch(`http://127.0.0.1:${String(service.healthPort)}/${path}`, {
      signal: AbortSignal.timeout(10_000),
    });
  const metric = async (name: string): Promise<number> => {
    const text = await (await management('metrics')).text();
    const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
    return Number(line?.slice(name.length + 1) ?? 0);
  };
  return {
    http,
    grpc,
    statuses,
    metric,
    remembered: async (id) => {
      const hits = () => metric('extauthz_cache_hit_total');
      await until(async () => {
        const before = await hits();
        const now = await statuses(id);
        for (const status of now) expect([200, 503]).toContain(status);
        return now.every((status) => status === 200) && (await hits()) > before;
      });
    },
    turn: async (id, expected, meanwhile = [200, 503]) => {
      await until(async () => {
        const now = await statuses(id);
        for (const status of now) expect([expected, ...meanwhile]).toContain(status);
        return now.every((status) => status === expected);
      });
    },
    isReady: async () => {
      const answer = await management('readyz');
      // Read to its end, or its connection stays open until the garbage is collected.
      await answer.text();
      return answer.ok;
    },
  };
}
