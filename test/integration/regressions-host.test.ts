import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SessionId } from '@sallyport/shared';
import { checkHttp } from '../support/extauthz.js';
import { startFailureRig, type FailureRig } from '../support/failure-rig.js';

const policy = `version: 1
rules:
  - { id: open, path: /api/public/**, allow: public }
  - { id: admin, path: /api/admin/**, allow: { roles: { any: [ADMIN] } } }
  - { id: rest, path: /api/**, allow: authenticated }
`;

/** The public origin's own host in every spelling, and what another would be. */
const hosts = [
  'APP.EXAMPLE',
  'App.Example',
  'app.example.',
  'app.example:443',
  'evil.example',
  'localhost',
  '127.0.0.1:8080',
  'app.example, evil.example',
  '',
];

describe('the Host header, under a policy', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-host-'));
  let rig: FailureRig;
  let id: SessionId;
  beforeAll(async () => {
    const file = join(directory, 'policy.yaml');
    writeFileSync(file, policy);
    rig = await startFailureRig({
      env: () => ({
        PUBLIC_ORIGIN: 'https://app.example',
        EXTAUTHZ_LOGIN_URL: '/login',
        EXTAUTHZ_POLICY_FILE: file,
      }),
    });
    id = await rig.write();
  });
  afterAll(async () => {
    await rig.close();
    rmSync(directory, { recursive: true, force: true });
  });

  type Lines = Parameters<typeof checkHttp>[1];
  const cookie = (): Lines => [['Cookie', `__Host-session=${id}`]];
  const person: Lines = [
    ['Sec-Fetch-Mode', 'navigate'],
    ['Sec-Fetch-Dest', 'document'],
    ['Sec-Fetch-Site', 'none'],
  ];
  const from = (origin: string): Lines => [...cookie(), ['Origin', origin]];
  const asked = (): readonly (readonly [status: number, method: string, path: string, Lines])[] => [
    [401, 'GET', '/api/me', []],
    [200, 'GET', '/api/me', cookie()],
    [403, 'GET', '/api/admin/users', cookie()],
    [200, 'GET', '/api/public/a', []],
    [302, 'GET', '/api/report', person],
    [403, 'POST', '/api/me', cookie()],
    [200, 'POST', '/api/me', from('https://app.example')],
    [403, 'POST', '/api/me', from('https://evil.example')],
    [403, 'POST', '/api/me', from('https://APP.EXAMPLE')],
    [403, 'POST', '/api/me', from('https://app.example.')],
  ];

  it.each([
    [
      'http',
      (lines: Lines, target: string, method: string) =>
        checkHttp(rig.service.httpPort, lines, target, method),
    ],
    [
      'grpc',
      (lines: Lines, target: string, method: string) => rig.checker.check(lines, target, method),
    ],
  ] as const)(
    'reg-15: moves no decision, in whatever case or form, over %s',
    async (_name, check) => {
      for (const [status, method, path, lines] of asked()) {
        const named = { method, path, lines };
        const plain = await check([['Host', 'app.example'], ...lines], path, method);
        expect({ ...named, status: plain.status }).toEqual({ ...named, status });
        for (const host of hosts) {
          const answer = await check([['Host', host], ...lines], path, method);
          expect({ ...named, host, answer }).toEqual({ ...named, host, answer: plain });
        }
      }
    },
  );
});
