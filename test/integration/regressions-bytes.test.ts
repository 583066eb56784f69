import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startEdge, type Edge } from '../support/envoy.js';
import { startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { rawRequest } from '../support/raw-http.js';

/** Every string here is sent as Latin-1: one byte a character, so `\u00ff` is no UTF-8. */
const utf8 = (text: string): string => Buffer.from(text).toString('latin1');

describe('reg-3: bytes that are no UTF-8', () => {
  let rig: FailureRig;
  beforeAll(async () => {
    rig = await startFailureRig();
  });
  afterAll(() => rig.close());

  describe.each(['http', 'grpc'] as const)('through Envoy, %s', (mode) => {
    let edge: Edge;
    beforeAll(async () => {
      edge = await startEdge({ mode, directory: rig.directory, extauthz: rig.service });
    });
    afterAll(() => edge.stop());

    const send = async (...lines: string[]) => {
      edge.arrivals.length = 0;
      const all = ['GET /api/me HTTP/1.1', 'Host: edge', ...lines];
      const { status } = await rawRequest(edge.port, all, 'latin1');
      return { status, upstream: edge.arrivals.map(({ headers }) => new Map(headers)) };
    };
    const own = async () => `__Host-session=${await rig.write()}`;

    // Accept and X-Request-Id go to extauthz, X-Odd only to the upstream.
    it.each(['X-Odd', 'Accept', 'X-Request-Id', 'X-User-Id', 'Origin'])(
      'in %s: the decision that any value gets, and the session’s own identity',
      async (name) => {
        const odd = `${name}: caf\u00e9\u00ff`;
        expect(await send(odd)).toEqual({ status: 401, upstream: [] });
        const { status, upstream } = await send(odd, `Cookie: ${await own()}`);
        expect(status).toBe(200);
        expect(upstream.map((headers) => headers.get('x-user-id'))).toEqual(['u-1']);
      },
    );

    // Envoy puts a ! for each such byte before it asks, in either mode; our codec, which refuses
    // them, never meets one. Whoever has such a cookie must not be locked out by it.
    it.each([
      ['value', 'a=\u00ff', 'a=!'],
      ['name', 'caf\u00e9=1', 'caf!=1'],
      ['value beside good UTF-8', `a=\u00ff; b=${utf8('é€')}`, `a=!; b=${utf8('é€')}`],
      ['no value, only good UTF-8', `b=${utf8('é€')}`, `b=${utf8('é€')}`],
    ])('in the %s of a foreign cookie: the person is let in', async (_where, foreign, cleaned) => {
      expect(await send(`Cookie: ${foreign}`)).toEqual({ status: 401, upstream: [] });
      const session = await own();
      for (const cookie of [`${foreign}; ${session}`, `${session}; ${foreign}`]) {
        const { status, upstream } = await send(`Cookie: ${cookie}`);
        expect({ cookie, status }).toEqual({ cookie, status: 200 });
        expect(upstream.map((headers) => headers.get('x-user-id'))).toEqual(['u-1']);
        expect(upstream.map((headers) => headers.get('cookie'))).toEqual([cleaned]);
      }
    });

    it('in our cookie or the bearer: nobody is let in', async () => {
      const id = await rig.write();
      for (const line of [
        `Cookie: __Host-session=${id}\u00ff`,
        `Cookie: __Host-session=\u00ff${id.slice(1)}`,
        `Cookie: __Host-session\u00ff=${id}`,
        `Authorization: Bearer ${id}\u00ff`,
      ]) {
        expect({ line, ...(await send(line)) }).toEqual({ line, status: 401, upstream: [] });
      }
    });
  });
});
