import { generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { exchange, type Answer } from '@sallyport/demo/web-client/exchange';
import { SignJWT, UnsecuredJWT } from 'jose';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { idpClient } from '../support/idp.js';
import { answerJson, answerText, ordinaryGrants } from '../support/permission-service.js';
import { records } from '../support/redis-dump.js';
import { describeOnRedis } from '../support/redis.js';
import { until } from '../support/until.js';

const event = 'http://schemas.openid.net/event/backchannel-logout';
const foreignKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const now = (): number => Math.floor(Date.now() / 1000);

describeOnRedis(
  '6.2',
  'POST /auth/backchannel-logout',
  (redis) => {
    let stack: GatewayStack;
    beforeAll(async () => {
      stack = await startGatewayStack(redis());
    });
    afterAll(() => stack.close());
    beforeEach(async () => {
      for (const admin of redis().admins) await admin.flushall();
      stack.permissions.recover();
      stack.idp.intercept = () => false;
    });
    const isLoggedIn = async (browser: BrowserJar): Promise<boolean> =>
      (await browser.visit(`${stack.origin}/user`)).status === 200;
    const send = (body: string, type = 'application/x-www-form-urlencoded'): Promise<Answer> =>
      exchange(`${stack.origin}/auth/backchannel-logout`, {
        method: 'POST',
        headers: [['Content-Type', type]],
        body,
      });
    const post = (token: string) => send(new URLSearchParams({ logout_token: token }).toString());
    const claims = (change: Record<string, unknown> = {}): Record<string, unknown> => ({
      iss: stack.idp.issuer,
      aud: idpClient.id,
      iat: now(),
      exp: now() + 120,
      jti: randomUUID(),
      sub: 'auth0|ada',
      events: { [event]: {} },
      ...change,
    });
    const sign = (
      body: Record<string, unknown>,
      header: Record<string, unknown> = {},
      key: KeyObject = stack.idp.privateKey,
    ): Promise<string> =>
      new SignJWT(body)
        .setProtectedHeader({ alg: 'RS256', kid: 'k1', typ: 'logout+jwt', ...header })
        .sign(key);
    const sidOf = async (): Promise<string> => {
      const record = (await records(redis())).find(({ key }) => key.startsWith('gateway:session:'));
      return (record?.value as Record<string, string>)['sid'] ?? '';
    };

    it('is what the provider itself sends when the person logs out there', async () => {
      const browser = await stack.login();
      const elsewhere = await stack.login();
      const page = await browser.visit(`${stack.idp.issuer}/session/end`);
      const [, xsrf = ''] = /name="xsrf" value="([^"]+)"/.exec(page.text) ?? [];
      await browser.visit(`${stack.idp.issuer}/session/end/confirm`, {
        method: 'POST',
        site: 'same-origin',
        headers: [['Content-Type', 'application/x-www-form-urlencoded']],
        body: new URLSearchParams({ xsrf, logout: 'yes' }).toString(),
      });
      await until(async () => !(await isLoggedIn(browser)));

      expect(stack.idp.backchannelErrors).toEqual([]);
      // Another session at the provider: its `sid` is another.
      expect(await isLoggedIn(elsewhere)).toBe(true);
    });

    it('ends the session of a sid, or every session of a sub, and says so without a cache', async () => {
      const one = await stack.login();
      const sid = await sidOf();
      const other = await stack.login();
      const bySid = await post(await sign(claims({ sid })));
      expect(sid).not.toBe('');
      expect([bySid.status, bySid.headers['cache-control']]).toEqual([200, 'no-store']);
      expect([await isLoggedIn(one), await isLoggedIn(other)]).toEqual([false, true]);

      expect((await post(await sign(claims()))).status).toBe(200);
      expect(await isLoggedIn(other)).toBe(false);
      expect(await records(redis())).toEqual([]);
    });

    it('answers 200 when there is no such session', async () => {
      expect((await post(await sign(claims({ sub: 'auth0|nobody' })))).status).toBe(200);
      expect((await post(await sign(claims({ sub: undefined, sid: 'none' })))).status).toBe(200);
    });

    it('reg-A27: answers a repeated token 200 and ends nothing that began since', async () => {
      const token = await sign(claims());
      await stack.login();
      expect((await post(token)).status).toBe(200);
      const later = await stack.login();
      expect((await post(token)).status).toBe(200);

      expect(await isLoggedIn(later)).toBe(true);
    });

    it.each(['sid', 'sub'])('reg-A27: wins over a login at its last step, by %s', async (by) => {
      const browser = new BrowserJar();
      await stack.login(browser);
      const change = by === 'sid' ? { sid: await sidOf() } : {};
      // The provider knows the browser: the second login is of the same provider session.
      const callback = await stack.beginLogin(browser);
      stack.permissions.answer = (request, response) => {
        void sign(claims(change))
          .then(post)
          .then(() => {
            answerJson(200, ordinaryGrants)(request, response);
          });
      };
      const answer = await browser.visit(callback, { site: 'cross-site' });

      expect(answer.headers.location).toContain('/login?error=auth_failed');
      expect(setCookies(answer)).toHaveLength(1);
      expect(await records(redis())).toEqual([]);
    });

    it.each<[string, () => Promise<string> | string]>([
      ['is no token', () => 'hello'],
      ['is empty', () => ''],
      ['is unsigned', () => new UnsecuredJWT(claims()).encode()],
      ['is signed with a key of nobody', () => sign(claims(), {}, foreignKey)],
      ['names a key nobody knows', () => sign(claims(), { kid: 'k9' })],
      [
        'is signed with the client secret',
        () =>
          new SignJWT(claims())
            .setProtectedHeader({ alg: 'HS256', typ: 'logout+jwt' })
            .sign(new TextEncoder().encode(idpClient.secret)),
      ],
      ['brings its own key', () => sign(claims(), { jku: 'http://127.0.0.1:1/' }, foreignKey)],
      ['is an access token', () => sign(claims(), { typ: 'at+jwt' })],
      ['is of another issuer', () => sign(claims({ iss: 'http://127.0.0.1:1' }))],
      ['is for another client', () => sign(claims({ aud: 'other' }))],
      ['is old', () => sign(claims({ iat: now() - 331 }))],
      ['is of the future', () => sign(claims({ iat: now() + 120 }))],
      ['has expired', () => sign(claims({ exp: now() - 60 }))],
      ['does not say when', () => sign(claims({ iat: undefined }))],
      ['has a nonce', () => sign(claims({ nonce: 'n' }))],
      ['has no event', () => sign(claims({ events: {} }))],
      ['has the event as a string', () => sign(claims({ events: { [event]: 'x' } }))],
      ['has no id', () => sign(claims({ jti: undefined }))],
      ['names nobody', () => sign(claims({ sub: undefined }))],
      ['has an issuer that is no text', () => sign(claims({ iss: 1 }))],
      ['is for a number', () => sign(claims({ aud: 7 }))],
    ])('refuses a token that %s', async (_what, token) => {
      const browser = await stack.login();
      const answer = await post(await token());

      expect([answer.status, answer.headers['cache-control']]).toEqual([400, 'no-store']);
      expect(JSON.parse(answer.text)).toMatchObject({ reason: 'bad_logout_token' });
      expect(await isLoggedIn(browser)).toBe(true);
    });

    it('refuses two tokens, another form, and a body without an end', async () => {
      const token = await sign(claims());
      const twice = `logout_token=${token}&logout_token=${token}`;
      const answers = [
        await send(twice),
        await send(JSON.stringify({ logout_token: token }), 'application/json'),
        await send(`logout_token=${'x'.repeat(20_000)}`),
      ];
      expect(answers.map(({ status }) => status)).toEqual([400, 400, 413]);
    });

    it('accepts a token of an older provider, unless told to be strict', async () => {
      expect((await post(await sign(claims(), { typ: undefined }))).status).toBe(200);
      expect((await post(await sign(claims(), { typ: 'JWT' }))).status).toBe(200);
      const strict = await startGatewayStack(redis(), {
        IDP_LOGOUT_TOKEN_STRICT: 'true',
        IDP_ISSUER_URI: stack.idp.issuer,
      });
      try {
        const body = new URLSearchParams({ logout_token: await sign(claims(), { typ: 'JWT' }) });
        const answer = await exchange(`${strict.origin}/auth/backchannel-logout`, {
          method: 'POST',
          headers: [['Content-Type', 'application/x-www-form-urlencoded']],
          body: body.toString(),
        });
        expect(answer.status).toBe(400);
      } finally {
        await strict.close();
      }
    });

    it('asks for the keys once, whatever key ids strangers make up', async () => {
      const before = stack.idp.count('/jwks');
      const tokens = await Promise.all(
        Array.from({ length: 200 }, (_, index) => sign(claims(), { kid: `made-up-${index}` })),
      );
      const answers = await Promise.all(tokens.map(post));

      // Looked for, or not looked for again so soon.
      for (const { status } of answers) expect([400, 503]).toContain(status);
      expect(stack.idp.count('/jwks') - before).toBeLessThanOrEqual(1);
      expect((await post(await sign(claims()))).status).toBe(200);
    });

    it('answers 503 when it cannot know: no keys, no Redis', async () => {
      const fresh = await startGatewayStack(redis(), {}, (request, response) => {
        if (request.url !== '/jwks') return false;
        answerText(500, 'no')(request, response);
        return true;
      });
      try {
        const token = await new SignJWT(claims({ iss: fresh.idp.issuer }))
          .setProtectedHeader({ alg: 'RS256', kid: 'k1', typ: 'logout+jwt' })
          .sign(fresh.idp.privateKey);
        const body = new URLSearchParams({ logout_token: token }).toString();
        const ask = () =>
          exchange(`${fresh.origin}/auth/backchannel-logout`, {
            method: 'POST',
            headers: [['Content-Type', 'application/x-www-form-urlencoded']],
            body,
          });
        expect((await ask()).status).toBe(503);
        fresh.idp.intercept = () => false;
        const [server] = redis().servers;
        await server?.kill();
        expect((await ask()).status).toBe(503);
        await server?.restart();
        await until(async () => (await ask()).status === 200);
      } finally {
        await fresh.close();
      }
    });
  },
  { appendOnly: true },
);
