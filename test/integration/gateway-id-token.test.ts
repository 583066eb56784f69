import { createHash, generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { decodeJwt, SignJWT, UnsecuredJWT, type JWTPayload } from 'jose';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { idpClient } from '../support/idp.js';
import { changingTokens } from '../support/idp-answers.js';
import { records } from '../support/redis-dump.js';
import { describeOnRedis } from '../support/redis.js';
import { expireTokens, heartbeat, sessionOf, tokenVersion } from '../support/replicas.js';

const foreignKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const now = (): number => Math.floor(Date.now() / 1000);
const halfHash = (text: string): string =>
  createHash('sha256').update(text).digest().subarray(0, 16).toString('base64url');

type Header = Readonly<Record<string, unknown>>;
/** What is changed of a real ID token before the provider's own key signs it again. */
type Change = (claims: JWTPayload, accessToken: string) => JWTPayload;
const same: Change = (claims) => claims;

describeOnRedis(
  '6.2',
  'an ID token of the provider itself',
  (redis) => {
    let stack: GatewayStack;
    const admin = () => redis().admins[0];
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), {
        IDP_MAX_AGE_SECONDS: '120',
        IDP_USERINFO_ON_REFRESH: 'true',
      });
    });
    afterAll(() => stack.close());
    beforeEach(async () => {
      for (const server of redis().admins) await server.flushall();
      stack.idp.intercept = () => false;
      stack.idp.nextSubject = 'auth0|ada';
    });

    const resigned = (change: Change, header: Header = {}): void => {
      stack.idp.intercept = changingTokens(async (answer) => ({
        ...answer,
        id_token: await new SignJWT(
          change(decodeJwt(String(answer['id_token'])), String(answer['access_token'])),
        )
          .setProtectedHeader({ alg: 'RS256', kid: stack.idp.keyId, ...header })
          .sign(stack.idp.privateKey, { crit: { x: true } }),
      }));
    };
    const replaced = (token: (claims: JWTPayload) => unknown): void => {
      stack.idp.intercept = changingTokens(async (answer) => ({
        ...answer,
        id_token: await token(decodeJwt(String(answer['id_token']))),
      }));
    };
    /** @returns whether a session began; if not, nothing of one may be left */
    async function logsIn(): Promise<boolean> {
      const browser = new BrowserJar();
      const callback = await stack.beginLogin(browser);
      const answer = await browser.visit(callback, { site: 'cross-site' });
      const began = setCookies(answer).some((line) => line.startsWith('__Host-session='));
      if (began) return true;
      expect(answer.headers.location).toContain('/login?error=auth_failed');
      expect(await records(redis())).toEqual([]);
      return false;
    }

    it.each<[string, Change, Header]>([
      ['signed once more and otherwise untouched', same, {}],
      ['of several audiences, ours the authorized party', several(idpClient.id), {}],
      ['issued 25 s in the future', (claims) => ({ ...claims, iat: now() + 25 }), {}],
      ['expired 25 s ago', (claims) => ({ ...claims, exp: now() - 25 }), {}],
      ['with the type JWT', same, { typ: 'JWT' }],
      ['with the right at_hash', (claims, token) => ({ ...claims, at_hash: halfHash(token) }), {}],
    ])('is accepted %s', async (_what, change, header) => {
      resigned(change, header);
      expect(await logsIn()).toBe(true);
    });

    it.each<[string, Change, Header]>([
      ['with another nonce', (claims) => ({ ...claims, nonce: 'other' }), {}],
      ['without a nonce', without('nonce'), {}],
      ['for another client', (claims) => ({ ...claims, aud: 'other' }), {}],
      ['for several clients, none of them ours', (claims) => ({ ...claims, aud: ['a', 'b'] }), {}],
      ['of several audiences, nobody the authorized party', several(undefined), {}],
      ['of several audiences, another the authorized party', several('other'), {}],
      ['whose authorized party is another', (claims) => ({ ...claims, azp: 'other' }), {}],
      ['of another issuer', (claims) => ({ ...claims, iss: 'http://127.0.0.1:1' }), {}],
      [
        'of the issuer with a slash more',
        (claims) => ({ ...claims, iss: `${String(claims.iss)}/` }),
        {},
      ],
      ['without a subject', without('sub'), {}],
      ['whose subject is a number', (claims) => ({ ...claims, sub: 7 as never }), {}],
      [
        'for a subject that UserInfo does not know',
        (claims) => ({ ...claims, sub: 'auth0|eve' }),
        {},
      ],
      ['that has expired', (claims) => ({ ...claims, exp: now() - 60 }), {}],
      ['without an expiry', without('exp'), {}],
      ['not valid yet', (claims) => ({ ...claims, nbf: now() + 120 }), {}],
      ['issued in the future', (claims) => ({ ...claims, iat: now() + 120 }), {}],
      ['issued before the login began', (claims) => ({ ...claims, iat: now() - 900 }), {}],
      ['that does not say when it was issued', without('iat'), {}],
      ['that does not say when the person logged in', without('auth_time'), {}],
      [
        'of a person who logged in too long ago',
        (claims) => ({ ...claims, auth_time: now() - 300 }),
        {},
      ],
      ['for another access token', (claims) => ({ ...claims, at_hash: halfHash('other') }), {}],
      ['that says to be a logout token', same, { typ: 'logout+jwt' }],
      ['that says to be an access token', same, { typ: 'at+jwt' }],
      ['with an extension nobody knows', same, { crit: ['x'], x: 1 }],
      ['with another algorithm than its key', same, { alg: 'PS256' }],
    ])('reg-39: is refused %s', async (_what, change, header) => {
      resigned(change, header);
      expect(await logsIn()).toBe(false);
    });

    const publicPem = () => stack.idp.privateKey.export({ type: 'pkcs1', format: 'pem' });
    it.each<[string, (claims: JWTPayload) => unknown]>([
      ['that is unsigned', (claims) => new UnsecuredJWT(claims).encode()],
      ['signed with a key of nobody', (claims) => by(foreignKey, claims, { kid: stack.idp.keyId })],
      [
        'that brings its own key',
        (claims) => by(foreignKey, claims, { jku: 'http://127.0.0.1:1/' }),
      ],
      [
        'that names a path for a key',
        (claims) => by(foreignKey, claims, { kid: '../../etc/passwd' }),
      ],
      ['signed with the client secret', (claims) => hmac(claims, idpClient.secret)],
      ['signed with the provider’s key as text', (claims) => hmac(claims, String(publicPem()))],
      ['that is not there', () => undefined],
      ['that is no token', () => 'hello'],
      ['that is a number', () => 7],
    ])('reg-48: reg-50: is refused %s', async (_what, token) => {
      replaced(token);
      expect(await logsIn()).toBe(false);
    });

    describe('at a refresh', () => {
      it.each<[string, 'refreshed' | 'kept' | 'ended', Change]>([
        ['untouched', 'refreshed', same],
        ['without a nonce', 'refreshed', without('nonce')],
        ['with another nonce', 'kept', (claims) => ({ ...claims, nonce: 'other' })],
        ['for another client', 'kept', (claims) => ({ ...claims, aud: 'other' })],
        ['whose authorized party is another', 'kept', (claims) => ({ ...claims, azp: 'other' })],
        ['of the future', 'kept', (claims) => ({ ...claims, iat: now() + 120 })],
        ['of another person', 'ended', (claims) => ({ ...claims, sub: 'auth0|bob' })],
      ])('%s: the session is %s', async (_what, outcome, change) => {
        const session = sessionOf(await stack.login(), stack.origin);
        resigned(change);
        await expireTokens(admin(), session);
        const before = await tokenVersion(admin(), session);
        const beat = await heartbeat(stack.origin, session);
        expect(beat.status).toBe(outcome === 'ended' ? 401 : 200);
        if (outcome === 'ended') expect(beat.text).toContain('session_subject_changed');
        else {
          const turned = outcome === 'refreshed' ? 1 : 0;
          expect(await tokenVersion(admin(), session)).toBe(before + turned);
        }
      });
    });

    function by(key: typeof foreignKey, claims: JWTPayload, header: Header): Promise<string> {
      return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', ...header }).sign(key);
    }
  },
  { appendOnly: true },
);

function several(azp: string | undefined): Change {
  return (claims) => ({
    ...claims,
    aud: [idpClient.id, 'another-client'],
    ...(azp === undefined ? {} : { azp }),
  });
}

function without(name: string): Change {
  return (claims) => Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name));
}

function hmac(claims: JWTPayload, secret: string): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret));
}
