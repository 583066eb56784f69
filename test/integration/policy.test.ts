import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { startRedis, type RedisProcess } from '@sallyport/demo/redis-process';
import { encodeSession, newSessionId, sessionHandle, sessionKey } from '@sallyport/shared';
import {
  checkHttp,
  grpcChecker,
  redisWithoutUsers,
  startExtauthz,
  type CheckAnswer,
  type ExtauthzProcess,
} from '../support/extauthz.js';
import { someSession } from '../support/facts.js';

const patience = 60_000;
const publicOrigin = 'https://app.example.com';
const partner = 'https://partner.example.com';

describe('extauthz with a policy file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-policy-'));
  const file = join(directory, 'policy.yaml');
  let redis: RedisProcess | undefined;
  let admin: Redis | undefined;
  let service: ExtauthzProcess;
  let grpc: ReturnType<typeof grpcChecker> | undefined;
  let cookie: readonly [string, string];

  const policy = `version: 1
rules:
  - { id: open, path: /api/open, allow: public }
  - { id: admin, path: /api/admin/**, allow: { roles: { any: [ADMIN] } } }
  - { id: shared, path: /api/shared, allow: authenticated, preflight: allow }
  - { id: rest, path: /api/**, allow: authenticated }
`;

  beforeAll(async () => {
    writeFileSync(file, policy);
    redis = await startRedis({ directory: join(directory, 'redis') });
    admin = new Redis(redis.port);
    const id = newSessionId();
    const key = sessionKey('extauthz:session:', sessionHandle(id, 'hashed'));
    const seconds = Number((await admin.time())[0]);
    const session = someSession({
      createdAt: seconds,
      expiresAt: seconds + 600,
      email: 'ada@example.org',
    });
    await admin.hset(key, encodeSession(session));
    await admin.expire(key, 600);
    cookie = ['cookie', `__Host-session=${id}`];
    service = await startExtauthz({
      directory,
      env: {
        REDIS_PORT: String(redis.port),
        ...redisWithoutUsers,
        EXTAUTHZ_POLICY_FILE: file,
        PUBLIC_ORIGIN: publicOrigin,
        EXTAUTHZ_TRUSTED_ORIGINS: `https://other.example.com, ${partner}`,
        EXTAUTHZ_LOGIN_URL: '/login',
        EXTAUTHZ_SEND_EMAIL: 'true',
        EXTAUTHZ_SEND_KIND: 'true',
      },
    });
    grpc = grpcChecker(service.grpcPort);
  }, patience);

  afterAll(async () => {
    grpc?.close();
    await service.child.stop();
    admin?.disconnect();
    await redis?.stop();
    rmSync(directory, { recursive: true, force: true });
  }, patience);

  const transports: [string, (...asked: Asked) => Promise<CheckAnswer>][] = [
    ['http', (...asked) => checkHttp(service.httpPort, ...asked)],
    [
      'grpc',
      (...asked) => {
        if (grpc === undefined) throw new Error('no service');
        return grpc.check(...asked);
      },
    ],
  ];
  type Asked = [lines: (readonly [string, string])[], target: string, method?: string];

  describe.each(transports)('%s', (_name, check) => {
    it('lets a public path pass with empty identity headers, forged or logged in', async () => {
      const empty = {
        'x-user-id': '',
        'x-roles': '',
        'x-permissions': '',
        'x-user-email': '',
        'x-session-kind': '',
      };
      const forged = await check([['x-user-id', 'root']], '/api/open');
      expect(forged).toMatchObject({ status: 200, headers: empty, remove: [] });
      const known = await check([cookie], '/api/open?a=b');
      expect(known).toMatchObject({ status: 200, headers: empty, remove: ['cookie'] });
    });

    it.each([
      'x-envoy-original-path',
      'x-original-url',
      'x-rewrite-url',
      'x-forwarded-uri',
      'x-forwarded-path',
      'x-forwarded-prefix',
      'x-envoy-original-host',
    ])('reg-4: another path in %s opens nothing and closes nothing', async (name) => {
      expect((await check([], '/api/open')).status).toBe(200);
      expect((await check([[name, '/api/open']], '/api/me')).status).toBe(401);
      const admin = await check([cookie, [name, '/api/open']], '/api/admin/users');
      expect(JSON.parse(admin.body)).toMatchObject({ reason: 'missing_role', rule: 'admin' });
      expect((await check([[name, '/api/admin/users']], '/api/open')).status).toBe(200);
    });

    it('hands over the optional headers where they are switched on', async () => {
      const { headers } = await check([cookie], '/api/me');
      expect(headers).toMatchObject({
        'x-user-email': 'ada@example.org',
        'x-session-kind': 'browser',
      });
    });

    it('names the rule that denies', async () => {
      const answer = await check([cookie], '/api/admin/users');
      expect(answer.status).toBe(403);
      expect(JSON.parse(answer.body)).toMatchObject({ reason: 'missing_role', rule: 'admin' });
      const none = await check([cookie], '/elsewhere');
      expect(JSON.parse(none.body)).toMatchObject({ status: 403, reason: 'no_rule' });
    });

    it('lets nobody act with a cookie from another site', async () => {
      const act = async (...lines: (readonly [string, string])[]) =>
        (await check([cookie, ...lines], '/api/me', 'POST')).status;
      expect(await act()).toBe(403);
      expect(await act(['origin', 'https://evil.example'])).toBe(403);
      expect(await act(['sec-fetch-site', 'cross-site'])).toBe(403);
      expect(await act(['origin', publicOrigin])).toBe(200);
      expect(await act(['sec-fetch-site', 'same-origin'])).toBe(200);
    });

    it('lets a page of a trusted origin act, and of no other that looks like it', async () => {
      const from = async (origin: string) => {
        const lines = [cookie, ['origin', origin], ['sec-fetch-site', 'cross-site']] as const;
        const { status, body } = await check([...lines], '/api/me', 'DELETE');
        return status === 200 ? status : (JSON.parse(body) as { reason: string }).reason;
      };
      expect(await from(partner)).toBe(200);
      expect(await from('https://other.example.com')).toBe(200);
      for (const other of [
        `${partner}.evil.example`,
        `${partner}:8443`,
        partner.replace('https', 'http'),
        'https://evil.example',
        'null',
      ]) {
        expect([other, await from(other)]).toEqual([other, 'csrf']);
      }
    });

    it('lets nobody open a WebSocket with a cookie from another site', async () => {
      const open = async (...lines: (readonly [string, string])[]) =>
        (await check([cookie, ['sec-websocket-version', '13'], ...lines], '/api/me')).status;
      expect(await open()).toBe(403);
      expect(await open(['origin', 'https://evil.example'])).toBe(403);
      expect(await open(['origin', publicOrigin])).toBe(200);
    });

    it('lets a preflight pass by its rule only', async () => {
      const preflight = [
        ['origin', 'https://elsewhere.example'],
        ['access-control-request-method', 'PUT'],
      ] as [string, string][];
      const allowed = await check(preflight, '/api/shared', 'OPTIONS');
      expect(allowed).toMatchObject({ status: 200, headers: { 'x-user-id': '' } });
      expect((await check(preflight, '/api/me', 'OPTIONS')).status).toBe(401);
    });

    it('sends a person to the login, and a person from elsewhere through the bounce', async () => {
      const page = (site: string): [string, string][] => [
        ['sec-fetch-mode', 'navigate'],
        ['sec-fetch-dest', 'document'],
        ['sec-fetch-site', site],
      ];
      const login = await check(page('none'), '/api/report?a=b');
      expect(login.status).toBe(302);
      expect(login.headers).toMatchObject({
        location: `${publicOrigin}/login?returnUrl=${encodeURIComponent(`${publicOrigin}/api/report?a=b`)}`,
        'cache-control': 'no-store',
      });
      expect(String(login.headers['set-cookie'])).toContain('__Host-return=');
      const bounce = await check(page('cross-site'), '/api/report');
      expect(bounce.status).toBe(401);
      expect(bounce.body).toContain('/api/report?__bounce=1');
      expect((await check([], '/api/report')).headers['content-type']).toBe(
        'application/problem+json',
      );
    });
  });
});
