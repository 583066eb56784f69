import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import {
  defaultSessionKeyPrefix,
  gatewaySessionKey,
  newSessionId,
  refreshDueKey,
  sessionHandle,
} from '@sallyport/shared';
import { RedisSessionStore } from '../../session-gateway/src/sessions/redis-session-store.js';
import { aNewSession } from '../support/builders.js';
import { startCrashSwitch, type CrashSwitch } from '../support/crash-switch.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { describeOnRedis, users } from '../support/redis.js';
import {
  deadlineOf,
  metric,
  sessionOf,
  startReplica,
  tokenVersion,
  type LiveSession,
  type Replica,
} from '../support/replicas.js';
import { letTimePass } from '../support/time-travel.js';
import { until } from '../support/until.js';

const stream = 'extauthz:activity';
const now = (): number => Math.floor(Date.now() / 1000);
/** A replica attends to so many at a time: the other one has the rest. */
const atOnce = 16;
const sessionCount = 24;
/** With the patient timeouts that are set here: five calls to the provider, two to the permission service. */
const leaseSeconds = 130;
/** A gateway's first act on a report, before it confirms it. */
const lookAtASession = 'evalsha find extauthz:session:<…> gateway:session:{extauthz:session:<…>}';
const sent = (use: string) => `gateway_refresh_tokens_sent_total{use="${use}"}`;
const env = {
  SESSION_LIMIT_PER_USER: '0',
  GATEWAY_ACTIVITY_CLAIM_AFTER_MS: '100',
  // The requests that the killed one sent are held that long at the most.
  IDP_TIMEOUT_MS: '20000',
};

describeOnRedis(
  '6.2',
  'a replica that is killed',
  (redis) => {
    let stack: GatewayStack;
    let victim: Replica;
    let crash: CrashSwitch;
    const admin = () => redis().admin;
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), env);
    });
    afterAll(() => stack.close());
    beforeEach(async () => {
      await admin().flushall();
      const [server] = redis().servers;
      crash = await startCrashSwitch(server?.port ?? 0);
      const url = new URL(server?.url(users.writer) ?? '');
      url.port = String(crash.port);
      victim = await startReplica({ writerEnv: { REDIS_URL: url.href } }, stack, env);
    });
    afterEach(async () => {
      stack.idp.intercept = () => false;
      await victim.process.kill();
      await victim.close();
      await crash.close();
    });

    it('in the midst of refreshes has them done by the other, once their leases are over', async () => {
      const sessions: LiveSession[] = [];
      for (let login = 0; login < sessionCount; login += 1) {
        sessions.push(sessionOf(await stack.login(), stack.origin));
      }
      const held: { request: IncomingMessage; response: ServerResponse }[] = [];
      stack.idp.intercept = (request, response) => {
        if (request.url !== '/token') return false;
        held.push({ request, response });
        return true;
      };
      const versions = () => Promise.all(sessions.map((one) => tokenVersion(admin(), one)));
      const refreshed = async () => (await versions()).filter((version) => version === 2).length;

      await letTimePass(admin(), 301);
      await until(() => held.length === sessionCount);
      const lost = await metric(victim.managementOrigin, sent('first'));
      await victim.process.kill();
      const isLost = ({ request }: (typeof held)[number]) => request.socket.destroyed;
      await until(() => held.filter(isLost).length === lost);
      const left = held.filter((one) => !isLost(one));
      expect([lost, left.length].sort()).toEqual([sessionCount - atOnce, atOnce].sort());
      stack.idp.intercept = () => false;
      for (const { request, response } of left) stack.idp.handle(request, response);
      await until(async () => (await refreshed()) === left.length);

      // Nobody else has looked at those that the dead one leased, nor will before its leases are over.
      const before = await versions();
      for (const [at, { handle }] of sessions.entries()) {
        const next = Number(await admin().zscore(refreshDueKey, handle));
        if (before[at] === 1) expect(next - now()).toBeGreaterThan(0);
        if (before[at] === 1) expect(next - now()).toBeLessThanOrEqual(leaseSeconds);
      }
      await letTimePass(admin(), leaseSeconds);
      await until(async () => (await refreshed()) === sessionCount);
      expect(await metric(stack.managementOrigin, sent('retry'))).toBe(lost);
      expect(stack.idp.refreshes).toEqual({ used: sessionCount, refused: 0, familiesRevoked: 0 });
    });

    it('reg-A36: between reading a report of use and confirming it has it done by the other', async () => {
      const store = new RedisSessionStore(await redis().connect(users.writer), {
        prefix: defaultSessionKeyPrefix,
      });
      const claims = 'gateway_activity_events_total{outcome="claimed"}';
      const unconfirmed = async () => ((await admin().xpending(stream, 'gateway')) as [number])[0];
      await until(async () => (await admin().exists(stream)) === 1);
      const reported: LiveSession[] = [];
      crash.arm(victim.process.pid ?? 0, { label: lookAtASession, nth: 0, moment: 'before' });
      // Either replica may be the one that reads a report.
      while (crash.struck() === undefined) {
        const handle = sessionHandle(newSessionId(), 'hashed');
        const lifetimes = { idleSeconds: 100, absoluteSeconds: 36_000 };
        await store.create(handle, aNewSession(), lifetimes);
        const key = gatewaySessionKey(defaultSessionKeyPrefix, handle);
        const session = { handle, cookie: '', key };
        reported.push(session);
        await admin().xadd(stream, '*', 'h', handle);
        const isSlid = async () => (await deadlineOf(admin(), session)) > now() + 1700;
        await until(async () => crash.struck() !== undefined || (await isSlid()));
      }
      await until(() => victim.process.pid === undefined);
      const lost = reported.at(-1);
      if (lost === undefined) throw new Error('nothing was reported');
      await until(async () => (await deadlineOf(admin(), lost)) > now() + 1700);
      await until(async () => (await unconfirmed()) === 0);
      expect(await metric(stack.managementOrigin, claims)).toBeGreaterThan(0);
    });
  },
  { appendOnly: true },
);
