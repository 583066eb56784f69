import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  gatewaySessionKey,
  defaultSessionKeyPrefix,
  sessionHandle,
  sessionKey,
  type SessionHandle,
  type SessionId,
} from '@sallyport/shared';
import { startChild, type ChildProcess } from '@sallyport/demo/child-process';
import { freePort } from '@sallyport/demo/free-port';
import { answersOk } from '@sallyport/demo/readiness';
import { exchange, type Answer } from '@sallyport/demo/web-client/exchange';
import type { Redis } from 'ioredis';
import type { BrowserJar } from './browser-jar.js';
import {
  gatewayBinary,
  gatewayEnv,
  writerEnv,
  type GatewayStack,
  type RedisPlace,
} from './gateway.js';

/** One more process of the gateway beside that of a stack, with the same settings. */
export interface Replica {
  readonly origin: string;
  readonly managementOrigin: string;
  readonly process: ChildProcess;
  close(): Promise<void>;
}

export async function startReplica(
  redis: RedisPlace,
  stack: GatewayStack,
  extraEnv: Readonly<Record<string, string>> = {},
): Promise<Replica> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-replica-'));
  const [port, managementPort] = [await freePort(), await freePort()];
  const origin = `http://localhost:${String(port)}`;
  const child = await startChild({
    name: 'session-gateway',
    command: process.execPath,
    args: [gatewayBinary],
    env: {
      GATEWAY_PORT: String(port),
      GATEWAY_MANAGEMENT_PORT: String(managementPort),
      ...gatewayEnv(stack.origin, stack.idp.issuer, stack.permissions.url),
      ...writerEnv(redis),
      ...extraEnv,
    },
    logFile: join(directory, 'gateway.log'),
    waitsFor: 'actuator/health',
    isReady: () => answersOk(`${origin}/actuator/health`),
  });
  return {
    origin,
    managementOrigin: `http://127.0.0.1:${String(managementPort)}`,
    process: child,
    close: async () => {
      await child.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A logged-in session as its owner and as Redis see it. */
export interface LiveSession {
  readonly cookie: string;
  readonly handle: SessionHandle;
  /** The gateway's own record. */
  readonly key: string;
}

export function sessionOf(browser: BrowserJar, origin: string): LiveSession {
  const header = browser.cookies.header(new URL(origin), { sameSite: true, topLevelGet: true });
  const [, id = ''] = /__Host-session=([A-Za-z0-9_-]{43})/.exec(header ?? '') ?? [];
  const handle = sessionHandle(id as SessionId, 'hashed');
  return {
    cookie: `__Host-session=${id}`,
    handle,
    key: gatewaySessionKey(defaultSessionKeyPrefix, handle),
  };
}

export function heartbeat(origin: string, { cookie }: LiveSession): Promise<Answer> {
  return exchange(`${origin}/auth/v1/session`, { headers: [['Cookie', cookie]] });
}

export function postRefresh(origin: string, { cookie }: LiveSession): Promise<Answer> {
  return exchange(`${origin}/auth/refresh`, {
    method: 'POST',
    headers: [
      ['Cookie', cookie],
      ['X-CSRF', '1'],
    ],
  });
}

/** Makes the session's tokens due now. */
export async function expireTokens(admin: Redis | undefined, { key }: LiveSession): Promise<void> {
  await admin?.hset(key, 'token_expires_at', '1');
}

export async function tokenVersion(
  admin: Redis | undefined,
  { key }: LiveSession,
): Promise<number> {
  return Number((await admin?.hget(key, 'token_version')) ?? 0);
}

/** Lets both records end this many seconds from now. @returns that second */
export async function shorten(
  admin: Redis | undefined,
  { handle, key }: LiveSession,
  seconds: number,
): Promise<number> {
  const end = Math.floor(Date.now() / 1000) + seconds;
  for (const one of [key, sessionKey(defaultSessionKeyPrefix, handle)]) {
    await admin?.hset(one, 'expires_at', end);
    await admin?.pexpireat(one, end * 1000);
  }
  return end;
}

/** Until when both records live, by what they say; fails where they disagree. */
export async function deadlineOf(
  admin: Redis | undefined,
  { handle, key }: LiveSession,
): Promise<number> {
  const both = await admin
    ?.multi()
    .hget(key, 'expires_at')
    .hget(sessionKey(defaultSessionKeyPrefix, handle), 'expires_at')
    .exec();
  const [mine, reader] = (both ?? []).map(([, value]) => value);
  if (mine !== reader) throw new Error('the records disagree');
  return Number(mine);
}

/** The value of a metric with these labels; 0 while it has none. */
export async function metric(managementOrigin: string, sample: string): Promise<number> {
  const { text } = await exchange(`${managementOrigin}/metrics`);
  const line = text.split('\n').find((one) => one.startsWith(`${sample} `));
  return Number(line?.slice(sample.length + 1) ?? 0);
}
