import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { bindingCookieName } from '../../session-gateway/src/oidc/authorization-request.js';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { describeOnRedis } from '../support/redis.js';

const stateOf = (callback: string): string => new URL(callback).searchParams.get('state') ?? '';

describeOnRedis(
  '6.2',
  'the binding of a login to its browser',
  (redis) => {
    let stack: GatewayStack;
    beforeAll(async () => {
      stack = await startGatewayStack(redis());
    });
    afterAll(() => stack.close());

    it('holds against a binding cookie of the right name with another secret', async () => {
      const [honest, stranger] = [new BrowserJar(), new BrowserJar()];
      const callback = await stack.beginLogin(honest);
      const own = await stack.beginLogin(stranger);
      // The name follows from the state, which an attacker may know; the secret does not.
      const name = bindingCookieName(stateOf(callback));
      const foreign = stranger.cookies.get('localhost', bindingCookieName(stateOf(own)));
      expect(foreign).toBeDefined();
      stranger.cookies.store(
        new URL(stack.origin),
        `${name}=${foreign ?? ''}; Path=/; Secure; HttpOnly; SameSite=Lax`,
      );
      const tokenRequests = stack.idp.count('/token');
      const answer = await stranger.visit(callback, { site: 'cross-site' });
      expect(setCookies(answer)).toEqual([]);
      expect(stack.idp.count('/token')).toBe(tokenRequests);
      expect((await stranger.visit(`${stack.origin}/user`)).status).toBe(401);

      await honest.visit(callback, { site: 'cross-site' });
      expect((await honest.visit(`${stack.origin}/user`)).status).toBe(200);
    });
  },
  { appendOnly: true },
);
