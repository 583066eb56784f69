import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SessionId } from '@sallyport/shared';
import { startEdge, type Edge } from '../support/envoy.js';
import { startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { rawRequest } from '../support/raw-http.js';

const policy = `version: 1
rules:
  - { id: open, path: /api/open/**, allow: public }
  - { id: rest, path: /api/**, allow: authenticated }
`;

describe('a bearer among several Authorization lines, through Envoy', () => {
  let rig: FailureRig;
  let person: SessionId;
  let native: SessionId;

  beforeAll(async () => {
    rig = await startFailureRig({ policy });
    person = await rig.write();
    native = await rig.write({ kind: 'native' });
  });
  afterAll(() => rig.close());

  describe.each(['http', 'grpc'] as const)('ext_authz over %s', (mode) => {
    let edge: Edge;
    beforeAll(async () => {
      edge = await startEdge({ mode, directory: rig.directory, extauthz: rig.service });
    });
    afterAll(() => edge.stop());

    /** The status, and each Authorization line that the API was sent. */
    const send = async (path: string, ...lines: string[]) => {
      const before = edge.arrivals.length;
      const { status } = await rawRequest(edge.port, [
        `GET ${path} HTTP/1.1`,
        'Host: edge',
        ...lines,
      ]);
      const arrived = edge.arrivals.slice(before).map(({ headers }) => headers);
      const authorization = arrived.flat().filter(([name]) => name === 'authorization');
      return { status, arrived: arrived.length, authorization: authorization.map(([, v]) => v) };
    };

    it('reg-1: decides nothing beside another scheme: neither goes further', async () => {
      const lines = ['Authorization: Basic eA==', `Authorization: Bearer ${native}`];
      const refused = { status: 400, arrived: 0, authorization: [] };
      const cookie = `Cookie: __Host-session=${person}`;
      expect(await send('/api/me', cookie, ...lines)).toEqual(refused);
      expect(await send('/api/me', ...lines)).toEqual(refused);
    });

    it.each([
      ['behind another scheme', ['Basic eA==', 'Bearer ID']],
      ['in one line with it', ['Basic eA==, bearer ID']],
      ['behind an empty line', ['', 'Bearer ID']],
      ['behind an empty bearer', ['Bearer', 'Bearer ID']],
    ])('reg-A28: reaches no upstream of a public rule, %s', async (_how, values) => {
      const lines = values.map((value) => `Authorization: ${value.replace('ID', native)}`);
      expect(await send('/api/open/1', ...lines)).toEqual({
        status: 200,
        arrived: 1,
        authorization: [],
      });
    });

    it('is not taken for one where only its letters stand', async () => {
      for (const value of ['Basic YmVhcmVy', 'Digest username="x", uri="/bearer"']) {
        const answer = await send('/api/open/1', `Authorization: ${value}`);
        expect(answer).toEqual({ status: 200, arrived: 1, authorization: [value] });
      }
    });
  });
});
