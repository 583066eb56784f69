import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newSessionId } from '@sallyport/shared';
import { startAlteredEnvoy, type AlteredEnvoy } from '../support/altered-envoy.js';
import { startEdge, type Edge } from '../support/envoy.js';
import { startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { rawRequest } from '../support/raw-http.js';
import { until } from '../support/until.js';

const policy = `version: 1
rules:
  - { id: open, path: /api/open/**, allow: public }
  - { id: staff, path: /api/staff/**, allow: { roles: { any: [STAFF] } } }
  - { id: rest, path: /api/**, allow: authenticated }
`;

interface Line {
  readonly path?: string;
  readonly user?: string | null;
  readonly kind?: string | null;
  readonly rule?: string | null;
  readonly reason?: string | null;
}

const of = (key: string) => `%DYNAMIC_METADATA(envoy.filters.http.ext_authz:${key})%`;

describe('dynamic metadata, in Envoy’s own access log', () => {
  let rig: FailureRig;
  let edge: Edge;
  let envoy: AlteredEnvoy;

  beforeAll(async () => {
    rig = await startFailureRig({ policy });
    edge = await startEdge({ mode: 'grpc', directory: rig.directory, extauthz: rig.service });
    envoy = await startAlteredEnvoy({
      directory: rig.directory,
      mode: 'grpc',
      alter: ({ access_log: [log] }) => {
        log.typed_config.log_format.json_format = {
          path: '%REQ(:PATH)%',
          user: of('user_id'),
          kind: of('kind'),
          rule: of('rule'),
          reason: of('reason'),
        };
      },
    });
  });
  afterAll(async () => {
    await envoy.child.stop();
    await edge.stop();
    await rig.close();
  });

  let read = 0;
  const ask = (target: string, ...lines: string[]) =>
    rawRequest(envoy.port, [`${target} HTTP/1.1`, 'Host: edge', ...lines]);
  /** What Envoy has written since the last time; it writes a little later. */
  const logged = async (count: number): Promise<Line[]> => {
    const lines = () =>
      readFileSync(envoy.logFile, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('{'));
    await until(() => lines().length >= read + count);
    const fresh = lines().slice(read);
    read += fresh.length;
    return fresh.map((line) => JSON.parse(line) as Line);
  };
  const nothing = { user: null, kind: null, rule: null, reason: null };

  it('names the user, the kind and the rule of an allow', async () => {
    const [browser, native] = [
      await rig.write({ userId: 'u-ada' }),
      await rig.write({ userId: 'u-robot', kind: 'native' }),
    ];
    await ask('GET /api/1', `Cookie: __Host-session=${browser}`);
    await ask('GET /api/2', `Authorization: Bearer ${native}`);
    await ask('GET /api/open/3', `Cookie: __Host-session=${browser}`);
    expect(await logged(3)).toEqual([
      { ...nothing, path: '/api/1', user: 'u-ada', kind: 'browser', rule: 'rest' },
      { ...nothing, path: '/api/2', user: 'u-robot', kind: 'native', rule: 'rest' },
      { ...nothing, path: '/api/open/3', user: '', kind: '', rule: 'open' },
    ]);
  });

  it('names the rule and the reason of a 403, and whose session it is that lacks the role', async () => {
    const id = await rig.write({ userId: 'u-eve' });
    const own = `Cookie: __Host-session=${id}`;
    const answers = [await ask('GET /api/staff/4', own), await ask('POST /api/staff/5', own)];
    expect(answers.map(({ status }) => status)).toEqual([403, 403]);
    expect(await logged(2)).toEqual([
      {
        path: '/api/staff/4',
        user: 'u-eve',
        kind: 'browser',
        rule: 'staff',
        reason: 'missing_role',
      },
      // Refused before anybody looked for the session.
      { ...nothing, path: '/api/staff/5', rule: 'staff', reason: 'csrf' },
    ]);
  });

  it('says of anybody else no more than the reason', async () => {
    const native = await rig.write({ userId: 'u-robot', kind: 'native' });
    await ask('GET /api/6');
    await ask('GET /api/staff/7', `Cookie: __Host-session=${newSessionId()}`);
    await ask('GET /api/staff/8', `Cookie: __Host-session=${native}`);
    expect(await logged(3)).toEqual([
      { ...nothing, path: '/api/6', reason: 'no_credential' },
      { ...nothing, path: '/api/staff/7', reason: 'unknown_session' },
      { ...nothing, path: '/api/staff/8', reason: 'wrong_lane' },
    ]);
  });
});
