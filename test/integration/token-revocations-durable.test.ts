import { spawn } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { leftTokensPlan } from '@sallyport/shared';
import { exchange } from '@sallyport/demo/web-client/exchange';
import type { BrowserJar } from '../support/browser-jar.js';
import {
  gatewayBinary,
  gatewayEnv,
  sealKeys,
  startGatewayStack,
  type GatewayStack,
} from '../support/gateway.js';
import { dump } from '../support/redis-dump.js';
import { describeOnRedis, users } from '../support/redis.js';
import { metric, postRefresh, sessionOf, startReplica, type Replica } from '../support/replicas.js';
import { until } from '../support/until.js';

const endpoint = '/token/revocation';
const token = 'a-token-of-an-internal-caller-with-length';
const env = { INTERNAL_API_TOKENS: `operators:${token}` };

const logout = async ({ origin }: Replica, browser: BrowserJar): Promise<number> =>
  (await browser.visit(`${origin}/logout`)).status - 303;
/** How a session ends at a replica that will not live to see its refresh token revoked. */
const ends: readonly (readonly [string, (at: Replica, browser: BrowserJar) => Promise<number>])[] =
  [
    ['a logout', logout],
    [
      'the revocation of all of a user',
      async ({ managementOrigin }) =>
        (
          await exchange(`${managementOrigin}/internal/v1/sessions/users/user-7`, {
            method: 'DELETE',
            headers: [['Authorization', `Bearer ${token}`]],
          })
        ).status - 204,
    ],
  ];

describeOnRedis(
  '6.2',
  'a refresh token that is to be revoked at the provider',
  (redis) => {
    let stack: GatewayStack;
    let victim: Replica | undefined;
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), env);
    });
    afterAll(async () => {
      await victim?.close();
      await stack.close();
    });
    beforeEach(async () => {
      for (const admin of redis().admins) await admin.flushall();
      stack.idp.intercept = () => false;
    });

    const admin = () => redis().admins[0];
    const left = async () => (await dump(redis())).filter(({ key }) => /^gateway:left/.test(key));
    /** The lease of whoever has them is over, and the time that was to pass. */
    const makeDue = async (): Promise<void> => {
      for (const handle of (await admin()?.zrange(leftTokensPlan.due, 0, -1)) ?? []) {
        await admin()?.zadd(leftTokensPlan.due, 'XX', 0, handle);
      }
    };
    const lives = (refreshTokens: readonly string[]) => stack.idp.takes(refreshTokens);
    /** The provider is asked and does not answer. @returns how often it was asked */
    const silence = (): (() => number) => {
      let asked = 0;
      stack.idp.intercept = (request) => {
        if (request.url !== endpoint) return false;
        asked += 1;
        return true;
      };
      return () => asked;
    };
    const loggedIn = async (): Promise<{ browser: BrowserJar; issued: readonly string[] }> => {
      const before = stack.idp.issued.length;
      const browser = await stack.login();
      return { browser, issued: stack.idp.issued.slice(before) };
    };
    /** A session whose end was answered by a gateway that was killed before the provider heard of it. */
    const orphaned = async (end: (typeof ends)[number][1]): Promise<readonly string[]> => {
      victim = await startReplica(redis(), stack, env);
      const asked = silence();
      const { browser, issued } = await loggedIn();
      // Cookies are of a host, not of a port.
      expect(await end(victim, browser)).toBe(0);
      await until(() => asked() > 0);
      await victim.process.kill();
      await victim.close();
      victim = undefined;
      return issued;
    };

    it.each(ends)('is revoked by another when its gateway is killed after %s', async (_, end) => {
      const issued = await orphaned(end);
      const kept = await left();
      // Sealed, and in no key: nobody can use what is left.
      for (const secret of issued) expect(JSON.stringify(kept)).not.toContain(secret);
      expect(kept).toHaveLength(3);

      stack.idp.intercept = () => false;
      await makeDue();
      await until(async () => (await left()).length === 0);
      expect(await lives(issued)).toBe(false);
    });

    it('is tried again later when the provider has failed three times, and no more when it said no', async () => {
      const failed = 'gateway_token_revocations_total{outcome="failed"}';
      const before = await metric(stack.managementOrigin, failed);
      const answer = { status: 503, error: 'temporarily_unavailable' };
      stack.idp.intercept = (request, response) => {
        if (request.url !== endpoint) return false;
        request.resume();
        response
          .writeHead(answer.status, { 'Content-Type': 'application/json' })
          .end(JSON.stringify({ error: answer.error }));
        return true;
      };
      const { browser } = await loggedIn();
      await browser.visit(`${stack.origin}/logout`);
      await until(async () => (await metric(stack.managementOrigin, failed)) === before + 1);
      expect(await left()).toHaveLength(3);

      Object.assign(answer, { status: 400, error: 'unsupported_token_type' });
      const calls = stack.idp.count(endpoint);
      await makeDue();
      await until(async () => (await left()).length === 0);
      expect(stack.idp.count(endpoint)).toBe(calls + 1);
      expect(await metric(stack.managementOrigin, failed)).toBe(before + 2);
    });

    it('waits while the person is logged in again, on the same grant perhaps', async () => {
      await orphaned(logout);
      stack.idp.intercept = () => false;
      const { browser } = await loggedIn();
      const asked = stack.idp.count(endpoint);
      await makeDue();
      // It was looked at: it is due later.
      await until(async () => {
        const [, score = '0'] =
          (await admin()?.zrange(leftTokensPlan.due, 0, 0, 'WITHSCORES')) ?? [];
        return Number(score) > Date.now() + 30_000 && (await settledDown());
      });
      expect(stack.idp.count(endpoint)).toBe(asked);
      expect((await postRefresh(stack.origin, sessionOf(browser, stack.origin))).status).toBe(200);

      await browser.visit(`${stack.origin}/logout`);
      await makeDue();
      await until(async () => (await left()).length === 0);
      expect(stack.idp.count(endpoint)).toBe(asked + 2);
    });

    it('is not lost when the seal keys are rotated', async () => {
      const issued = await orphaned(logout);
      const [old = '', other = ''] = sealKeys.split(',');
      const rekey = await new Promise<{ code: number | null; out: string }>((resolve) => {
        const child = spawn(process.execPath, [gatewayBinary, 'rekey'], {
          env: {
            ...gatewayEnv(stack.origin, stack.idp.issuer, stack.permissions.url),
            REDIS_URL: redis().servers[0]?.url(users.writer) ?? '',
            TOKEN_SEAL_KEYS: `${other},${old}`,
            LOG_LEVEL: 'silent',
          },
        });
        let out = '';
        child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
        child.once('close', (code) => resolve({ code, out }));
      });
      expect(rekey).toMatchObject({ code: 0, out: expect.stringContaining('k0: 1 now, 0 before') });

      stack.idp.intercept = () => false;
      await makeDue();
      await until(async () => (await left()).length === 0);
      expect(await lives(issued)).toBe(false);
    });

    async function settledDown(): Promise<boolean> {
      return (await metric(stack.managementOrigin, 'gateway_token_revocations_waiting')) === 0;
    }
  },
  { appendOnly: true },
);
