import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exchange, type HeaderList } from '@sallyport/demo/web-client/exchange';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { describeOnRedis } from '../support/redis.js';

const token = 'a-token-of-a-service-that-may-revoke';
const credential: HeaderList = [['Authorization', `Bearer ${token}`]];
const everywhere = {
  'cache-control': 'no-store',
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
};
const two = `__Host-session=${'x'.repeat(43)}; __Host-session=${'y'.repeat(43)}`;

/** Every route of the public port, and what it says to a stranger. */
const asked: readonly [method: string, path: string, status: number, headers?: HeaderList][] = [
  ['GET', '/actuator/health', 200],
  ['GET', '/oauth2/authorization/idp', 302],
  ['GET', '/oauth2/authorization/nobody', 404],
  ['GET', '/auth/login', 302],
  ['POST', '/auth/signin', 403],
  ['GET', '/login/oauth2/code/idp?state=x', 200],
  ['GET', '/auth/callback', 200],
  ['GET', '/auth/session', 200],
  ['GET', '/auth/v1/session', 401],
  ['GET', '/user', 401],
  ['GET', '/auth/sessions', 401],
  ['DELETE', '/auth/sessions/x', 403],
  ['POST', '/auth/refresh', 403],
  ['GET', '/logout', 200],
  ['POST', '/logout', 403],
  ['POST', '/auth/backchannel-logout', 400],
  ['GET', '/auth/clear-cookies', 200],
  ['POST', '/auth/clear-cookies', 403],
  ['GET', '/user', 400, [['Cookie', two]]],
  ['GET', '/nothing', 404],
  ['OPTIONS', '/user', 404],
];

/** TRUST §2, row 27: on every answer. */
describeOnRedis(
  '6.2',
  'the security headers',
  (redis) => {
    let stack: GatewayStack;
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), {
        // As behind Envoy, which ends TLS.
        PUBLIC_ORIGIN: 'https://app.example',
        INTERNAL_API_TOKENS: `admin:${token}`,
      });
    });
    afterAll(() => stack.close());

    describe('of the public port, on an https origin', () => {
      it.each(asked)('%s %s: %i, with all of them', async (method, path, status, headers = []) => {
        const answer = await exchange(stack.origin + path, { method, headers });
        expect(answer.status).toBe(status);
        expect(answer.headers).toMatchObject({
          ...everywhere,
          'strict-transport-security': 'max-age=31536000',
          'referrer-policy': expect.stringMatching(/^(?:no-referrer|same-origin)$/),
        });
      });
    });

    describe('of /internal', () => {
      it.each<[string, string, number, HeaderList]>([
        ['DELETE', '/internal/v1/sessions/users/nobody', 204, credential],
        ['DELETE', '/internal/v1/sessions/users/nobody', 401, []],
        ['PUT', '/internal/v1/sessions/users/nobody/permissions', 400, credential],
        ['GET', '/internal/nothing', 404, credential],
      ])('%s %s: %i, with the same but for what is for browsers on https', async (...of) => {
        const [method, path, status, headers] = of;
        const answer = await exchange(stack.managementOrigin + path, { method, headers });
        expect(answer.status).toBe(status);
        expect(answer.headers).toMatchObject({ ...everywhere, 'referrer-policy': 'no-referrer' });
        expect(answer.headers).not.toHaveProperty('strict-transport-security');
      });
    });
  },
  { appendOnly: true },
);

describeOnRedis(
  '6.2',
  'the security headers on an http origin',
  (redis) => {
    it('do not promise https', async () => {
      const stack = await startGatewayStack(redis());
      try {
        const answer = await exchange(`${stack.origin}/user`);
        expect(answer.headers).toMatchObject(everywhere);
        expect(answer.headers).not.toHaveProperty('strict-transport-security');
      } finally {
        await stack.close();
      }
    });
  },
  { appendOnly: true },
);
