import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startAlteredEnvoy, type AlteredEnvoy } from '../support/altered-envoy.js';
import { startEdge, type Edge } from '../support/envoy.js';
import { startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { rawRequest } from '../support/raw-http.js';

const policy = `version: 1
rules:
  - { id: people, path: /api/people/**, allow: authenticated }
  - { id: rest, path: /api/**, allow: authenticated }
`;

const says = (key: string, exact: string) => ({
  metadata: {
    filter: 'envoy.filters.http.ext_authz',
    path: [{ key }],
    value: { string_match: { exact } },
  },
});

/** No program under the rule `people`: what our policy file cannot say. */
const rbac = {
  name: 'envoy.filters.http.rbac',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC',
    rules: {
      action: 'DENY',
      policies: {
        programs: { permissions: [says('rule', 'people')], principals: [says('kind', 'native')] },
      },
    },
  },
};

describe('an RBAC filter of Envoy behind the check', () => {
  let rig: FailureRig;
  let edge: Edge;
  let envoy: AlteredEnvoy;

  beforeAll(async () => {
    rig = await startFailureRig({ policy });
    edge = await startEdge({ mode: 'grpc', directory: rig.directory, extauthz: rig.service });
    envoy = await startAlteredEnvoy({
      directory: rig.directory,
      mode: 'grpc',
      // The router is the last one.
      alter: ({ http_filters: filters }) => filters.splice(-1, 0, rbac),
    });
  });
  afterAll(async () => {
    await envoy.child.stop();
    await edge.stop();
    await rig.close();
  });

  it('decides by the rule and the kind of the dynamic metadata', async () => {
    const [browser, native] = [await rig.write(), await rig.write({ kind: 'native' })];
    const ask = (path: string, line: string) =>
      rawRequest(envoy.port, [`GET ${path} HTTP/1.1`, 'Host: edge', line]);
    const [person, program] = [
      `Cookie: __Host-session=${browser}`,
      `Authorization: Bearer ${native}`,
    ];
    const refused = await ask('/api/people/1', program);
    expect(refused).toMatchObject({ status: 403, body: 'RBAC: access denied' });
    expect((await ask('/api/people/2', person)).status).toBe(200);
    expect((await ask('/api/3', program)).status).toBe(200);
    expect(edge.arrivals.map(({ path }) => path)).toEqual(['/api/people/2', '/api/3']);
  });
});
