import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { BrowserJar } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { describeOnRedis } from '../support/redis.js';
import { until } from '../support/until.js';

const limit = 5;

describeOnRedis(
  '6.2',
  'a gateway whose proxy nobody has listed',
  (redis) => {
    let stack: GatewayStack;
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), {
        GATEWAY_LOGIN_RATE_LIMIT: String(limit),
        GATEWAY_TRUSTED_PROXIES: '192.0.2.0/24',
      });
    });
    afterAll(() => stack.close());
    const start = async (headers: readonly (readonly [string, string])[]) =>
      (await new BrowserJar().visit(stack.startUrl, { headers })).status;

    it('A30: makes no bucket for everybody behind it, and says so once', async () => {
      for (let person = 0; person < 3 * limit; person += 1) {
        expect(await start([['X-Forwarded-For', `203.0.113.${String(person)}`]])).toBe(302);
      }
      const told = () => stack.log().match(/"prefix":"[0-9./]+".*X-Forwarded-For/g) ?? [];
      await until(() => told().length > 0);
      expect(told()).toEqual([expect.stringContaining('"prefix":"127.0.0.0/24"')]);
    });

    it('still counts who comes without a proxy', async () => {
      for (let count = 0; count < limit; count += 1) expect(await start([])).toBe(302);
      expect(await start([])).toBe(429);
    });
  },
  { appendOnly: true },
);
