import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultSessionCookieName as cookieName } from '@sallyport/shared';
import { exchange, type HeaderList } from '@sallyport/demo/web-client/exchange';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { describeOnRedis } from '../support/redis.js';
import { sessionOf } from '../support/replicas.js';
import { until } from '../support/until.js';

/** Of every answer: the date, and the id that was given to it. */
const ofOneAnswer = new Set(['date', 'x-request-id']);

describeOnRedis(
  '6.2',
  'what every open tab asks all the time',
  (redis) => {
    let stack: GatewayStack;
    let session: string;
    beforeAll(async () => {
      stack = await startGatewayStack(redis());
      session = sessionOf(await stack.login(), stack.origin).cookie;
    });
    afterAll(() => stack.close());

    const cookie = (value: string): HeaderList[number] => ['Cookie', `${cookieName}=${value}`];
    const someId = () => randomBytes(32).toString('base64url');
    const ask = async (path: string, headers: HeaderList, method = 'GET') => {
      const {
        status,
        text,
        headers: answered,
      } = await exchange(stack.origin + path, {
        method,
        headers,
      });
      const kept = Object.entries(answered).filter(([name]) => !ofOneAnswer.has(name));
      return { status, text, headers: Object.fromEntries(kept) };
    };

    // With a query it is express that answers; without one, nobody should be able to tell.
    describe.each(['/user', '/auth/v1/user', '/auth/v1/session'])('%s', (path) => {
      it.each<[string, number, () => HeaderList]>([
        ['a live session', 200, () => [['Cookie', session]]],
        [
          'the same and another person’s cookies',
          200,
          () => [
            ['Cookie', session],
            ['X-A', 'b'],
          ],
        ],
        ['no cookie', 401, () => []],
        ['an id of nobody', 401, () => [cookie(someId())]],
        ['no id at all', 401, () => [cookie('x')]],
        ['two sessions', 400, () => [['Cookie', `${cookieName}=${someId()}; ${session}`]]],
        [
          'a person who looks',
          401,
          () => [
            ['Sec-Fetch-Mode', 'navigate'],
            ['Accept', 'text/html'],
          ],
        ],
        [
          'a person with two sessions',
          400,
          () => [
            ['Sec-Fetch-Mode', 'navigate'],
            ['Cookie', `${cookieName}=${someId()}; ${session}`],
          ],
        ],
      ])('answers %s as express does', async (_title, status, headers) => {
        const short = await ask(path, headers());
        expect(short.status).toBe(status);
        expect(short).toEqual(await ask(`${path}?`, headers()));
      });

      it('is no other method’s', async () => {
        for (const method of ['HEAD', 'POST', 'OPTIONS']) {
          const one = await ask(path, [['Cookie', session]], method);
          expect(one).toEqual(await ask(`${path}?`, [['Cookie', session]], method));
        }
      });

      it('gives its request id back, and writes one line with the route', async () => {
        for (const [cookies, status, reason] of [
          [[['Cookie', session]], 200, undefined],
          [[cookie(someId())], 401, 'no_session'],
        ] as const) {
          const requestId = `reads-${randomBytes(6).toString('hex')}`;
          const { headers } = await exchange(stack.origin + path, {
            method: 'GET',
            headers: [...cookies, ['X-Request-Id', requestId]],
          });
          expect(headers['x-request-id']).toBe(requestId);
          const lines = () =>
            stack
              .log()
              .split('\n')
              .filter((line) => line.includes(requestId));
          await until(() => lines().some((line) => line.includes('"msg":"request"')));
          const requests = lines().filter((line) => line.includes('"msg":"request"'));
          expect(requests).toHaveLength(1);
          expect(JSON.parse(requests[0] ?? '')).toMatchObject({
            ...{ method: 'GET', route: path, status },
            ...(reason === undefined ? {} : { reason }),
          });
        }
      });
    });

    it('does not keep anybody logged in for a foreign page', async () => {
      const foreign: HeaderList = [
        ['Cookie', session],
        ['Sec-Fetch-Site', 'cross-site'],
      ];
      const answer = await ask('/auth/v1/session', foreign);
      expect(answer.status).toBe(403);
      expect(answer).toEqual(await ask('/auth/v1/session?', foreign));
    });
  },
  { appendOnly: true },
);
