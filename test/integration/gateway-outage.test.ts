import { afterAll, beforeAll, afterEach, expect, it } from '@jest/globals';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { describeOnRedis } from '../support/redis.js';
import { until } from '../support/until.js';

describeOnRedis(
  '6.2',
  'the gateway without Redis',
  (redis) => {
    let stack: GatewayStack;
    const server = () => redis().server;
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), { GATEWAY_REDIS_TIMEOUT_MS: '1000' });
    });
    afterAll(() => stack.close());
    afterEach(async () => {
      if (server().pid === undefined) await server().restart();
      await until(async () => (await visit('/actuator/health')).status === 200);
    });
    const visit = (path: string, browser = new BrowserJar(), headers: [string, string][] = []) =>
      browser.visit(stack.origin + path, { headers });

    it('answers 503 everywhere, clears no cookie, and knows the session again when Redis is back', async () => {
      const browser = await stack.login();
      const pending = await stack.beginLogin(browser);
      await server().kill();

      for (const path of ['/user', '/auth/session', '/oauth2/authorization/idp', '/logout']) {
        const answer = await visit(path, browser);
        expect([path, answer.status, answer.headers['retry-after']]).toEqual([path, 503, '1']);
        expect(setCookies(answer)).toEqual([]);
      }
      const callback = await browser.visit(pending, { site: 'cross-site' });
      expect(callback.status).toBe(503);
      expect(setCookies(callback)).toEqual([]);

      await server().restart();
      await until(async () => (await visit('/user', browser)).status === 200);
      const finished = await browser.visit(pending, { site: 'cross-site' });
      expect(finished.status).toBe(200);
    });

    it('says so in its health, and stays alive', async () => {
      await server().kill();
      const health = await visit('/actuator/health');
      const live = await new BrowserJar().visit(`${stack.managementOrigin}/livez`);
      const ready = await new BrowserJar().visit(`${stack.managementOrigin}/readyz`);

      expect([health.status, JSON.parse(health.text)]).toEqual([503, { status: 'DOWN' }]);
      expect(live.status).toBe(200);
      expect([ready.status, ready.text]).toEqual([503, 'unhealthy: redis\n']);
    });

    it('answers a machine with a problem, and gives up on a Redis that hangs', async () => {
      server().pause();
      const answer = await visit('/user', new BrowserJar(), [
        ['Cookie', `__Host-session=${'x'.repeat(43)}`],
        ['Sec-Fetch-Mode', 'cors'],
      ]);
      server().resume();

      expect(answer.status).toBe(503);
      expect(JSON.parse(answer.text)).toMatchObject({ status: 503, reason: 'store_unavailable' });
    });

    it('needs no session store to know that a request without a cookie has no session', async () => {
      await server().kill();

      expect((await visit('/user')).status).toBe(401);
      expect(JSON.parse((await visit('/auth/session')).text)).toEqual({});
    });
  },
  { appendOnly: true },
);
