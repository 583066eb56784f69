import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { parseSessionId, sessionHandle, type SessionId } from '@sallyport/shared';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { SignJWT } from 'jose';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { Victims } from '../support/crash-victims.js';
import { reportFigure } from '../support/figures.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { idpClient } from '../support/idp.js';
import { answerJson } from '../support/permission-service.js';
import { cases, Choices, isLong, proofSeed } from '../support/proofs.js';
import { scanRecords } from '../support/record-scan.js';
import { describeOnRedis, users } from '../support/redis.js';
import { SessionOracle } from '../support/session-oracle.js';
import { sessionReader, type SessionReader } from '../support/session-reader.js';
import { rolesIn } from '../support/session-world-scene.js';

const count = cases(20, 500);
const stepsEach = cases(10, 30);
const people = ['ada', 'eve'] as const;
const token = 'a-token-of-a-service-that-may-revoke';
const env = {
  INTERNAL_API_TOKENS: `admin:${token}`,
  IDP_TIMEOUT_MS: '1000',
  REFRESH_RETRY_AFTER: '1500',
};

describeOnRedis(
  '6.2',
  `the invariants of sessions, with kills (PROOF_SEED=${String(proofSeed)})`,
  (redis) => {
    let stack: GatewayStack;
    let victims: Victims;
    let reader: SessionReader;
    const admin = () => {
      const [one] = redis().admins;
      if (one === undefined) throw new Error('no server');
      return one;
    };
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), env);
      victims = new Victims(redis(), stack, env, (request, response) => {
        const [, userId = ''] = /users\/([^/]+)\/permissions/.exec(request.url ?? '') ?? [];
        answerJson(200, { userId, ...rolesIn(userId, 0) })(request, response);
      });
      reader = sessionReader(await redis().connect(users.reader));
      await victims.watchIdle(3000);
    });
    afterAll(async () => {
      await victims.close();
      await stack.close();
    });

    /** One schedule: two gateways, one of which is killed somewhere in the middle of something. */
    const run = async (choices: Choices): Promise<string[]> => {
      const oracle = new SessionOracle();
      const begin = Date.now();
      const now = () => (Date.now() - begin) / 1000;
      const victim = await victims.next();
      const browsers = [new BrowserJar(), new BrowserJar(), new BrowserJar()];
      const origin = () => choices.one([stack.origin, victim.origin]);
      const some = (): SessionId | undefined =>
        oracle.ids().length === 0 ? undefined : choices.one(oracle.ids());
      const key = (id: SessionId) =>
        `gateway:session:{extauthz:session:${sessionHandle(id, 'hashed')}}`;

      const login = async (): Promise<void> => {
        const jar = choices.one(browsers);
        const person = choices.one(people);
        const [start, end] = [origin(), origin()];
        const answer = await jar.visit(`${start}/oauth2/authorization/idp`);
        const loginBegan = oracle.next();
        stack.idp.nextSubject = person;
        // A browser of its own at the provider: whoever comes next there is somebody else.
        const url = await new BrowserJar().redirectsUntil(
          String(answer.headers.location),
          `${stack.origin}/login/`,
        );
        const held = parseSessionId(jar.cookies.get('localhost', '__Host-session') ?? '');
        oracle.ending(held);
        const callback = url.replace(stack.origin, end);
        const done = await jar.visit(callback, { site: 'cross-site' });
        const line = setCookies(done).find((one) => /^__Host-session=[^;]/.test(one)) ?? '';
        const id = parseSessionId(/^__Host-session=([^;]*)/.exec(line)?.[1] ?? '');
        if (id === undefined) return;
        // Two logins at once may have met the other's person there.
        const user = await exchange(`${stack.origin}/user`, cookie(id));
        const { sub: userId } = JSON.parse(user.text) as { sub?: string };
        // Ended already, or nobody can say whose it is: then nothing can be said of it later either.
        if (userId === undefined) return;
        oracle.born(id, userId, loginBegan, now(), { presented: [held] });
        oracle.ending(id);
        oracle.over(held, 'a login replaced it');
      };
      const beat = async (): Promise<void> => {
        const id = some();
        if (id === undefined) return;
        if (choices.rarely(2) && (await admin().exists(key(id))) === 1) {
          await admin().eval(
            "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'token_expires_at', '1') end",
            1,
            key(id),
          );
        }
        const answer = await exchange(`${origin()}/auth/v1/session`, cookie(id));
        if (answer.status === 401) oracle.over(id, `a heartbeat said so: ${answer.text}`);
        else oracle.used(id, now());
      };
      const logout = async (): Promise<void> => {
        const id = some();
        if (id === undefined) return;
        const headers = [...cookie(id).headers, ['X-CSRF', '1']] as const;
        const answer = await exchange(`${origin()}/logout`, { method: 'POST', headers });
        if (answer.status === 200) oracle.over(id, 'its logout was answered');
      };
      const revoke = async (person: string): Promise<void> => {
        const revocation = oracle.revoking(person);
        const answer = await exchange(
          `${stack.managementOrigin}/internal/v1/sessions/users/${person}`,
          { method: 'DELETE', headers: [['Authorization', `Bearer ${token}`]] },
        );
        if (answer.status === 204) revocation.answered();
      };
      const backChannel = async (): Promise<void> => {
        const id = some();
        const sid = id === undefined ? null : await admin().hget(key(id), 'sid');
        if (sid === null) return;
        const answer = await exchange(`${origin()}/auth/backchannel-logout`, {
          method: 'POST',
          headers: [['Content-Type', 'application/x-www-form-urlencoded']],
          body: new URLSearchParams({ logout_token: await logoutToken(stack, sid) }).toString(),
        });
        if (answer.status === 200) oracle.over(id, 'its back-channel logout was answered');
      };
      const check = async (): Promise<void> => {
        const id = some();
        if (id === undefined) return;
        const [began, at] = [oracle.next(), now()];
        oracle.judge(id, began, at, await reader(id, 'cookie'));
      };
      const acts = [login, login, login, beat, beat, beat, logout, backChannel, check, check];
      const act = (): Promise<void> =>
        choices.rarely(12) ? revoke(choices.one(people)) : choices.one(acts)();

      await login();
      // Not in its last steps: there must be enough left to be struck at.
      const killAt = choices.below(Math.ceil(stepsEach / 2));
      for (let step = 0; step < stepsEach; step += 1) {
        if (step === killAt) {
          victim.crash.arm(victim.pid, {
            at: choices.below(12),
            moment: choices.one(['before', 'after'] as const),
          });
        }
        // Two at a time; what the dead one is asked is refused, and that is all right.
        await Promise.all([act(), act()].map((one) => one.catch(isCutOff)));
        for (const wrong of await scanRecords(admin())) oracle.wrong.push(wrong);
        await check();
      }
      if (victim.crash.struck() !== undefined) killed += 1;
      await victim.close();
      for (const id of oracle.ids()) {
        oracle.judge(id, oracle.next(), now(), await reader(id, 'cookie'));
      }
      for (const person of people) await revoke(person);
      // But not the sealed tokens of ended ones, which wait for the provider.
      const records = ['extauthz:session:*', 'gateway:session:*'];
      const found = await Promise.all(records.map((pattern) => admin().keys(pattern)));
      const left = found.flat().length;
      if (left > 0) oracle.wrong.push(`I14 ${String(left)} records outlived every revocation`);
      allows += oracle.allows;
      return oracle.wrong;
    };
    let allows = 0;
    /** Schedules in which the gateway was struck; some end before it does so much. */
    let killed = 0;

    it(
      `I1–I8 hold in ${String(count)} schedules in which a gateway is killed`,
      async () => {
        const wrong: string[] = [];
        for (let schedule = 0; killed < count && schedule < 2 * count; schedule += 1) {
          const seed = proofSeed + schedule;
          const found = await run(new Choices(seed));
          wrong.push(...new Set(found.map((what) => `PROOF_SEED=${String(seed)}: ${what}`)));
        }
        reportFigure({
          name: 'invariants-kill-schedules',
          value: killed,
          goal: { atLeast: count },
        });
        reportFigure({ name: 'invariants-kill-wrong', value: wrong.length, goal: { atMost: 0 } });
        expect(wrong).toEqual([]);
        expect(killed).toBeGreaterThanOrEqual(count);
        expect(allows).toBeGreaterThan(count);
        expect(stack.idp.refreshes.used).toBeGreaterThan(0);
      },
      isLong ? 2_000_000 : 300_000,
    );
  },
  { appendOnly: true },
);

const cookie = (id: SessionId) => ({ headers: [['Cookie', `__Host-session=${id}`]] as const });

function isCutOff(error: unknown): void {
  const { code = '', message } = error as { code?: string; message: string };
  if (!/^(?:ECONNRESET|ECONNREFUSED|EPIPE)$/.test(code) && !/hang up|aborted/.test(message)) {
    throw error;
  }
}

function logoutToken(stack: GatewayStack, sid: string): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({
    iss: stack.idp.issuer,
    aud: idpClient.id,
    iat: now,
    exp: now + 120,
    jti: randomUUID(),
    sid,
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
  })
    .setProtectedHeader({ alg: 'RS256', kid: 'k1', typ: 'logout+jwt' })
    .sign(stack.idp.privateKey);
}
