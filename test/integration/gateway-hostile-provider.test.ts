import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { decodeJwt, SignJWT, type JWTPayload } from 'jose';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { changingAnswers, changingTokens } from '../support/idp-answers.js';
import { atProvider, clientKinds, RegistrationsFolder } from '../support/idp-clients.js';
import { startIdp, type TestIdp } from '../support/idp.js';
import { answerText } from '../support/permission-service.js';
import { records } from '../support/redis-dump.js';
import { describeOnRedis } from '../support/redis.js';
import { postRefresh, sessionOf } from '../support/replicas.js';
import { until } from '../support/until.js';

const only = (...ids: string[]) => clientKinds().filter(({ id }) => ids.includes(id));

describeOnRedis(
  '6.2',
  'two providers, one of them hostile',
  (redis) => {
    const folder = new RegistrationsFolder();
    const kinds = only('basic', 'shared-key', 'signed-user-info');
    const [honestKind] = kinds;
    let stack: GatewayStack;
    /** Registered as `hostile`; the stack's own provider is the honest one. */
    let hostile: TestIdp;
    beforeAll(async () => {
      stack = await startGatewayStack(
        redis(),
        ({ issuer }) => ({
          IDP_REGISTRATIONS_FILE: folder.write([
            ...folder.entries(kinds, issuer),
            ...folder
              .entries(honestKind === undefined ? [] : [honestKind], hostile.issuer)
              .map((entry) => ({ ...entry, id: 'hostile' })),
          ]),
        }),
        undefined,
        {
          clients: (origin) => atProvider(kinds, origin),
          beside: async (origin) => {
            const asHostile = honestKind === undefined ? [] : [{ ...honestKind, id: 'hostile' }];
            hostile = await startIdp({
              redirectUris: [`${origin}/login/oauth2/code/idp`],
              postLogoutRedirectUris: [`${origin}/`],
              clients: atProvider(asHostile, origin),
            });
          },
        },
      );
    });
    afterAll(async () => {
      await stack.close();
      await hostile.close();
      folder.remove();
    });
    beforeEach(async () => {
      for (const admin of redis().admins) await admin.flushall();
      stack.idp.intercept = hostile.intercept = () => false;
    });

    const start = async (browser: BrowserJar, id: string): Promise<URL> => {
      const answer = await browser.visit(`${stack.origin}/oauth2/authorization/${id}`);
      return new URL(String(answer.headers.location));
    };
    const callbackOf = async (browser: BrowserJar, id: string): Promise<URL> =>
      new URL(
        await browser.redirectsUntil((await start(browser, id)).href, `${stack.origin}/login/`),
      );
    const finish = (browser: BrowserJar, callback: URL) =>
      browser.visit(callback.href, { site: 'cross-site' });
    const tokenCalls = () => stack.idp.count('/token') + hostile.count('/token');

    it('both serve their own logins', async () => {
      for (const id of ['basic', 'hostile']) {
        const browser = new BrowserJar();
        expect(setCookies(await finish(browser, await callbackOf(browser, id)))).toHaveLength(3);
      }
    });

    it.each<[string, (query: URLSearchParams) => void]>([
      ['of the other issuer', (query) => query.set('iss', hostile.issuer)],
      ['of the issuer with a slash more', (query) => query.set('iss', `${stack.idp.issuer}/`)],
      ['without an issuer', (query) => query.delete('iss')],
      ['with two issuers', (query) => query.append('iss', stack.idp.issuer)],
      ['with two codes', (query) => query.append('code', 'x')],
      ['with tokens in the address', (query) => query.set('id_token', 'x')],
    ])(
      'T11: refuses an authorization response %s, before any code is sent',
      async (_what, change) => {
        const browser = new BrowserJar();
        const callback = await callbackOf(browser, 'basic');
        const before = tokenCalls();
        change(callback.searchParams);
        const answer = await finish(browser, callback);
        expect(answer.headers.location).toContain('/login?error=auth_failed');
        expect(tokenCalls()).toBe(before);
        expect(await records(redis())).toEqual([]);
      },
    );

    it.each<[string, unknown, number | undefined]>([
      ['a fraction', 3599.5, 1_700_000_000.25],
      ['a text', '3599.5', undefined],
      ['more than there will be', 9.3e18, 9.3e18],
    ])('takes times that are %s, and can read the session that it made', async (_, life, time) => {
      stack.idp.intercept = changingTokens(async (answer) => ({
        ...answer,
        expires_in: life,
        id_token: await signed(stack.idp, {
          ...decodeJwt(String(answer['id_token'])),
          ...(time !== undefined && { auth_time: time }),
        }),
      }));
      const browser = new BrowserJar();
      await finish(browser, await callbackOf(browser, 'basic'));
      expect((await browser.visit(`${stack.origin}/user`)).status).toBe(200);
    });

    it('T11: gives no code of the honest provider to the hostile one that sent the browser there', async () => {
      const browser = new BrowserJar();
      const before = tokenCalls();
      // The hostile provider passes its own request on, as ours, to the honest one.
      const relayed = new URL(`${stack.idp.issuer}/auth`);
      relayed.search = (await start(browser, 'hostile')).search;
      relayed.searchParams.set('redirect_uri', `${stack.origin}/login/oauth2/code/basic`);
      const callback = await browser.redirectsUntil(relayed.href, `${stack.origin}/login/`);
      expect(new URL(callback).searchParams.get('code')).not.toBeNull();
      for (const url of [callback, callback.replace('/code/basic?', '/code/hostile?')]) {
        const answer = await browser.visit(url, { site: 'cross-site' });
        expect(setCookies(answer).join()).not.toContain('__Host-session=');
      }
      expect(tokenCalls()).toBe(before);
    });

    it('believes no ID token or logout token in another’s name', async () => {
      hostile.intercept = changingTokens(async (answer) => ({
        ...answer,
        id_token: await signed(hostile, {
          ...decodeJwt(String(answer['id_token'])),
          iss: stack.idp.issuer,
        }),
      }));
      const browser = new BrowserJar();
      const answer = await finish(browser, await callbackOf(browser, 'hostile'));
      expect(answer.headers.location).toContain('/login?error=auth_failed');

      const honest = new BrowserJar();
      await finish(honest, await callbackOf(honest, 'basic'));
      const now = Math.floor(Date.now() / 1000);
      const token = await signed(hostile, {
        iss: stack.idp.issuer,
        aud: 'client-basic',
        iat: now,
        exp: now + 60,
        jti: randomUUID(),
        sub: 'auth0|ada',
        events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
      });
      const refused = await exchange(`${stack.origin}/auth/backchannel-logout`, {
        method: 'POST',
        headers: [['Content-Type', 'application/x-www-form-urlencoded']],
        body: new URLSearchParams({ logout_token: token }).toString(),
      });
      expect(refused.status).toBe(400);
      expect((await honest.visit(`${stack.origin}/user`)).status).toBe(200);
    });

    it('reg-48: takes no published key for the registered shared one, and the reverse', async () => {
      stack.idp.intercept = changingTokens(async (answer) => ({
        ...answer,
        id_token: await signed(stack.idp, decodeJwt(String(answer['id_token']))),
      }));
      const browser = new BrowserJar();
      const answer = await finish(browser, await callbackOf(browser, 'shared-key'));
      expect(answer.headers.location).toContain('/login?error=auth_failed');
    });

    it.each<[string, (claims: JWTPayload) => Promise<string>, boolean]>([
      ['of its own', (claims) => signed(stack.idp, claims), true],
      [
        'of nobody',
        (claims) => signed({ keyId: stack.idp.keyId, privateKey: foreign }, claims),
        false,
      ],
      ['of the hostile provider', (claims) => signed(hostile, claims), false],
      [
        'of its own, about another person',
        (claims) => signed(stack.idp, { ...claims, sub: 'eve' }),
        false,
      ],
    ])('checks the signature of a signed UserInfo: %s', async (_what, sign, accepted) => {
      stack.idp.intercept = (request, response) => {
        if (request.url !== '/me') return false;
        void sign({
          iss: stack.idp.issuer,
          aud: 'client-signed-user-info',
          sub: 'auth0|ada',
        }).then((jwt) =>
          answerText(200, jwt, { 'content-type': 'application/jwt' })(request, response),
        );
        return true;
      };
      const browser = new BrowserJar();
      const answer = await finish(browser, await callbackOf(browser, 'signed-user-info'));
      expect(setCookies(answer).join().includes('__Host-session=')).toBe(accepted);
    });

    it('lets no provider fill its memory', async () => {
      stack.idp.intercept = changingAnswers('/me', (user) => ({ ...user, x: 'x'.repeat(600_000) }));
      const browser = new BrowserJar();
      const answer = await finish(browser, await callbackOf(browser, 'basic'));
      expect(answer.headers.location).toContain('/login?error=auth_failed');
      await until(() => stack.log().includes('too_large'));
    });
  },
  { appendOnly: true },
);

describeOnRedis(
  '6.2',
  'a provider that wants its own nonce in every DPoP proof',
  (redis) => {
    describe('gets it', () => {
      it('at the pushed request, the login, UserInfo and the refresh', async () => {
        const folder = new RegistrationsFolder();
        const kinds = only('everything', 'public-dpop');
        const stack = await startGatewayStack(
          redis(),
          ({ issuer }) => ({
            IDP_REGISTRATIONS_FILE: folder.write(folder.entries(kinds, issuer)),
          }),
          undefined,
          { clients: (origin) => atProvider(kinds, origin), dpopNonces: true },
        );
        try {
          for (const { id } of kinds) {
            const browser = new BrowserJar();
            const begun = await browser.visit(`${stack.origin}/oauth2/authorization/${id}`);
            const callback = await browser.redirectsUntil(
              String(begun.headers.location),
              `${stack.origin}/login/`,
            );
            const answer = await browser.visit(callback, { site: 'cross-site' });
            expect(setCookies(answer)).toHaveLength(3);
            const refreshed = await postRefresh(stack.origin, sessionOf(browser, stack.origin));
            expect(refreshed.status).toBe(200);
          }
          expect(stack.idp.refreshes).toMatchObject({ used: 2, familiesRevoked: 0 });
        } finally {
          await stack.close();
          folder.remove();
        }
      });
    });
  },
  { appendOnly: true },
);

const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

function signed(
  { keyId, privateKey }: Pick<TestIdp, 'keyId' | 'privateKey'>,
  claims: JWTPayload,
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: keyId }).sign(privateKey);
}
