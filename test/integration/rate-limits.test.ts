import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exchange, type HeaderList } from '@sallyport/demo/web-client/exchange';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { contractKey, newSessionId } from '@sallyport/shared';
import { closeRedis, createLogger, createRedis } from '@sallyport/shared/runtime';
import express from 'express';
import { errorHandler } from '../../session-gateway/src/http/error-handler.js';
import { rateLimit, type RateLimitOptions } from '../../session-gateway/src/http/rate-limit.js';
import { bindingCookieName } from '../../session-gateway/src/oidc/authorization-request.js';
import { BrowserJar, setCookies, type Visit } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { dump } from '../support/redis-dump.js';
import { describeOnRedis, users, type TestRedis } from '../support/redis.js';
import { postRefresh, sessionOf } from '../support/replicas.js';
import { ownerOf } from '../support/redis-cluster.js';
import { until } from '../support/until.js';

const limit = 5;
const from = (...hops: string[]): Visit => ({ headers: [['X-Forwarded-For', hops.join(', ')]] });

describeOnRedis(
  '6.2',
  'two replicas of the gateway',
  (redis) => {
    let stack: GatewayStack;
    let other: GatewayStack;
    beforeAll(async () => {
      const env = { GATEWAY_LOGIN_RATE_LIMIT: String(limit), GATEWAY_TRUSTED_PROXIES: '127.0.0.1' };
      stack = await startGatewayStack(redis(), env);
      other = await startGatewayStack(redis(), env);
    });
    afterAll(async () => {
      await Promise.all([stack.close(), other.close()]);
    });
    beforeEach(async () => {
      for (const admin of redis().admins) await admin.flushall();
    });
    const start = (visit: Visit, at = stack) => new BrowserJar().visit(at.startUrl, visit);
    /** Each in its turn. */
    const replica = (turn: number) => (turn % 2 === 0 ? stack : other);
    async function exhaust(...hops: string[]): Promise<void> {
      for (let count = 0; count < limit; count += 1) {
        expect((await start(from(...hops), replica(count))).status).toBe(302);
      }
    }

    it('let an address begin so many logins a minute, counted together', async () => {
      await exhaust('203.0.113.7');
      for (const at of [stack, other]) {
        const refused = await start(from('203.0.113.7'), at);
        expect(refused.status).toBe(429);
        expect(refused.headers['content-type']).toBe('text/html; charset=utf-8');
        expect(refused.text).toContain('Too many requests');
        const wait = Number(refused.headers['retry-after']);
        expect(wait).toBeGreaterThan(0);
        expect(wait).toBeLessThanOrEqual(60);
        expect(setCookies(refused)).toEqual([]);
      }
      const logins = (await dump(redis())).filter(({ key }) => key.startsWith('gateway:login:'));
      expect(logins).toHaveLength(limit);
    });

    it.each(['/oauth2/authorization/idp', '/auth/login'])(
      'count every address of the start together: %s',
      async (path) => {
        await exhaust('203.0.113.8');
        const refused = await new BrowserJar().visit(stack.origin + path, from('203.0.113.8'));
        expect(refused.status).toBe(429);
      },
    );

    it('tell a machine by a problem', async () => {
      await exhaust('203.0.113.9');
      const headers = [
        ['X-Forwarded-For', '203.0.113.9'],
        ['Accept', 'application/json'],
      ] as const;
      const answer = await exchange(stack.startUrl, { headers });
      expect(answer.status).toBe(429);
      expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
      expect(JSON.parse(answer.text)).toMatchObject({ status: 429, reason: 'rate_limited' });
    });

    it('reg-A30: cannot be deceived by a forged X-Forwarded-For', async () => {
      await exhaust('203.0.113.7');
      for (const forged of ['6.6.6.6', '127.0.0.1', '203.0.113.8', 'unknown', '']) {
        expect((await start(from(forged, '203.0.113.7'))).status).toBe(429);
      }
    });

    it('reg-A30: keep two people behind one Envoy apart', async () => {
      await exhaust('203.0.113.7');
      expect((await start(from('203.0.113.8'))).status).toBe(302);
    });

    it('reg-A30: have no bucket for everybody where only proxies of ours are known', async () => {
      for (let count = 0; count < 3 * limit; count += 1) {
        expect((await start({})).status).toBe(302);
        expect((await start(from('127.0.0.1'))).status).toBe(302);
      }
    });

    it('count a whole IPv6 /64 as one address', async () => {
      for (let count = 0; count < limit; count += 1) {
        expect((await start(from(`2001:db8:1:2::${String(count)}`))).status).toBe(302);
      }
      expect((await start(from('2001:db8:1:2:ffff::1'))).status).toBe(429);
      expect((await start(from('2001:db8:1:3::1'))).status).toBe(302);
    });

    it('reg-A25: do not count the images of a foreign page against its visitor', async () => {
      const [name, value] = ['X-Forwarded-For', '203.0.113.7'];
      for (const url of [stack.startUrl, `${stack.origin}/auth/callback?code=x`]) {
        for (let count = 0; count < 3 * limit; count += 1) {
          const answer = await new BrowserJar().visit(url, {
            site: 'cross-site',
            headers: [
              [name, value],
              ['Sec-Fetch-Mode', 'no-cors'],
              ['Sec-Fetch-Dest', 'image'],
            ],
          });
          expect(answer.status).toBe(403);
        }
        expect((await new BrowserJar().visit(url, from(value))).status).not.toBe(429);
      }
    });

    it('let an address finish so many logins a minute, counted together', async () => {
      const statuses: number[] = [];
      for (let count = 0; count < limit + 2; count += 1) {
        const callback = `${replica(count).origin}/login/oauth2/code/idp?code=x`;
        statuses.push((await new BrowserJar().visit(callback, from('203.0.113.7'))).status);
      }
      expect(statuses).toEqual([...Array<number>(limit).fill(200), 429, 429]);
    });

    it('let the callback of one login come so often, whoever sends it, and the honest one always', async () => {
      const browser = new BrowserJar();
      const callback = await stack.beginLogin(browser);
      const strangers = await Promise.all(
        Array.from({ length: 25 }, (_, count) =>
          new BrowserJar().visit(callback.replace(stack.origin, replica(count).origin), {
            site: 'cross-site',
          }),
        ),
      );
      expect(strangers.filter(({ status }) => status === 429)).toHaveLength(5);
      const honest = await browser.visit(callback, { site: 'cross-site' });
      expect([honest.status, setCookies(honest).length]).toEqual([200, 3]);
    });

    it('count callbacks with a cookie of the right name and a wrong value, too', async () => {
      const browser = new BrowserJar();
      const callback = await stack.beginLogin(browser);
      const state = new URL(callback).searchParams.get('state') ?? '';
      const cookie = `${bindingCookieName(state)}=${'x'.repeat(43)}`;
      const statuses: number[] = [];
      for (let count = 0; count < 25; count += 1) {
        const headers = [['Cookie', cookie]] as const;
        statuses.push((await new BrowserJar().visit(callback, { headers })).status);
      }
      expect(statuses).toEqual([...Array<number>(20).fill(200), ...Array<number>(5).fill(429)]);
      const honest = await browser.visit(callback, { site: 'cross-site' });
      expect([honest.status, setCookies(honest).length]).toEqual([200, 3]);
    });

    it('let a session be refreshed so often, counted together', async () => {
      const session = sessionOf(await stack.login(), stack.origin);
      const statuses: number[] = [];
      for (let count = 0; count < 32; count += 1)
        statuses.push((await postRefresh(replica(count).origin, session)).status);
      expect(statuses).toEqual([...Array<number>(30).fill(200), 429, 429]);
    });

    it('keep nothing that a stranger made up', async () => {
      const ask = async (path: string, method: string, headers: HeaderList) =>
        (await exchange(stack.origin + path, { method, headers })).status;
      for (let round = 0; round < 50; round += 1) {
        const answers = await Promise.all(
          Array.from({ length: 20 }, () => [
            ask('/auth/refresh', 'POST', [
              ['X-CSRF', '1'],
              ['Cookie', `__Host-session=${newSessionId()}`],
            ]),
            ask(`/auth/callback?code=x&state=${newSessionId()}`, 'GET', []),
          ]).flat(),
        );
        expect(new Set(answers)).toEqual(new Set([401, 200]));
      }
      const kept = (await dump(redis())).map(({ key }) => key);
      const made = kept.filter((key) => key.startsWith('gateway:') && key !== contractKey);
      expect(made).toEqual([]);
    });

    it('keep no address, no state and no key without an end in Redis', async () => {
      await start(from('203.0.113.7'));
      const callback = await stack.beginLogin(new BrowserJar());
      await new BrowserJar().visit(callback, from('203.0.113.7'));
      const state = new URL(callback).searchParams.get('state') ?? '';
      const counters = (await dump(redis())).filter(({ key }) => key.startsWith('gateway:rl:'));
      expect(counters.map(({ key }) => key.replace(/[A-Za-z0-9_-]{43}$/, '<h>')).sort()).toEqual([
        'gateway:rl:callback:<h>',
        'gateway:rl:start:<h>',
        'gateway:rl:transaction:<h>',
      ]);
      for (const { key } of counters) {
        expect(key).not.toContain('203.0');
        expect(key).not.toContain(state);
        const ttl = (await redis().admins[0]?.pttl(key)) ?? -1;
        expect(ttl).toBeGreaterThan(0);
        expect(ttl).toBeLessThanOrEqual(60_000);
      }
    });

    it('reg-A35: count on when Redis forgot their scripts', async () => {
      await exhaust('203.0.113.7');
      for (const admin of redis().admins) await admin.script('FLUSH');
      expect((await start(from('203.0.113.7'))).status).toBe(429);
    });
  },
  { appendOnly: true },
);

describeOnRedis(
  '6.2',
  'a rate limit',
  (redis) => {
    const ends: (() => Promise<unknown>)[] = [];
    beforeEach(async () => {
      for (const admin of redis().admins) await admin.flushall();
    });
    afterEach(async () => {
      const server = redis().servers[0];
      if (server?.pid === undefined) await server?.restart();
      await until(async () => (await redis().admins[0]?.ping()) === 'PONG');
      for (const end of ends.splice(0)) await end();
    });

    /** A limited route with a connection of its own, which may not be there yet. */
    async function limited(whenRedisFails: RateLimitOptions['whenRedisFails']) {
      const connection = newConnection(redis());
      ends.push(() => closeRedis(connection));
      const app = express();
      const keyOf = (request: express.Request) => request.get('x-key');
      const prefix = 'gateway:rl:exchange:';
      app.use(rateLimit({ redis: connection, prefix, perMinute: 2, keyOf, whenRedisFails }));
      app.get('/', (_request, response) => void response.send('done'));
      const failed: unknown[] = [];
      app.use(errorHandler({ failed: (reason) => failed.push(reason) }));
      const server = createServer(app);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      ends.push(() => close(server));
      const origin = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
      const ask = async (key: string) => {
        const answer = await exchange(origin, { headers: [['X-Key', key]] });
        return { status: answer.status, retryAfter: answer.headers['retry-after'] };
      };
      return { connection, origin, ask, failed };
    }

    describe.each(['pass', 'refuse'] as const)('that is to %s without Redis', (whenRedisFails) => {
      const without = whenRedisFails === 'pass' ? 200 : 503;

      it('reg-A35: is built before Redis is there, and counts as soon as it is', async () => {
        await redis().servers[0]?.kill();
        const { connection, ask } = await limited(whenRedisFails);
        await connection.connect().catch(() => undefined);
        for (let count = 0; count < 4; count += 1) {
          expect((await ask('early')).status).toBe(without);
        }
        await redis().servers[0]?.restart();
        await until(async () => (await ask('late')).status === 429);
        expect((await ask('later')).status).toBe(200);
      });

      it('does so while Redis is gone, and counts again when it is back', async () => {
        const { connection, ask, failed } = await limited(whenRedisFails);
        await connection.connect();
        expect((await ask('a')).status).toBe(200);
        await redis().servers[0]?.kill();
        const answer = await ask('a');
        expect(answer).toEqual({
          status: without,
          retryAfter: without === 503 ? '1' : undefined,
        });
        expect(failed).toEqual(without === 503 ? ['store_unavailable'] : []);
        await redis().servers[0]?.restart();
        await until(async () => (await ask('b')).status === 429);
      });

      it('reg-A35: is not broken for good by a first word that Redis refused', async () => {
        const { connection, ask } = await limited(whenRedisFails);
        await connection.connect();
        const admin = redis().admins[0];
        await admin?.call('ACL', 'SETUSER', users.writer.name, '-script');
        expect((await ask('c')).status).toBe(without);
        await admin?.call('ACL', 'SETUSER', users.writer.name, '+script|load', '+script|exists');
        expect((await ask('c')).status).toBe(200);
        expect((await ask('c')).status).toBe(200);
        expect((await ask('c')).status).toBe(429);
      });
    });

    it('reg-A35: is not broken for good where Redis forgot its script and then refused it', async () => {
      const { connection, ask } = await limited('pass');
      await connection.connect();
      const admin = redis().admin;
      expect((await ask('d')).status).toBe(200);
      await admin.call('ACL', 'SETUSER', users.writer.name, '-script');
      await admin.script('FLUSH');
      expect((await ask('d')).status).toBe(200);
      await admin.call('ACL', 'SETUSER', users.writer.name, '+script|load', '+script|exists');
      await until(async () => (await ask('d')).status === 429);
    });

    it('asks nothing of Redis where there is nothing to count by', async () => {
      // Its connection is never opened: a question would be a 503.
      const { origin } = await limited('refuse');
      expect((await exchange(origin)).status).toBe(200);
    });
  },
  { appendOnly: true },
);

describeOnRedis('cluster', 'a rate limit on a Cluster', (redis) => {
  let connection: ReturnType<typeof newConnection>;
  beforeAll(async () => {
    connection = newConnection(redis());
    await connection.connect();
  });
  afterAll(() => closeRedis(connection));
  const prefix = 'gateway:rl:exchange:';
  /** A key of its own on each primary. */
  const keys = async (): Promise<string[]> => {
    const found: string[] = [];
    for (const index of redis().admins.keys()) {
      for (let at = 0; found[index] === undefined; at += 1) {
        const key = `${String(index)}-${String(at)}`;
        const slot = await redis().admin.cluster('KEYSLOT', prefix + key);
        if ((await ownerOf(redis().admins, slot)) === index) found[index] = key;
      }
    }
    return found;
  };

  it('counts on every primary, and on the others while one is away', async () => {
    const keyOf = (request: express.Request) => request.get('x-key');
    const app = express();
    app.use(rateLimit({ redis: connection, prefix, perMinute: 2, keyOf, whenRedisFails: 'pass' }));
    app.get('/', (_request, response) => void response.send('done'));
    app.use(errorHandler({ failed: () => undefined }));
    const server = createServer(app);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
    const ask = async (key: string): Promise<number> =>
      (await exchange(origin, { headers: [['X-Key', key]] })).status;
    try {
      const [here, there, lost] = (await keys()) as [string, string, string];
      for (const key of [here, there, lost]) {
        expect([await ask(key), await ask(key), await ask(key)]).toEqual([200, 200, 429]);
      }
      await redis().servers[2]?.kill();
      await until(async () => (await ask(lost)) === 200);
      expect([await ask(here), await ask(there)]).toEqual([429, 429]);
      await until(async () => (await ask(lost)) === 200);
      expect([await ask(here), await ask(there)]).toEqual([429, 429]);
    } finally {
      await close(server);
    }
  });
});

function newConnection(redis: TestRedis) {
  const logger = createLogger({ name: 'test', level: 'silent' });
  return createRedis(redis.config(users.writer), { command: 1000, connect: 1000 }, logger);
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
