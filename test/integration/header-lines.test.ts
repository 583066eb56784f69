import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { rawRequest } from '../support/raw-http.js';
import { describeOnRedis } from '../support/redis.js';

describeOnRedis(
  '6.2',
  'a request to the gateway with thousands of header lines',
  (redis) => {
    let stack: GatewayStack;
    beforeAll(async () => {
      stack = await startGatewayStack(redis());
    });
    afterAll(() => stack.close());

    it('hides no second session cookie behind the 2000th', async () => {
      const lines = (...last: string[]) => [
        'GET /user HTTP/1.1',
        'Host: localhost',
        'Accept: application/json',
        `Cookie: __Host-session=${'a'.repeat(43)}`,
        ...Array.from({ length: 2500 }, (_, index) => `a${String(index)}: b`),
        ...last,
      ];
      const port = Number(new URL(stack.origin).port);
      const one = await rawRequest(port, lines());
      const two = await rawRequest(port, lines(`Cookie: __Host-session=${'b'.repeat(43)}`));
      expect([one.status, JSON.parse(one.body)]).toMatchObject([401, { reason: 'no_session' }]);
      expect([two.status, JSON.parse(two.body)]).toMatchObject([
        400,
        { reason: 'ambiguous_cookie' },
      ]);
    });
  },
  { appendOnly: true },
);
