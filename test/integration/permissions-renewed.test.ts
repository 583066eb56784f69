import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { defaultSessionKeyPrefix, refreshDueKey, sessionKey } from '@sallyport/shared';
import { idpClient } from '../support/idp.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { answerJson, ordinaryGrants } from '../support/permission-service.js';
import { describeOnRedis } from '../support/redis.js';
import {
  deadlineOf,
  heartbeat,
  metric,
  sessionOf,
  tokenVersion,
  type LiveSession,
} from '../support/replicas.js';
import { letTimePass } from '../support/time-travel.js';
import { until } from '../support/until.js';

/** The defaults of PERMISSION_MAX_STALE_SECONDS, EXTAUTHZ_SESSION_TTL_SECONDS and of the leeway. */
const fresh = 900;
const idle = 1800;
const leeway = { least: 300, most: 360 };
/** Permissions are due after it, and so are tokens of 600 s. */
const untilDue = fresh - leeway.least + 1;
/** The worker comes round each second; without the defence it never would. */
const patience = 15_000;

const endsScript = `
local ends = {}
for at, key in ipairs(KEYS) do
  local time = redis.call('TIME')
  ends[at] = time[1] * 1000 + math.floor(time[2] / 1000) + redis.call('PTTL', key)
end
return ends`;

describeOnRedis(
  '6.2',
  'the permissions of a session in use',
  (redis) => {
    let stack: GatewayStack;
    const admin = () => redis().admin;
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), {
        IDP_TIMEOUT_MS: '1000',
        REFRESH_RETRY_AFTER: '1100',
      });
    });
    afterAll(() => stack.close());
    // Nothing of an earlier test may be due in a later one.
    beforeEach(() => admin().flushall());
    afterEach(() => stack.permissions.recover());

    const login = async (): Promise<LiveSession> => sessionOf(await stack.login(), stack.origin);
    const readerKey = ({ handle }: LiveSession) => sessionKey(defaultSessionKeyPrefix, handle);
    const grant = (roles: string[], permissions: string[]) => {
      stack.permissions.answer = answerJson(200, { ...ordinaryGrants, roles, permissions });
    };
    const grantsIn = async (key: string) => admin().hmget(key, 'roles', 'permissions');
    const bothHold = async (session: LiveSession, roles: string, permissions: string) => {
      const records = [await grantsIn(session.key), await grantsIn(readerKey(session))];
      return records.every((record) => record[0] === roles && record[1] === permissions);
    };
    const numberIn = async ({ key }: LiveSession, field: string) =>
      Number(await admin().hget(key, field));
    const byWorker = (outcome: string): Promise<number> =>
      metric(stack.managementOrigin, `gateway_refreshes_total{by="worker",outcome="${outcome}"}`);
    /** Some replica comes back just before these permissions are too old. */
    const isPlanned = async (session: LiveSession): Promise<boolean> => {
      const due = Number(await admin().zscore(refreshDueKey, session.handle));
      const end = await numberIn(session, 'perm_fresh_until');
      return due >= end - leeway.most && due <= end - leeway.least;
    };
    /** When Redis itself lets each of the two records go; to the second, as two commands tell it. */
    const endsOf = async (session: LiveSession): Promise<number[]> => {
      const ends = await admin().eval(endsScript, 2, session.key, readerKey(session));
      return (ends as number[]).map((end) => Math.round(end / 1000));
    };

    describe('whose provider gives no refresh token', () => {
      beforeAll(() => {
        stack.idp.changeClient(idpClient.id, { grant_types: ['authorization_code'] });
      });
      afterAll(() => {
        const grant_types = ['authorization_code', 'refresh_token'];
        stack.idp.changeClient(idpClient.id, { grant_types });
      });

      it('are renewed by the worker without a request of anybody, again and again', async () => {
        const session = await login();
        const [tokens, asked] = [stack.idp.count('/token'), stack.permissions.requests.length];
        // Tokens that nothing can renew are due at no time.
        await until(() => isPlanned(session), patience);

        for (const [round, roles] of ['AUDITOR', 'AUDITOR,USER'].entries()) {
          grant(roles.split(','), ['reports:read']);
          await letTimePass(admin(), untilDue);
          await until(() => bothHold(session, roles, 'reports:read'), patience);
          await until(() => isPlanned(session), patience);
          expect(await byWorker('permissions_renewed')).toBe(round + 1);
          expect(stack.permissions.requests).toHaveLength(asked + round + 1);
        }
        expect(stack.idp.count('/token')).toBe(tokens);
        expect(await tokenVersion(admin(), session)).toBe(1);
      });
    });

    describe.each([
      ['whose provider gives no refresh token', ['authorization_code']],
      ['whose tokens are renewed meanwhile', ['authorization_code', 'refresh_token']],
    ])('%s, while the permission service fails', (_which, grant_types) => {
      beforeAll(() => stack.idp.changeClient(idpClient.id, { grant_types }));

      it.each([
        ['by being down', answerJson(503, {})],
        ['with an answer for another user', answerJson(200, { ...ordinaryGrants, userId: 'eve' })],
      ])('%s cap both records at the last success + 900 s, until it is back', async (_how, bad) => {
        const session = await login();
        const asked = stack.permissions.requests.length;
        const lastSuccess = (await numberIn(session, 'created_at')) - untilDue;
        const uncapped = (await numberIn(session, 'last_accessed_at')) - untilDue + idle;
        stack.permissions.answer = bad;
        await letTimePass(admin(), untilDue);

        const cap = lastSuccess + fresh;
        expect(cap).toBeLessThan(uncapped);
        await until(async () => (await deadlineOf(admin(), session)) === cap, patience);
        expect(await endsOf(session)).toEqual([cap, cap]);
        expect(stack.permissions.requests.length).toBeGreaterThan(asked);
        // Use lengthens it no more, and what was granted before holds until then.
        const beat = await heartbeat(stack.origin, session);
        expect([beat.status, await deadlineOf(admin(), session)]).toEqual([200, cap]);
        const { roles, permissions } = ordinaryGrants;
        expect(await bothHold(session, roles.join(), permissions.join())).toBe(true);

        grant(['AUDITOR'], ['reports:read']);
        await until(() => bothHold(session, 'AUDITOR', 'reports:read'), patience);
        await until(async () => (await deadlineOf(admin(), session)) >= uncapped, patience);
        const end = await deadlineOf(admin(), session);
        expect(await endsOf(session)).toEqual([end, end]);
        await heartbeat(stack.origin, session);
        expect(await deadlineOf(admin(), session)).toBeGreaterThan(cap + untilDue);
      });
    });
  },
  { appendOnly: true },
);
