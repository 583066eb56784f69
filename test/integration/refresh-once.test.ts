import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { describeOnRedis } from '../support/redis.js';
import {
  expireTokens,
  heartbeat,
  metric,
  sessionOf,
  startReplica,
  tokenVersion,
  type LiveSession,
  type Replica,
} from '../support/replicas.js';
import { answerJson, ordinaryGrants } from '../support/permission-service.js';
import { cases } from '../support/proofs.js';
import { reportFigure } from '../support/figures.js';
import { until } from '../support/until.js';

/** `npm run figures -- --only refresh-once` is the long form. */
const expiries = cases(10, 200);
const pauses = cases(1, 10);
const callers = 50;
const env = { IDP_TIMEOUT_MS: '1000', REFRESH_RETRY_AFTER: '1500' };

for (const kind of ['6.2', '7'] as const) {
  describeOnRedis(
    kind,
    `a refresh token on Redis ${kind}`,
    (redis) => {
      let stack: GatewayStack;
      let others: Replica[];
      const admin = () => redis().admins[0];
      const origins = () => [stack.origin, ...others.map(({ origin }) => origin)];
      const managementOrigins = () => [
        stack.managementOrigin,
        ...others.map(({ managementOrigin }) => managementOrigin),
      ];
      beforeAll(async () => {
        stack = await startGatewayStack(redis(), env);
        others = [await startReplica(redis(), stack, env), await startReplica(redis(), stack, env)];
      });
      afterAll(async () => {
        await Promise.all(others.map((replica) => replica.close()));
        await stack.close();
      });
      afterEach(() => {
        stack.idp.intercept = () => false;
        stack.permissions.recover();
      });
      const login = async (): Promise<LiveSession> => sessionOf(await stack.login(), stack.origin);
      const uses = () => stack.idp.refreshes.used + stack.idp.refreshes.refused;
      const retries = async (): Promise<number> => {
        const sample = 'gateway_refresh_tokens_sent_total{use="retry"}';
        const each = await Promise.all(managementOrigins().map((one) => metric(one, sample)));
        return each.reduce((sum, one) => sum + one, 0);
      };

      it(
        `reg-52: is used exactly once per expiry by ${callers} callers on each of three replicas`,
        async () => {
          const session = await login();
          const before = uses();
          for (let expiry = 1; expiry <= expiries; expiry += 1) {
            await expireTokens(admin(), session);
            const answers = await Promise.all(
              origins().flatMap((origin) =>
                Array.from({ length: callers }, () => heartbeat(origin, session)),
              ),
            );
            expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
            await until(async () => (await tokenVersion(admin(), session)) === 1 + expiry);
            expect(uses() - before).toBe(expiry);
          }
          expect(stack.idp.refreshes.familiesRevoked).toBe(0);
          expect(await retries()).toBe(0);
          reportFigure({
            name: `refresh-uses-per-expiry-redis-${kind}`,
            value: (uses() - before) / expiries,
            goal: { exactly: 1 },
          });
        },
        60_000 + expiries * 2000,
      );

      describe('whose lock holder is paused', () => {
        it(
          'reg-A39: before the in-flight mark, beyond the lock’s TTL, is still used exactly once',
          async () => {
            let used = 0;
            for (let pause = 0; pause < pauses; pause += 1) {
              const session = await login();
              const before = uses();
              const [paused] = others;
              const pid = paused?.process.pid ?? 0;
              let asked = 0;
              // The holder asks for permissions between taking the lock and the mark.
              stack.permissions.answer = (request, response) => {
                asked += 1;
                if (asked === 1) process.kill(pid, 'SIGSTOP');
                answerJson(200, ordinaryGrants)(request, response);
              };
              await expireTokens(admin(), session);
              const late = heartbeat(paused?.origin ?? '', session);
              try {
                await until(() => asked === 1);
                await until(async () => {
                  await heartbeat(stack.origin, session);
                  return (await tokenVersion(admin(), session)) === 2;
                });
                expect(uses() - before).toBe(1);
              } finally {
                process.kill(pid, 'SIGCONT');
              }
              expect((await late).status).toBe(200);
              expect(uses() - before).toBe(1);
              expect(await tokenVersion(admin(), session)).toBe(2);
              expect(await retries()).toBe(0);
              used += uses() - before;
            }
            reportFigure({
              name: `refresh-uses-paused-before-mark-redis-${kind}`,
              value: used / pauses,
              goal: { exactly: 1 },
            });
          },
          60_000 + pauses * 15_000,
        );

        it(
          'reg-A39: after the mark is used once more at most, counted apart, and the session ends cleanly',
          async () => {
            let most = 0;
            for (let pause = 0; pause < pauses; pause += 1) {
              const session = await login();
              const [before, retriesBefore] = [uses(), await retries()];
              const [paused] = others;
              const pid = paused?.process.pid ?? 0;
              let sent = 0;
              stack.idp.intercept = (request) => {
                if (request.url === '/token') {
                  sent += 1;
                  if (sent === 1) process.kill(pid, 'SIGSTOP');
                }
                return false;
              };
              await expireTokens(admin(), session);
              const late = heartbeat(paused?.origin ?? '', session);
              try {
                await until(() => uses() - before === 1);
                // Not one use of the token before its time, then one, which the provider takes for a theft.
                await until(async () => {
                  const answer = await heartbeat(stack.origin, session);
                  return answer.status === 401;
                });
                expect(uses() - before).toBe(2);
              } finally {
                process.kill(pid, 'SIGCONT');
              }
              expect((await late).status).toBe(401);
              const answer = await heartbeat(stack.origin, session);
              expect(JSON.parse(answer.text)).toMatchObject({ reason: 'session_ended_at_idp' });
              expect(await admin()?.exists(session.key)).toBe(0);
              expect(uses() - before).toBe(2);
              expect((await retries()) - retriesBefore).toBe(1);
              most = Math.max(most, (await retries()) - retriesBefore);
              stack.idp.intercept = () => false;
            }
            reportFigure({
              name: `refresh-retries-paused-after-mark-redis-${kind}`,
              value: most,
              goal: { atMost: 1 },
            });
          },
          60_000 + pauses * 15_000,
        );
      });

      it('whose holder is asked to stop meanwhile is stored before it stops', async () => {
        const leaving = await startReplica(redis(), stack, env);
        const session = await login();
        const before = uses();
        let release: (() => void) | undefined;
        stack.idp.intercept = (request, response) => {
          if (request.url !== '/token') return false;
          release = () => stack.idp.handle(request, response);
          return true;
        };
        await expireTokens(admin(), session);
        const beat = heartbeat(leaving.origin, session);
        await until(() => release !== undefined);
        process.kill(leaving.process.pid ?? 0, 'SIGTERM');
        release?.();
        expect((await beat).status).toBe(200);
        await leaving.close();
        expect(await tokenVersion(admin(), session)).toBe(2);
        expect(uses() - before).toBe(1);
        expect(await admin()?.exists(`gateway:refresh-lock:${session.handle}`)).toBe(0);
      });

      it('whose holder is killed between the provider’s answer and the store is tried once more', async () => {
        const victim = await startReplica(redis(), stack, env);
        const session = await login();
        const [before, retriesBefore] = [uses(), await retries()];
        let sent = 0;
        stack.idp.intercept = (request) => {
          if (request.url === '/token') sent += 1;
          if (sent === 1) process.kill(victim.process.pid ?? 0, 'SIGSTOP');
          return false;
        };
        await expireTokens(admin(), session);
        const lost = heartbeat(victim.origin, session).catch(() => 'connection closed');
        await until(() => uses() - before === 1);
        await victim.process.kill();
        expect(await lost).toBe('connection closed');
        await until(async () => (await heartbeat(stack.origin, session)).status === 401);
        expect(uses() - before).toBe(2);
        expect((await retries()) - retriesBefore).toBe(1);
        await victim.close();
      });
    },
    { appendOnly: true },
  );
}
