import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { exchange, type Answer } from '@sallyport/demo/web-client/exchange';
import { SignJWT } from 'jose';
import { BrowserJar } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { idpClient } from '../support/idp.js';
import { answerText } from '../support/permission-service.js';
import { describeOnRedis } from '../support/redis.js';
import { expireTokens, heartbeat, sessionOf, tokenVersion } from '../support/replicas.js';
import { until } from '../support/until.js';

describeOnRedis(
  '6.2',
  'R14: a provider that rotates its keys',
  (redis) => {
    let stack: GatewayStack;
    const admin = () => redis().admins[0];
    // Each test has cool-downs of its own.
    beforeEach(async () => {
      stack = await startGatewayStack(redis());
    });
    afterEach(() => stack.close());
    const fetches = () => stack.idp.count('/jwks');
    const logoutToken = (kid = stack.idp.keyId): Promise<string> => {
      const now = Math.floor(Date.now() / 1000);
      return new SignJWT({
        iss: stack.idp.issuer,
        aud: idpClient.id,
        iat: now,
        exp: now + 120,
        jti: randomUUID(),
        sub: 'auth0|ada',
        events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
      })
        .setProtectedHeader({ alg: 'RS256', kid, typ: 'logout+jwt' })
        .sign(stack.idp.privateKey);
    };
    const post = (token: string): Promise<Answer> =>
      exchange(`${stack.origin}/auth/backchannel-logout`, {
        method: 'POST',
        headers: [['Content-Type', 'application/x-www-form-urlencoded']],
        body: new URLSearchParams({ logout_token: token }).toString(),
      });
    const noKeys = (): void => {
      stack.idp.intercept = (request, response) => {
        if (request.url !== '/jwks') return false;
        answerText(503, 'no')(request, response);
        return true;
      };
    };

    it('loses no login, right after its keys were read: one fetch', async () => {
      await stack.login();
      const before = fetches();
      stack.idp.rotateKeys();
      await stack.login();
      await stack.login();
      expect(fetches() - before).toBe(1);
      const { text } = await exchange(`${stack.managementOrigin}/metrics`);
      expect(text).toContain('gateway_idp_key_fetches_total{idp="idp",outcome="read"} 2');
    });

    it('loses no logout token', async () => {
      const browser = await stack.login();
      stack.idp.rotateKeys();
      expect((await post(await logoutToken())).status).toBe(200);
      expect((await browser.visit(`${stack.origin}/user`)).status).toBe(401);
    });

    it('T14: is asked once, whatever key ids strangers make up, and logins go on', async () => {
      await stack.login();
      const before = fetches();
      for (let round = 0; round < 20; round += 1) {
        const tokens = await Promise.all(
          Array.from({ length: 50 }, () => logoutToken(`made-up-${randomUUID()}`)),
        );
        const answers = await Promise.all(tokens.map(post));
        for (const { status } of answers) expect([400, 503]).toContain(status);
      }
      await stack.login();
      expect((await post(await logoutToken())).status).toBe(200);
      expect(fetches() - before).toBe(1);

      // ID tokens and logout tokens share the cool-down: a login with a new key has to wait for it.
      stack.idp.rotateKeys();
      const browser = new BrowserJar();
      const answer = await browser.visit(await stack.beginLogin(browser), { site: 'cross-site' });
      expect(answer.headers.location).toBe(`${stack.origin}/oops`);
      await until(() => stack.log().includes('unknown_key'));
      expect(fetches() - before).toBe(1);
    });

    it('loses no session at a refresh whose new key cannot be had', async () => {
      const session = sessionOf(await stack.login(), stack.origin);
      stack.idp.rotateKeys();
      noKeys();
      await expireTokens(admin(), session);
      const before = await tokenVersion(admin(), session);
      expect((await heartbeat(stack.origin, session)).status).toBe(200);
      expect(await tokenVersion(admin(), session)).toBe(before + 1);
      expect(stack.idp.refreshes).toMatchObject({ used: 1, refused: 0 });
    });

    it('whose keys cannot be had is not asked for them by every login', async () => {
      noKeys();
      const before = fetches();
      for (let login = 0; login < 5; login += 1) {
        const browser = new BrowserJar();
        const answer = await browser.visit(await stack.beginLogin(browser), { site: 'cross-site' });
        expect(answer.headers.location).toBe(`${stack.origin}/oops`);
      }
      expect(fetches() - before).toBeLessThan(5);
    });
  },
  { appendOnly: true },
);
