import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { exchange, type Answer } from '@sallyport/demo/web-client/exchange';
import { SignJWT, UnsecuredJWT, type JWTPayload } from 'jose';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { clientSecret, RegistrationsFolder } from '../support/idp-clients.js';
import { idpClient } from '../support/idp.js';
import { dump } from '../support/redis-dump.js';
import { describeOnRedis } from '../support/redis.js';

const limit = 300;
const second = 'the-client-of-a-second-registration';

describeOnRedis(
  '6.2',
  'a flood of logout tokens that do not hold',
  (redis) => {
    const folder = new RegistrationsFolder();
    let stack: GatewayStack;
    beforeAll(async () => {
      folder.writeFiles({ secret: clientSecret });
      stack = await startGatewayStack(redis(), ({ issuer }) => ({
        IDP_REGISTRATIONS_FILE: folder.write([
          { id: 'second', issuer, clientId: second, clientSecretFile: 'secret' },
        ]),
      }));
    });
    afterAll(async () => {
      await stack.close();
      folder.remove();
    });
    beforeEach(async () => {
      for (const admin of redis().admins) await admin.flushall();
    });
    const claims = (change: JWTPayload = {}): JWTPayload => ({
      iss: stack.idp.issuer,
      aud: idpClient.id,
      iat: Math.floor(Date.now() / 1000),
      exp: Math.floor(Date.now() / 1000) + 120,
      jti: randomUUID(),
      sub: 'auth0|ada',
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
      ...change,
    });
    const post = (token: string): Promise<Answer> =>
      exchange(`${stack.origin}/auth/backchannel-logout`, {
        method: 'POST',
        headers: [['Content-Type', 'application/x-www-form-urlencoded']],
        body: new URLSearchParams({ logout_token: token }).toString(),
      });
    const unsigned = (change?: JWTPayload) => new UnsecuredJWT(claims(change)).encode();
    const signed = (change?: JWTPayload) =>
      new SignJWT(claims(change))
        .setProtectedHeader({ alg: 'RS256', kid: stack.idp.keyId, typ: 'logout+jwt' })
        .sign(stack.idp.privateKey);
    /** All that a minute allows, and one more. */
    async function exhaust(): Promise<Answer> {
      const token = unsigned();
      for (let sent = 0; sent < limit; sent += 25) {
        const answers = await Promise.all(Array.from({ length: 25 }, () => post(token)));
        expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 400));
      }
      return post(token);
    }

    it('is answered 429 with the time to wait, and stops no logout that the provider signed', async () => {
      const browser = await stack.login();
      const refused = await exhaust();
      expect([refused.status, refused.headers['cache-control']]).toEqual([429, 'no-store']);
      expect(JSON.parse(refused.text)).toMatchObject({ reason: 'rate_limited' });
      const wait = Number(refused.headers['retry-after']);
      expect(wait).toBeGreaterThan(0);
      expect(wait).toBeLessThanOrEqual(60);

      expect((await browser.visit(`${stack.origin}/user`)).status).toBe(200);
      expect((await post(await signed())).status).toBe(200);
      expect((await browser.visit(`${stack.origin}/user`)).status).toBe(401);
    });

    it('counts against the registration it names, and makes no key for any other name', async () => {
      expect((await exhaust()).status).toBe(429);
      expect((await post(unsigned({ aud: second }))).status).toBe(400);
      for (const change of [{ aud: 'nobody' }, { iss: 'https://login.evil.test/' }]) {
        expect((await post(unsigned(change))).status).toBe(400);
      }
      const counters = (await dump(redis())).map(({ key }) => key);
      expect(counters.filter((key) => key.startsWith('gateway:rl:')).sort()).toEqual([
        'gateway:rl:logout-token:idp',
        'gateway:rl:logout-token:second',
      ]);
    });

    it('does not count tokens that hold', async () => {
      for (let sent = 0; sent < 3; sent += 1) {
        expect((await post(await signed({ sub: 'auth0|nobody' }))).status).toBe(200);
      }
      const keys = (await dump(redis())).map(({ key }) => key);
      expect(keys.filter((key) => key.startsWith('gateway:rl:'))).toEqual([]);
    });
  },
  { appendOnly: true },
);
