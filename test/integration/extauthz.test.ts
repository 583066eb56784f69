import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { startRedis, type RedisProcess } from '@sallyport/demo/redis-process';
import {
  encodeSession,
  newSessionId,
  sessionHandle,
  sessionKey,
  type Session,
  type SessionId,
} from '@sallyport/shared';
import {
  checkHttp,
  grpcChecker,
  startExtauthz,
  type ExtauthzProcess,
} from '../support/extauthz.js';
import { someSession } from '../support/facts.js';

const prefix = 'extauthz:session:';
const cookie = (value: string) => ['cookie', `__Host-session=${value}`] as const;
const bearer = (value: string) => ['authorization', `Bearer ${value}`] as const;
const keyOf = (id: SessionId) => sessionKey(prefix, sessionHandle(id, 'hashed'));

describe('extauthz, both transports', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-extauthz-'));
  let redis: RedisProcess;
  let admin: Redis;
  let service: ExtauthzProcess;
  let grpc: ReturnType<typeof grpcChecker>;
  const ends: (() => Promise<void> | void)[] = [];

  beforeAll(async () => {
    redis = await startRedis({ directory: join(directory, 'redis'), appendOnly: true });
    ends.push(() => redis.stop());
    admin = new Redis(redis.port);
    admin.on('error', () => undefined);
    ends.push(() => admin.disconnect());
    service = await startExtauthz({ directory, env: { REDIS_PORT: String(redis.port) } });
    ends.push(() => service.child.stop());
    grpc = grpcChecker(service.grpcPort);
    ends.push(() => grpc.close());
  });

  afterAll(async () => {
    for (const end of ends.reverse()) await end();
    rmSync(directory, { recursive: true, force: true });
  });

  const write = async (parts: Partial<Session> = {}, ttl = 600): Promise<SessionId> => {
    const id = newSessionId();
    const seconds = Number((await admin.time())[0]);
    const session = someSession({ createdAt: seconds, expiresAt: seconds + ttl, ...parts });
    await admin.hset(keyOf(id), encodeSession(session));
    await admin.pexpireat(keyOf(id), (seconds + ttl) * 1000);
    return id;
  };

  const transports = [
    ['http', (...lines: Parameters<typeof checkHttp>[1]) => checkHttp(service.httpPort, lines)],
    ['grpc', (...lines: Parameters<typeof checkHttp>[1]) => grpc.check(lines)],
  ] as const;

  describe.each(transports)('%s', (_name, check) => {
    it('allows a live session and hands the upstream its identity, without our cookie', async () => {
      const id = await write({ roles: ['ADMIN', 'USER'], permissions: [] });
      const answer = await check(['cookie', `a=b; __Host-session=${id}; c=d`]);
      expect(answer).toEqual({
        status: 200,
        headers: {
          'x-user-id': 'u-1',
          'x-roles': 'ADMIN,USER',
          'x-permissions': '',
          cookie: 'a=b; c=d',
        },
        remove: [],
        body: '',
      });
    });

    it('allows a native session as bearer and removes the token', async () => {
      const id = await write({ kind: 'native' });
      const answer = await check(bearer(id));
      expect(answer).toMatchObject({ status: 200, remove: ['authorization'] });
    });

    it('answers 401 with a problem and a challenge where there is no session', async () => {
      const answer = await check(cookie(newSessionId()));
      expect(answer.status).toBe(401);
      expect(answer.headers).toMatchObject({
        'content-type': 'application/problem+json',
        'www-authenticate': 'Bearer realm="sallyport"',
        'cache-control': 'no-store',
      });
      expect(JSON.parse(answer.body)).toMatchObject({ status: 401, reason: 'unknown_session' });
    });

    it('answers 401 as soon as the session is gone', async () => {
      const id = await write();
      expect((await check(cookie(id))).status).toBe(200);
      await admin.del(keyOf(id));
      await until(async () => (await check(cookie(id))).status === 401);
    });

    it.each([
      ['a hash without expiry', async (key: string) => admin.persist(key)],
      ['a hash past its own deadline', async (key: string) => admin.hset(key, 'expires_at', '1')],
      ['a hash without roles', async (key: string) => admin.hdel(key, 'roles')],
      ['a hash with a broken number', async (key: string) => admin.hset(key, 'created_at', 'x')],
      ['a value with CR LF', async (key: string) => admin.hset(key, 'user_id', 'a\r\nx-roles: A')],
      ['another type', async (key: string) => admin.set(key, 'x', 'EX', 100)],
    ])('never allows %s', async (_what, damage) => {
      const id = await write();
      await damage(keyOf(id));
      expect((await check(cookie(id))).status).toBe(401);
      await admin.del(keyOf(id));
    });

    it('answers 400 to two credentials', async () => {
      const id = await write();
      expect((await check(cookie(id), bearer(newSessionId()))).status).toBe(400);
      expect((await check(cookie(id), cookie(id))).status).toBe(400);
    });

    it('answers 400 to a header that imitates an identity header', async () => {
      const id = await write();
      const answer = await check(cookie(id), ['X_User_Id', 'root']);
      expect(JSON.parse(answer.body)).toMatchObject({ status: 400, reason: 'imitated_identity' });
    });

    it('asks Redis nothing for a credential that cannot be a session', async () => {
      const before = await commandsServed();
      for (const value of ['x', '*', `${newSessionId()}x`, '../../etc', '"a"', '%00', '']) {
        expect((await check(cookie(value))).status).toBe(401);
      }
      expect((await commandsServed()).hmget).toBe(before.hmget);
    });
  });

  const commandsServed = async (): Promise<{ hmget: number }> => {
    const stats = await admin.info('commandstats');
    return { hmget: Number(/cmdstat_hmget:calls=([0-9]+)/.exec(stats)?.[1] ?? 0) };
  };

  it('answers every method and path on the check port with a check, never with health', async () => {
    for (const target of ['/', '/livez', '/healthz', '/metrics']) {
      for (const method of ['GET', 'POST', 'OPTIONS', 'HEAD', 'DELETE']) {
        expect((await checkHttp(service.httpPort, [], target, method)).status).toBe(401);
      }
    }
  });

  it('serves health apart, live and ready', async () => {
    for (const path of ['livez', 'readyz', 'healthz', 'metrics']) {
      const answer = await fetch(`http://127.0.0.1:${String(service.healthPort)}/${path}`);
      expect(answer.status).toBe(200);
    }
  });

  it('counts decisions by reason and transport, with no label from input', async () => {
    const text = await (
      await fetch(`http://127.0.0.1:${String(service.healthPort)}/metrics`)
    ).text();
    expect(text).toMatch(
      /extauthz_decisions_total\{outcome="allow",reason="session",transport="grpc"\}/,
    );
  });

  it('answers 503 while Redis is paused or dead, and the session is there when it is back', async () => {
    const id = await write();
    const both = async () => [
      (await checkHttp(service.httpPort, [cookie(id)])).status,
      (await grpc.check([cookie(id)])).status,
    ];
    expect(await both()).toEqual([200, 200]);

    // A cached session may be allowed for as long as the link's last proof is good; never a 401.
    const turn = async (expected: number): Promise<void> => {
      await until(async () => {
        const answers = await both();
        expect(answers).not.toContain(401);
        return answers.every((status) => status === expected);
      });
    };
    redis.pause();
    await turn(503);
    redis.resume();
    await turn(200);

    await redis.kill();
    await turn(503);
    const answer = await checkHttp(service.httpPort, [cookie(id)]);
    expect(answer.status).toBe(503);
    expect(answer.headers).toMatchObject({ 'retry-after': '1' });
    expect(JSON.parse(answer.body)).toMatchObject({ reason: 'store_unavailable' });
    const health = await fetch(`http://127.0.0.1:${String(service.healthPort)}/readyz`);
    expect(health.status).toBe(503);
    const live = await fetch(`http://127.0.0.1:${String(service.healthPort)}/livez`);
    expect(live.status).toBe(200);

    await redis.restart();
    await turn(200);
  });

  it('logs denials with their reason and never an id, a cookie or a query', async () => {
    const id = newSessionId();
    await checkHttp(service.httpPort, [cookie(id)], '/api/x?code=canary-query');
    const log = () => readFileSync(service.child.logFile, 'utf8');
    await until(() => Promise.resolve(log().includes('"path":"/api/x"')));
    expect(log()).toContain('"reason":"unknown_session"');
    expect(log()).not.toContain(id);
    expect(log()).not.toContain('canary-query');
  });
});

describe('extauthz, started and stopped', () => {
  it('finishes and exits with 0 on SIGTERM, without Redis too', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-extauthz-'));
    const service = await startExtauthz({ directory, env: { REDIS_PORT: '1' }, ready: false });
    try {
      const answer = await checkHttp(service.httpPort, [cookie(newSessionId())]);
      expect(answer.status).toBe(503);
    } finally {
      await service.child.stop();
    }
    expect(readFileSync(service.child.logFile, 'utf8')).toContain('"msg":"stopped"');
    rmSync(directory, { recursive: true, force: true });
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt += 1) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('the condition never came true');
}
