import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { describeOnRedis } from '../support/redis.js';
import { metric, sessionOf } from '../support/replicas.js';
import { until } from '../support/until.js';

const waiting = 'gateway_token_revocations_waiting';
const endpoint = '/token/revocation';

/** A provider ends the whole grant with any token of it (oidc-provider), or all of a person (Keycloak). */
describeOnRedis(
  '6.2',
  'the end of one session of several',
  (redis) => {
    let stack: GatewayStack;
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), { SESSION_LIMIT_PER_USER: '2' });
    });
    afterAll(() => stack.close());
    beforeEach(async () => {
      for (const admin of redis().admins) await admin.flushall();
      stack.idp.nextSubject = 'auth0|ada';
    });

    const settled = () => until(async () => (await metric(stack.managementOrigin, waiting)) === 0);
    async function expectRefreshed(browser: BrowserJar): Promise<void> {
      await settled();
      const url = `${stack.origin}/auth/refresh`;
      const answer = await browser.visit(url, { method: 'POST', site: 'same-origin' });
      expect([answer.status, JSON.parse(answer.text)]).toMatchObject([
        200,
        { tokenRefreshed: true },
      ]);
    }

    it('leaves its grant to the login that replaced it', async () => {
      const browser = await stack.login();
      await stack.login(browser);
      await expectRefreshed(browser);
    });

    it('revokes nothing for want of room, nor from the list of devices, unless it is told to', async () => {
      const revocations = stack.idp.count(endpoint);
      const oldest = sessionOf(await stack.login(), stack.origin);
      // Times are whole seconds: of two logins in one, either may count as the older.
      await redis().admins[0]?.hset(oldest.key, 'created_at', '1');
      const other = await stack.login();
      const browser = await stack.login();
      const { text } = await other.visit(`${stack.origin}/auth/sessions`, { site: 'same-origin' });
      const { sessions } = JSON.parse(text) as { sessions: { ref: string; current: boolean }[] };
      expect(sessions).toHaveLength(2);
      const ref = sessions.find(({ current }) => current)?.ref ?? '';
      const ended = await browser.visit(`${stack.origin}/auth/sessions/${ref}`, {
        method: 'DELETE',
        site: 'same-origin',
      });
      expect(ended.status).toBe(204);
      await expectRefreshed(browser);
      expect(stack.idp.count(endpoint)).toBe(revocations);
    });

    it('revokes the tokens of a person whose place in the browser another takes', async () => {
      const browser = await stack.login();
      const revocations = stack.idp.count(endpoint);
      stack.idp.nextSubject = 'auth0|grace';
      const start = await browser.visit(stack.startUrl);
      const callback = await new BrowserJar().redirectsUntil(
        String(start.headers.location),
        `${stack.origin}/login/`,
      );
      const answer = await browser.visit(callback, { site: 'cross-site' });
      expect(setCookies(answer)).toHaveLength(3);
      await until(() => stack.idp.count(endpoint) > revocations);
    });
  },
  { appendOnly: true },
);
