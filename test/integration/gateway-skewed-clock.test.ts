import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { records } from '../support/redis-dump.js';
import { describeOnRedis } from '../support/redis.js';
import {
  deadlineOf,
  heartbeat,
  sessionOf,
  shorten,
  startReplica,
  type LiveSession,
  type Replica,
} from '../support/replicas.js';

const token = 'a-token-of-a-service-that-may-revoke';
// From the sources: this file is built elsewhere.
const preload = pathToFileURL(join(process.cwd(), 'test/support/skewed-clock.mjs')).href;
const minutes = 60_000;
const env = { INTERNAL_API_TOKENS: `admin:${token}` };

/** TRUST R15: whose clock is wrong decides nothing; the instants of sessions are of Redis's TIME. */
for (const skew of [10 * minutes, -10 * minutes]) {
  describeOnRedis(
    '6.2',
    `R15: a replica whose clock is ${String(skew / minutes)} minutes off`,
    (redis) => {
      let stack: GatewayStack;
      let skewed: Replica;
      const admin = () => redis().admins[0];
      const time = async (): Promise<number> => Number((await admin()?.time())?.[0]);
      beforeAll(async () => {
        stack = await startGatewayStack(redis(), env);
        skewed = await startReplica(redis(), stack, {
          ...env,
          NODE_OPTIONS: `--import ${preload}`,
          CLOCK_SKEW_MS: String(skew),
        });
      });
      afterAll(async () => {
        await skewed.close();
        await stack.close();
      });
      beforeEach(() => admin()?.flushall());
      const login = async (): Promise<LiveSession> => sessionOf(await stack.login(), stack.origin);
      const revoke = (origin: string) =>
        exchange(`${origin}/internal/v1/sessions/users/user-7`, {
          method: 'DELETE',
          headers: [['Authorization', `Bearer ${token}`]],
        });

      it('has another clock indeed', async () => {
        const start = await new BrowserJar().visit(`${skewed.origin}/oauth2/authorization/idp`);
        // When the login began, by the gateway's own clock.
        const [, began = ''] = /^__Host-login-\w+=(\w+)\./.exec(setCookies(start)[0] ?? '') ?? [];
        const off = Number.parseInt(began, 36) - Date.now();
        expect(Math.abs(off - skew)).toBeLessThan(minutes);
      });

      it('slides a session to half an hour from now, by the clock of Redis', async () => {
        const session = await login();
        await shorten(admin(), session, 300);
        const before = await time();
        expect((await heartbeat(skewed.origin, session)).status).toBe(200);
        const end = await deadlineOf(admin(), session);
        expect(end).toBeGreaterThanOrEqual(before + 1800);
        expect(end).toBeLessThanOrEqual((await time()) + 1800 + 1);
        expect(await admin()?.pttl(session.key)).toBeLessThanOrEqual(1_801_000);
      });

      it('neither revives a session that is over nor ends one that is not', async () => {
        const [short, over] = [await login(), await login()];
        await shorten(admin(), short, 60);
        await shorten(admin(), over, -1);
        expect((await heartbeat(skewed.origin, short)).status).toBe(200);
        expect((await heartbeat(skewed.origin, over)).status).toBe(401);
      });

      it('revokes what began before, also a login under way, and nothing that begins after', async () => {
        const session = await login();
        const underWay = new BrowserJar();
        const callback = await stack.beginLogin(underWay);
        expect((await revoke(skewed.managementOrigin)).status).toBe(204);
        expect((await heartbeat(stack.origin, session)).status).toBe(401);
        const late = await underWay.visit(callback, { site: 'cross-site' });
        expect(late.headers.location).toContain('/login?error=auth_failed');
        expect(setCookies(late)).toHaveLength(1);
        expect(await records(redis())).toEqual([]);

        const later = await login();
        expect((await heartbeat(skewed.origin, later)).status).toBe(200);
        expect((await revoke(stack.managementOrigin)).status).toBe(204);
        expect((await heartbeat(skewed.origin, later)).status).toBe(401);
      });
    },
    { appendOnly: true },
  );
}
