import { SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { exchange } from '@sallyport/demo/web-client/exchange';
import type { BrowserJar } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { idpClient } from '../support/idp.js';
import { describeOnRedis } from '../support/redis.js';
import { metric } from '../support/replicas.js';
import { until } from '../support/until.js';

const token = 'a-token-of-an-internal-caller-with-length';
const endpoint = '/token/revocation';

type End = (browser: BrowserJar, stack: GatewayStack) => Promise<unknown>;

const logoutToken = (stack: GatewayStack, claims: Record<string, string>): Promise<string> =>
  new SignJWT({ ...claims, events: { 'http://schemas.openid.net/event/backchannel-logout': {} } })
    .setProtectedHeader({ alg: 'RS256', kid: 'k1', typ: 'logout+jwt' })
    .setIssuer(stack.idp.issuer)
    .setAudience(idpClient.id)
    .setIssuedAt()
    .setExpirationTime('2m')
    .setJti(crypto.randomUUID())
    .sign(stack.idp.privateKey);

/** Everything by which a session ends here; a login in its place is in the suite of shared grants. */
const ends: readonly (readonly [string, End])[] = [
  ['logout', (browser, { origin }) => browser.visit(`${origin}/logout`)],
  ['one login more than a user may have', (_, stack) => stack.login()],
  [
    'a device that its user ends',
    async (browser, { origin }) => {
      const { text } = await browser.visit(`${origin}/auth/sessions`, { site: 'same-origin' });
      const { sessions } = JSON.parse(text) as { sessions: { ref: string; current: boolean }[] };
      const own = sessions.find(({ current }) => current)?.ref ?? '';
      return browser.visit(`${origin}/auth/sessions/${own}`, {
        method: 'DELETE',
        site: 'same-origin',
      });
    },
  ],
  [
    'a service that ends all of a user',
    (_, { managementOrigin }) =>
      exchange(`${managementOrigin}/internal/v1/sessions/users/user-7`, {
        method: 'DELETE',
        headers: [['Authorization', `Bearer ${token}`]],
      }),
  ],
  [
    'a back-channel logout',
    async (_, stack) =>
      exchange(`${stack.origin}/auth/backchannel-logout`, {
        method: 'POST',
        headers: [['Content-Type', 'application/x-www-form-urlencoded']],
        body: `logout_token=${await logoutToken(stack, { sub: 'auth0|ada' })}`,
      }),
  ],
];

describeOnRedis(
  '6.2',
  'the refresh token of a session that ended',
  (redis) => {
    let stack: GatewayStack;
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), {
        INTERNAL_API_TOKENS: `operators:${token}`,
        SESSION_LIMIT_PER_USER: '1',
        IDP_REVOKE_TOKENS: 'always',
      });
    });
    afterAll(() => stack.close());
    beforeEach(() => {
      stack.idp.intercept = () => false;
    });

    const revoked = () =>
      metric(stack.managementOrigin, 'gateway_token_revocations_total{outcome="revoked"}');
    /** Whether the provider takes one of these for a refresh token. */
    const lives = (refreshTokens: readonly string[]) => stack.idp.takes(refreshTokens);

    it('lives on at the provider while its session does', async () => {
      const before = stack.idp.issued.length;
      await stack.login();
      expect(await lives(stack.idp.issued.slice(before))).toBe(true);
    });

    it.each(ends)('is revoked there after %s', async (_, end) => {
      const before = stack.idp.issued.length;
      const browser = await stack.login();
      const issued = stack.idp.issued.slice(before);
      // The login itself has ended the one before it.
      await until(async () => (await metric(stack.managementOrigin, waiting)) === 0);
      const done = await revoked();
      await end(browser, stack);
      await until(async () => (await revoked()) > done);

      expect(await lives(issued)).toBe(false);
    });

    it('keeps nobody waiting: the answer comes while the provider is silent', async () => {
      const browser = await stack.login();
      let release: () => void = () => undefined;
      stack.idp.intercept = (request, response) => {
        if (request.url !== endpoint) return false;
        release = () => stack.idp.handle(request, response);
        return true;
      };
      const answer = await browser.visit(`${stack.origin}/logout`);
      expect(answer.status).toBe(303);
      await until(async () => (await metric(stack.managementOrigin, waiting)) > 0);
      const done = await revoked();
      release();
      await until(async () => (await revoked()) > done);
    });

    it('is tried again when the provider fails', async () => {
      const browser = await stack.login();
      await until(async () => (await metric(stack.managementOrigin, waiting)) === 0);
      const [done, calls] = [await revoked(), stack.idp.count(endpoint)];
      stack.idp.intercept = (request, response) => {
        if (request.url !== endpoint || stack.idp.count(endpoint) > calls + 2) return false;
        request.resume();
        response.writeHead(503).end();
        return true;
      };
      await browser.visit(`${stack.origin}/logout`);
      await until(async () => (await revoked()) > done);

      expect(stack.idp.count(endpoint)).toBe(calls + 3);
    });
  },
  { appendOnly: true },
);

const waiting = 'gateway_token_revocations_waiting';
