import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newSessionId } from '@sallyport/shared';
import { checkHttp } from '../support/extauthz.js';
import { keyOf, startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { until } from '../support/until.js';

/**
 * Past vulnerabilities of this field, as far as the check can have them; the numbers are the rows of
 * docs/regressions.md. Each runs against the real binary, over both transports.
 */
describe('past vulnerabilities of ext_authz services', () => {
  let rig: FailureRig;
  beforeAll(async () => {
    rig = await startFailureRig();
  });
  afterAll(() => rig.close());

  const cookie = (id: string) => ['Cookie', `__Host-session=${id}`] as const;
  type Lines = Parameters<typeof checkHttp>[1];
  const hmgets = () => rig.calls('hmget');

  describe.each([
    ['http', (lines: Lines, target?: string) => checkHttp(rig.service.httpPort, lines, target)],
    ['grpc', (lines: Lines, target?: string) => rig.checker.check(lines, target)],
  ] as const)('%s', (transport, check) => {
    it('reg-1: decides on all of several same-named headers, or denies', async () => {
      const [id, other] = [await rig.write(), await rig.write({ userId: 'u-2' })];
      expect((await check([cookie(id), cookie(other)])).status).toBe(400);
      expect((await check([cookie(other), cookie(id)])).status).toBe(400);
      const bearers = [id, other].map((value) => ['Authorization', `Bearer ${value}`] as const);
      expect((await check(bearers)).status).toBe(400);
    });

    it('reg-4, reg-6, reg-21, reg-33: no x-envoy-* and no X-Forwarded-* header moves the decision', async () => {
      const id = await rig.write();
      const forged = [
        ['X-Envoy-Original-Path', '/public'],
        ['X-Envoy-Internal', 'true'],
        ['X-Envoy-Auth-Partial-Body', 'false'],
        ['X-Forwarded-Proto', 'https'],
        ['X-Forwarded-Uri', '/livez'],
        ['X-Forwarded-For', '127.0.0.1'],
        ['X-Original-Url', '/livez'],
        ['X-Forwarded-User', 'root'],
      ] as const;
      expect((await check(forged)).status).toBe(401);
      const answer = await check([...forged, cookie(id)]);
      expect(answer).toMatchObject({ status: 200, headers: { 'x-user-id': 'u-1' } });
    });

    it('reg-5: never lets a stored CR, LF, NUL or comma-joined trick become a header', async () => {
      for (const bad of ['a\r\nx-roles: ADMIN', 'a\u0000b', 'a\nb', 'a b']) {
        const id = await rig.write();
        await rig.admin.hset(keyOf(id), 'user_id', bad);
        expect((await check([cookie(id)])).status).toBe(401);
        await rig.admin.hset(keyOf(id), { user_id: 'u-1', roles: `USER,${bad}` });
        await until(async () => (await check([cookie(id)])).status === 401);
      }
    });

    it('reg-7: logs a hostile path as one line of valid JSON', async () => {
      const mark = `${transport}-${newSessionId().slice(0, 8)}`;
      await check(
        [cookie('x')],
        `/api/${mark}/%0a%1b[31m"}{"level":"fatal"`.replaceAll('"', '%22'),
      );
      const lines = () => readFileSync(rig.service.child.logFile, 'utf8').trimEnd().split('\n');
      await until(() => lines().some((line) => line.includes(mark)));
      for (const line of lines()) expect(() => JSON.parse(line) as unknown).not.toThrow();
    });

    it('reg-8: takes no bearer on trust, and asks Redis at most once for it', async () => {
      const before = await hmgets();
      for (const token of [
        'x',
        'eyJhbGciOiJub25lIn0.e30.',
        'null',
        'Bearer',
        '\u00ff'.repeat(43),
      ]) {
        expect((await check([['Authorization', `Bearer ${token}`]])).status).toBe(401);
      }
      expect(await hmgets()).toBe(before);
      expect((await check([['Authorization', `Bearer ${newSessionId()}`]])).status).toBe(401);
      expect((await hmgets()) - before).toBeLessThanOrEqual(1);
    });

    it('reg-22: no health check’s User-Agent and no health path gets past', async () => {
      for (const agent of [
        'GoogleHC/1.0',
        'kube-probe/1.30',
        'Envoy/HC',
        'ELB-HealthChecker/2.0',
      ]) {
        expect((await check([['User-Agent', agent]])).status).toBe(401);
      }
      for (const path of ['/livez', '/readyz', '/healthz', '/ping', '/metrics', '/ready']) {
        expect((await check([], path)).status).toBe(401);
      }
    });

    it('reg-20, reg-28: refuses an identity header in any spelling an upstream may fold', async () => {
      const id = await rig.write();
      for (const name of [
        'X_User_Id',
        'x_roles',
        'X-Permissions_'.slice(0, -1).replace('-', '_'),
      ]) {
        expect((await check([cookie(id), [name, 'root']])).status).toBe(400);
      }
    });

    it('reg-27: always answers with all three identity headers, empty where there is nothing', async () => {
      const id = await rig.write({ roles: [], permissions: [] });
      const { headers } = await check([cookie(id)]);
      expect(headers).toMatchObject({ 'x-user-id': 'u-1', 'x-roles': '', 'x-permissions': '' });
    });

    it('reg-31, reg-49: never answers one session with another’s identity', async () => {
      const users = await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const userId = `u-${String(index)}`;
          return { userId, id: await rig.write({ userId, roles: [`R${String(index)}`] }) };
        }),
      );
      for (let round = 0; round < 5; round += 1) {
        const answers = await Promise.all(users.map(({ id }) => check([cookie(id)])));
        expect(answers.map(({ headers }) => headers['x-user-id'])).toEqual(
          users.map(({ userId }) => userId),
        );
      }
    });

    it('reg-35, reg-37: a role change reaches the next requests of a live session', async () => {
      const id = await rig.write({ roles: ['ADMIN'] });
      expect((await check([cookie(id)])).headers['x-roles']).toBe('ADMIN');
      await rig.admin.hset(keyOf(id), 'roles', '');
      await until(async () => (await check([cookie(id)])).headers['x-roles'] === '');
    });

    it('reg-39: a session of one lane is nothing in the other', async () => {
      const [browser, native] = [await rig.write(), await rig.write({ kind: 'native' })];
      const bearer = (id: string) => ['Authorization', `Bearer ${id}`] as const;
      const statuses = [
        await check([cookie(browser)]),
        await check([bearer(browser)]),
        await check([cookie(native)]),
        await check([bearer(native)]),
      ].map(({ status }) => status);
      expect(statuses).toEqual([200, 401, 401, 200]);
    });
  });

  it('reg-34: no malformed HTTP request is answered with a 2xx', async () => {
    const id = await rig.write();
    const hostile = [
      'GET /api HTTP/1.1\r\n\r\n',
      `GET /api HTTP/1.1\r\nHost: a\r\nCookie: __Host-session=${id}\r\nCookie: __Host-session=${id}\r\n\r\n`,
      `GET /api HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nCookie: __Host-session=${id}\r\n\r\n0\r\n\r\n`,
      `GET /api HTTP/1.1\nHost: a\nCookie: __Host-session=${id}\n\n`,
      `GET /api HTTP/1.1\r\nHost: a\r\n Cookie: __Host-session=${id}\r\n\r\n`,
      `GET /api HTTP/1.1\r\nHost: a\r\nCookie : __Host-session=${id}\r\n\r\n`,
      `GET /api HTTP/9.9\r\nHost: a\r\nCookie: __Host-session=${id}\r\n\r\n`,
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      `CONNECT a:1 HTTP/1.1\r\nHost: a\r\nCookie: __Host-session=${id}\r\n\r\n`,
      '\u0000\u0001\u0002\r\n\r\n',
      `GET /api HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(200_000)}\r\nCookie: __Host-session=${id}\r\n\r\n`,
    ];
    for (const text of hostile) {
      expect(await rawAnswer(rig.service.httpPort, text)).not.toMatch(/^HTTP\/1\.1 2/);
    }
    expect((await checkHttp(rig.service.httpPort, [cookie(id)])).status).toBe(200);
  });
});

function rawAnswer(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    const done = (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
      if (answer.includes('\r\n')) done();
    });
    socket.on('close', done).on('error', done);
    socket.end(text, 'latin1');
  });
}
