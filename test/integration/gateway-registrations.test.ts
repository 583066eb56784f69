import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { changingTokens } from '../support/idp-answers.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import {
  atProvider,
  clientKinds,
  clientSecret,
  RegistrationsFolder,
} from '../support/idp-clients.js';
import { dump, records } from '../support/redis-dump.js';
import { describeOnRedis } from '../support/redis.js';
import { postRefresh, sessionOf, startReplica, type Replica } from '../support/replicas.js';
import { until } from '../support/until.js';

const kinds = clientKinds();

describeOnRedis(
  '6.2',
  'registrations side by side, each with its own client authentication',
  (redis) => {
    const folder = new RegistrationsFolder();
    let stack: GatewayStack;
    let replica: Replica;
    /** What the provider was asked: path, and how the request proved itself. */
    let asked: { path: string; scheme: string; isProven: boolean }[] = [];
    beforeAll(async () => {
      stack = await startGatewayStack(
        redis(),
        ({ issuer }) => ({
          IDP_REGISTRATIONS_FILE: folder.write(folder.entries(kinds, issuer)),
          LOG_LEVEL: 'trace',
        }),
        (request) => {
          const [scheme = ''] = (request.headers.authorization ?? '').split(' ', 1);
          const isProven = request.headers['dpop'] !== undefined;
          asked.push({ path: request.url?.split('?', 1)[0] ?? '', scheme, isProven });
          return false;
        },
        { clients: (origin) => atProvider(kinds, origin) },
      );
      replica = await startReplica(redis(), stack, { IDP_REGISTRATIONS_FILE: folder.file });
    });
    afterAll(async () => {
      await replica.close();
      await stack.close();
      folder.remove();
    });
    beforeEach(async () => {
      for (const admin of redis().admins) await admin.flushall();
      asked = [];
    });
    const start = async (browser: BrowserJar, id: string): Promise<URL> => {
      const answer = await browser.visit(`${stack.origin}/oauth2/authorization/${id}`);
      expect(answer.status).toBe(302);
      return new URL(String(answer.headers.location));
    };
    const login = async (id: string): Promise<BrowserJar> => {
      const browser = new BrowserJar();
      const { href } = await start(browser, id);
      const callback = await browser.redirectsUntil(href, `${stack.origin}/login/`);
      expect(new URL(callback).pathname).toBe(`/login/oauth2/code/${id}`);
      const answer = await browser.visit(callback, { site: 'cross-site' });
      expect([answer.status, setCookies(answer).length]).toEqual([200, 3]);
      return browser;
    };
    const of = (path: string) => asked.filter((request) => request.path === path);

    it.each(kinds.map(({ id, fields }) => ({ id, dpop: fields['dpop'] === true })))(
      '$id: logs in, refreshes on another replica, and logs out',
      async ({ id, dpop }) => {
        const browser = await login(id);
        const user = JSON.parse((await browser.visit(`${stack.origin}/user`)).text) as object;
        expect(user).toMatchObject({ registrationId: id });

        const uses = stack.idp.refreshes.used;
        const refreshed = await postRefresh(replica.origin, sessionOf(browser, stack.origin));
        expect(refreshed.status).toBe(200);
        expect(stack.idp.refreshes.used).toBe(uses + 1);
        expect(of('/token').map(({ isProven }) => isProven)).toEqual(of('/token').map(() => dpop));
        expect(of('/me')).toEqual([
          { path: '/me', scheme: dpop ? 'DPoP' : 'Bearer', isProven: dpop },
        ]);

        const answer = await exchange(`${stack.origin}/logout`, {
          method: 'POST',
          headers: [
            ['Cookie', sessionOf(browser, stack.origin).cookie],
            ['X-CSRF', '1'],
            ['Accept', 'application/json'],
          ],
        });
        const { logoutUrl } = JSON.parse(answer.text) as { logoutUrl: string };
        const query = new URL(logoutUrl).searchParams;
        expect(query.get('client_id')).toBe(`client-${id}`);
        expect(decodeJwt(query.get('id_token_hint') ?? '').aud).toBe(`client-${id}`);
        await until(() => of('/token/revocation').length === 1);
        const left = (await records(redis())).map(({ key }) => key);
        expect(left.filter((key) => key.includes('session:'))).toEqual([]);
      },
    );

    it('shows the browser what PAR and JAR leave of the request, and no more', async () => {
      const pushed = await start(new BrowserJar(), 'par');
      expect([...pushed.searchParams.keys()].sort()).toEqual(['client_id', 'request_uri']);
      const signed = await start(new BrowserJar(), 'jar');
      expect([...signed.searchParams.keys()].sort()).toEqual(['client_id', 'request']);
      const request = signed.searchParams.get('request') ?? '';
      expect(decodeProtectedHeader(request)).toMatchObject({ alg: 'ES256', kid: 'ours' });
      expect(decodeJwt(request)).toMatchObject({
        iss: 'client-jar',
        aud: stack.idp.issuer,
        code_challenge_method: 'S256',
      });
      const both = await start(new BrowserJar(), 'everything');
      expect([...both.searchParams.keys()].sort()).toEqual(['client_id', 'request_uri']);
      expect(of('/request').map(({ isProven }) => isProven)).toEqual([false, true]);
    });

    it('sends no browser to the provider when the push is refused or unanswered', async () => {
      for (const [status, body, shown] of [
        [400, { error: 'invalid_request_object' }, 503],
        [401, { error: 'invalid_client' }, 503],
        [503, {}, 503],
        [201, { request_uri: 7 }, 401],
      ] as const) {
        stack.idp.intercept = (request, response) => {
          if (request.url !== '/request') return false;
          request.resume();
          response
            .writeHead(status, { 'content-type': 'application/json' })
            .end(JSON.stringify(body));
          return true;
        };
        const answer = await new BrowserJar().visit(`${stack.origin}/oauth2/authorization/par`);
        expect([answer.status, answer.headers.location]).toEqual([shown, undefined]);
      }
      stack.idp.intercept = () => false;
    });

    it('refuses a bearer token where a bound one was asked for', async () => {
      const browser = new BrowserJar();
      const { href } = await start(browser, 'dpop');
      const callback = await browser.redirectsUntil(href, `${stack.origin}/login/`);
      stack.idp.intercept = changingTokens((answer) => ({ ...answer, token_type: 'Bearer' }));
      const answer = await browser.visit(callback, { site: 'cross-site' });
      stack.idp.intercept = () => false;
      expect(answer.headers.location).toContain('/login?error=auth_failed');
      await until(() => stack.log().includes('not_dpop_bound'));
      expect(await records(redis())).toEqual([]);
    });

    it('accepts an authorization response only at the registration whose login it is', async () => {
      const browser = new BrowserJar();
      const { href } = await start(browser, 'basic');
      const callback = await browser.redirectsUntil(href, `${stack.origin}/login/`);
      const elsewhere = callback.replace('/code/basic?', '/code/post?');
      const answer = await browser.visit(elsewhere, { site: 'cross-site' });
      expect(answer.headers.location).toContain('/login?error=auth_failed');
      expect(of('/token')).toEqual([]);
    });

    it('tells by its audience whose logout token it is, where registrations share an issuer', async () => {
      const browser = await login('ed-key');
      const page = await browser.visit(`${stack.idp.issuer}/session/end`);
      const [, xsrf = ''] = /name="xsrf" value="([^"]+)"/.exec(page.text) ?? [];
      await browser.visit(`${stack.idp.issuer}/session/end/confirm`, {
        method: 'POST',
        site: 'same-origin',
        headers: [['Content-Type', 'application/x-www-form-urlencoded']],
        body: new URLSearchParams({ xsrf, logout: 'yes' }).toString(),
      });
      await until(async () => (await browser.visit(`${stack.origin}/user`)).status === 401);
      expect(stack.idp.backchannelErrors).toEqual([]);
    });

    it('knows no registration by a name that is not there', async () => {
      const answer = await new BrowserJar().visit(`${stack.origin}/oauth2/authorization/nobody`);
      expect(answer.status).toBe(404);
    });

    describe('and their secrets', () => {
      it('stand in no log and no value in Redis', async () => {
        await login('everything');
        await login('basic');
        const stored = JSON.stringify(await dump(redis()));
        for (const text of [stored, stack.log()]) {
          expect(text).not.toContain(clientSecret);
          expect(text).not.toMatch(/PRIVATE KEY|"kty"|client_assertion|"proof_?key"/i);
          for (const token of stack.idp.issued) expect(text.includes(token)).toBe(false);
        }
      });
    });
  },
  { appendOnly: true },
);
