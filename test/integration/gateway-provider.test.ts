import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { SignJWT, UnsecuredJWT, type JWTPayload } from 'jose';
import { BrowserJar } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { idpClient } from '../support/idp.js';
import { answerJson, answerText } from '../support/permission-service.js';
import { records } from '../support/redis-dump.js';
import { describeOnRedis } from '../support/redis.js';
import { until } from '../support/until.js';

const foreignKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const now = (): number => Math.floor(Date.now() / 1000);

describeOnRedis(
  '6.2',
  'the gateway and its provider',
  (redis) => {
    let stack: GatewayStack;
    beforeAll(async () => {
      stack = await startGatewayStack(redis());
    });
    afterAll(() => stack.close());
    beforeEach(async () => {
      for (const admin of redis().admins) await admin.flushall();
      stack.idp.intercept = () => false;
    });

    /** A login in which the token endpoint answers this ID token. */
    async function loginWith(
      idToken: (claims: JWTPayload) => Promise<string> | string,
    ): Promise<string> {
      const browser = new BrowserJar();
      const start = await browser.visit(stack.startUrl);
      const location = String(start.headers.location);
      const nonce = new URL(location).searchParams.get('nonce') ?? '';
      const callback = await browser.redirectsUntil(location, `${stack.origin}/login/`);
      const token = await idToken({
        iss: stack.idp.issuer,
        sub: 'auth0|ada',
        aud: idpClient.id,
        iat: now(),
        exp: now() + 600,
        nonce,
      });
      stack.idp.intercept = (request, response) => {
        const tokens = { access_token: 'x', token_type: 'Bearer', id_token: token };
        // Nothing but the ID token may be the reason for a refusal.
        const answers = new Map<string, object>([
          ['/token', tokens],
          ['/me', { sub: 'auth0|ada' }],
        ]);
        const answer = answers.get(request.url ?? '');
        if (answer === undefined) return false;
        answerJson(200, answer)(request, response);
        return true;
      };
      const done = await browser.visit(callback, { site: 'cross-site' });
      return String(done.headers.location ?? done.status);
    }
    const signed = (claims: JWTPayload, header: Record<string, unknown> = {}): Promise<string> =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'RS256', kid: 'k1', ...header })
        .sign(foreignKey);
    /** By the provider itself: nothing but its claims can be wrong. */
    const genuine = (claims: JWTPayload): Promise<string> =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
        .sign(stack.idp.privateKey);

    it('takes one that the provider signed anew', async () => {
      expect(await loginWith(genuine)).not.toContain('error=');
      expect(await records(redis())).not.toEqual([]);
    });

    it.each([
      ['without a signature', (claims: JWTPayload) => new UnsecuredJWT(claims).encode()],
      ['signed with a key that is not the provider’s', (claims: JWTPayload) => signed(claims)],
      ['with a key id nobody knows', (claims: JWTPayload) => signed(claims, { kid: 'k2' })],
      [
        'that brings its own key',
        (claims: JWTPayload) =>
          signed(claims, { jku: 'http://127.0.0.1:1/', x5u: 'http://127.0.0.1:1/' }),
      ],
      [
        'signed with the client secret',
        (claims: JWTPayload) =>
          new SignJWT(claims)
            .setProtectedHeader({ alg: 'HS256' })
            .sign(new TextEncoder().encode(idpClient.secret)),
      ],
      ['with another nonce', (claims: JWTPayload) => genuine({ ...claims, nonce: 'other' })],
      ['for another client', (claims: JWTPayload) => genuine({ ...claims, aud: 'other' })],
      [
        'of another issuer',
        (claims: JWTPayload) => genuine({ ...claims, iss: 'http://127.0.0.1:1' }),
      ],
      ['that has expired', (claims: JWTPayload) => genuine({ ...claims, exp: now() - 3600 })],
      ['that is no token', () => 'hello'],
    ])('refuses an ID token %s', async (_what, idToken) => {
      expect(await loginWith(idToken)).toContain('/login?error=auth_failed');
      expect(await records(redis())).toEqual([]);
    });

    describe('whose metadata cannot be had', () => {
      it('is up all the same, explains it to whoever logs in, and recovers without a restart', async () => {
        let down = true;
        const late = await startGatewayStack(redis(), {}, (request, response) => {
          if (!down) return false;
          answerText(503, 'starting')(request, response);
          return true;
        });
        try {
          const page = await new BrowserJar().visit(late.startUrl);
          expect(page.status).toBe(503);
          expect(page.text).toContain('The login service does not answer');
          const asked = late.idp.count('/.well-known/openid-configuration');
          await Promise.all(
            Array.from({ length: 20 }, () => new BrowserJar().visit(late.startUrl)),
          );
          expect(late.idp.count('/.well-known/openid-configuration') - asked).toBeLessThan(20);

          down = false;
          await until(async () => (await new BrowserJar().visit(late.startUrl)).status === 302);
        } finally {
          await late.close();
        }
      });
    });
  },
  { appendOnly: true },
);
