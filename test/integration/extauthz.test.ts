import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newSessionId } from '@sallyport/shared';
import { checkHttp, startExtauthz } from '../support/extauthz.js';
import { keyOf, startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { until } from '../support/until.js';

const cookie = (value: string) => ['cookie', `__Host-session=${value}`] as const;
const bearer = (value: string) => ['authorization', `Bearer ${value}`] as const;

describe('extauthz, both transports', () => {
  let rig: FailureRig;
  beforeAll(async () => {
    rig = await startFailureRig({ env: () => ({ PUBLIC_ORIGIN: 'https://app.example' }) });
  });
  afterAll(() => rig.close());

  type Lines = Parameters<typeof checkHttp>[1];
  const httpAs = (method: string, lines: Lines) =>
    checkHttp(rig.service.httpPort, lines, '/api/me', method);
  const grpcAs = (method: string, lines: Lines) => rig.checker.check(lines, '/api/me', method);
  const transports = [
    ['http', (...lines: Lines) => checkHttp(rig.service.httpPort, lines), httpAs],
    ['grpc', (...lines: Lines) => rig.checker.check(lines), grpcAs],
  ] as const;

  describe.each(transports)('%s', (_name, check, checkAs) => {
    it('allows a live session and hands the upstream its identity, without our cookie', async () => {
      const id = await rig.write({ roles: ['ADMIN', 'USER'], permissions: [] });
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
      const id = await rig.write({ kind: 'native' });
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
      const id = await rig.write();
      expect((await check(cookie(id))).status).toBe(200);
      await rig.admin.del(keyOf(id));
      await until(async () => (await check(cookie(id))).status === 401);
    });

    it.each([
      ['a hash without expiry', async (key: string) => rig.admin.persist(key)],
      [
        'a hash past its own deadline',
        async (key: string) => rig.admin.hset(key, 'expires_at', '1'),
      ],
      ['a hash without roles', async (key: string) => rig.admin.hdel(key, 'roles')],
      [
        'a hash with a broken number',
        async (key: string) => rig.admin.hset(key, 'created_at', 'x'),
      ],
      [
        'a value with CR LF',
        async (key: string) => rig.admin.hset(key, 'user_id', 'a\r\nx-roles: A'),
      ],
      ['another type', async (key: string) => rig.admin.set(key, 'x', 'EX', 100)],
    ])('never allows %s', async (_what, damage) => {
      const id = await rig.write();
      await damage(keyOf(id));
      expect((await check(cookie(id))).status).toBe(401);
      await rig.admin.del(keyOf(id));
    });

    it('answers 400 to two credentials', async () => {
      const id = await rig.write();
      expect((await check(cookie(id), bearer(newSessionId()))).status).toBe(400);
      expect((await check(cookie(id), cookie(id))).status).toBe(400);
    });

    it('answers 400 to a header that imitates an identity header', async () => {
      const id = await rig.write();
      const answer = await check(cookie(id), ['X_User_Id', 'root']);
      expect(JSON.parse(answer.body)).toMatchObject({ status: 400, reason: 'imitated_identity' });
    });

    it('asks Redis nothing for a credential that cannot be a session', async () => {
      const before = await rig.calls('hmget');
      for (const value of ['x', '*', `${newSessionId()}x`, '../../etc', '"a"', '%00', '']) {
        expect((await check(cookie(value))).status).toBe(401);
      }
      expect(await rig.calls('hmget')).toBe(before);
    });

    it('reg-A29: asks Redis nothing for a change that a foreign page wants', async () => {
      const before = await rig.calls('hmget');
      const foreign: Lines[] = [
        [['origin', 'https://evil.example']],
        [['origin', 'null']],
        [['sec-fetch-site', 'cross-site']],
        [['sec-fetch-site', 'same-site']],
        [
          ['origin', 'https://app.example'],
          ['sec-fetch-site', 'cross-site'],
        ],
        [],
      ];
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
        for (const lines of foreign) {
          // An id that nobody has asked for yet: it is not remembered as absent either.
          const answer = await checkAs(method, [cookie(newSessionId()), ...lines]);
          expect(JSON.parse(answer.body)).toMatchObject({ status: 403, reason: 'csrf' });
        }
      }
      expect(await rig.calls('hmget')).toBe(before);
      const own = [cookie(newSessionId()), ['origin', 'https://app.example']] as const;
      expect((await checkAs('POST', own)).status).toBe(401);
      expect(await rig.calls('hmget')).toBe(before + 1);
    });
  });

  it('answers every method and path on the check port with a check, never with health', async () => {
    for (const target of ['/', '/livez', '/healthz', '/metrics']) {
      for (const method of ['GET', 'POST', 'OPTIONS', 'HEAD', 'DELETE']) {
        expect((await checkHttp(rig.service.httpPort, [], target, method)).status).toBe(401);
      }
    }
  });

  it('serves health apart, live and ready', async () => {
    for (const path of ['livez', 'readyz', 'healthz', 'metrics']) {
      const answer = await fetch(`http://127.0.0.1:${String(rig.service.healthPort)}/${path}`);
      expect(answer.status).toBe(200);
    }
  });

  it('counts decisions by reason and transport, with no label from input', async () => {
    const text = await (
      await fetch(`http://127.0.0.1:${String(rig.service.healthPort)}/metrics`)
    ).text();
    expect(text).toMatch(
      /extauthz_decisions_total\{outcome="allow",reason="session",transport="grpc"\}/,
    );
  });

  it('answers 503 while Redis is paused or dead, and the session is there when it is back', async () => {
    const id = await rig.write();
    const both = async () => [
      (await checkHttp(rig.service.httpPort, [cookie(id)])).status,
      (await rig.checker.check([cookie(id)])).status,
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
    rig.redis.pause();
    await turn(503);
    rig.redis.resume();
    await turn(200);

    await rig.redis.kill();
    await turn(503);
    const answer = await checkHttp(rig.service.httpPort, [cookie(id)]);
    expect(answer.status).toBe(503);
    expect(answer.headers).toMatchObject({ 'retry-after': '1' });
    expect(JSON.parse(answer.body)).toMatchObject({ reason: 'store_unavailable' });
    const health = await fetch(`http://127.0.0.1:${String(rig.service.healthPort)}/readyz`);
    expect(health.status).toBe(503);
    const live = await fetch(`http://127.0.0.1:${String(rig.service.healthPort)}/livez`);
    expect(live.status).toBe(200);

    await rig.redis.restart();
    await turn(200);
  });

  it('logs denials with their reason and never an id, a cookie or a query', async () => {
    const id = newSessionId();
    await checkHttp(rig.service.httpPort, [cookie(id)], '/api/x?code=canary-query');
    const log = () => readFileSync(rig.service.child.logFile, 'utf8');
    await until(() => log().includes('"path":"/api/x"'));
    await until(() => log().includes('"reason":"unknown_session"'));
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
