import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { type BrowserJar } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { describeOnRedis } from '../support/redis.js';
import { makeReplica } from '../support/replica-of.js';
import { expireTokens, heartbeat, metric, sessionOf } from '../support/replicas.js';
import { until } from '../support/until.js';

const token = 'a-token-of-an-internal-caller-with-length';
const folder = mkdtempSync(join(tmpdir(), 'sallyport-replica-away-'));
const file = join(folder, 'audit.log');

describeOnRedis(
  '6.2',
  'the gateway whose revocations a replica must confirm',
  (redis) => {
    describeOnRedis('6.2', 'while the replica is away', (replica) => {
      let stack: GatewayStack;
      beforeAll(async () => {
        await makeReplica(redis(), replica());
        stack = await startGatewayStack(redis(), {
          REDIS_REVOCATION_ACKS: '1',
          GATEWAY_REDIS_TIMEOUT_MS: '300',
          SESSION_LIMIT_PER_USER: '2',
          INTERNAL_API_TOKENS: `operators:${token}`,
          AUDIT_LOG_FILE: file,
        });
      });
      const revokeAll = () =>
        exchange(`${stack.managementOrigin}/internal/v1/sessions/users/user-7`, {
          method: 'DELETE',
          headers: [['Authorization', `Bearer ${token}`]],
        });
      afterEach(async () => {
        await returns();
        await until(async () => (await revokeAll()).status === 204);
      });
      afterAll(async () => {
        await stack.close();
        rmSync(folder, { recursive: true });
      });
      const leaves = (): void => replica().servers[0]?.pause();
      const returns = async (): Promise<void> => {
        replica().servers[0]?.resume();
        await until(async () => (await redis().admins[0]?.wait(1, 50)) === 1);
      };
      const audited = (event: string) =>
        readFileSync(file, 'utf8')
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as Record<string, unknown>)
          .filter((line) => line['event'] === event);
      const revoked = () =>
        metric(stack.managementOrigin, 'gateway_token_revocations_total{outcome="revoked"}');
      const knows = async (browser: BrowserJar): Promise<number> =>
        (await browser.visit(`${stack.origin}/user`, { site: 'same-origin' })).status;

      it('lets a browser that has a session log in again', async () => {
        const browser = await stack.login();
        leaves();
        await stack.login(browser);
        expect(await knows(browser)).toBe(200);
      });

      it('makes room for one login more than a user may have', async () => {
        const browsers = [await stack.login(), await stack.login()];
        leaves();
        browsers.push(await stack.login());
        const [one, other, newest] = await Promise.all(browsers.map(knows));
        // Times of records are in seconds: of two logins in one second either may be the older.
        expect([[one, other].sort(), newest]).toEqual([[200, 401], 200]);
      });

      it('refuses a logout, and has done what follows from it once it is asked again', async () => {
        const browser = await stack.login();
        await until(async () => (await metric(stack.managementOrigin, waiting)) === 0);
        const [tokens, logouts] = [await revoked(), audited('logout').length];
        leaves();
        expect((await browser.visit(`${stack.origin}/logout`)).status).toBe(503);
        expect(await knows(browser)).toBe(401);
        await returns();
        expect((await browser.visit(`${stack.origin}/logout`)).status).toBe(303);
        await until(async () => (await revoked()) > tokens);

        expect(await revoked()).toBe(tokens + 1);
        expect(audited('logout')).toHaveLength(logouts + 1);
      });

      it('refuses to end a device or a user, and has told of both', async () => {
        const [one, other] = [await stack.login(), await stack.login()];
        const list = await one.visit(`${stack.origin}/auth/sessions`, { site: 'same-origin' });
        const { sessions } = JSON.parse(list.text) as {
          sessions: { ref: string; current: boolean }[];
        };
        const ref = sessions.find(({ current }) => !current)?.ref ?? '';
        const before = audited('revoke').length;
        leaves();
        const device = await one.visit(`${stack.origin}/auth/sessions/${ref}`, {
          method: 'DELETE',
          site: 'same-origin',
        });
        const user = await revokeAll();
        expect([device.status, user.status]).toEqual([503, 503]);
        expect([await knows(one), await knows(other)]).toEqual([401, 401]);
        expect(audited('revoke').slice(before, before + 2)).toMatchObject([
          { cause: 'device', ended: 1 },
          { cause: 'admin', ended: 1 },
        ]);
      });

      it('says why a session has ended at the provider, as ever', async () => {
        const session = sessionOf(await stack.login(), stack.origin);
        await expireTokens(redis().admins[0], session);
        stack.idp.intercept = (request, response) => {
          if (request.url !== '/token') return false;
          request.resume();
          response
            .writeHead(400, { 'Content-Type': 'application/json' })
            .end('{"error":"invalid_grant"}');
          return true;
        };
        leaves();
        const answer = await heartbeat(stack.origin, session);
        stack.idp.intercept = () => false;
        expect([answer.status, (JSON.parse(answer.text) as { reason: string }).reason]).toEqual([
          401,
          'session_ended_at_idp',
        ]);
      });
    });
  },
  { appendOnly: true },
);

const waiting = 'gateway_token_revocations_waiting';
