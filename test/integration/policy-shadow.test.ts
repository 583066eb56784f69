import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SessionId } from '@sallyport/shared';
import { checkHttp } from '../support/extauthz.js';
import { startFailureRig, type FailureRig } from '../support/failure-rig.js';

const policy = `version: 1
rules:
  - { id: stricter, path: /api/stricter, allow: { roles: { any: [ADMIN] } }, shadow: true }
  - { id: looser, path: /api/looser, allow: authenticated, shadow: true }
  - { id: open-trial, path: /api/late, allow: public, shadow: true }
  - { id: guarded, path: [/api/looser, /api/late], allow: { roles: { any: [ADMIN] } } }
  - { id: rest, path: /api/**, allow: authenticated }
`;
const changes = ['would_allow', 'would_deny', 'none'] as const;

describe('a rule on trial', () => {
  let rig: FailureRig;
  let user: SessionId;
  let admin: SessionId;

  beforeAll(async () => {
    rig = await startFailureRig({ policy });
    user = await rig.write({ roles: ['USER'] });
    admin = await rig.write({ roles: ['ADMIN'] });
  });
  afterAll(() => rig.close());

  const counts = async (rule: string): Promise<number[]> =>
    Promise.all(
      changes.map((change) =>
        rig.metric(`extauthz_policy_shadow_total{rule="${rule}",change="${change}"}`),
      ),
    );

  describe.each<
    [string, (...asked: Parameters<FailureRig['checker']['check']>) => Promise<{ status: number }>]
  >([
    ['http', (lines, path) => checkHttp(rig.service.httpPort, lines, path)],
    ['grpc', (lines, path) => rig.checker.check(lines, path)],
  ])('over %s', (_name, check) => {
    const asks = {
      user: (path: string) => check([['cookie', `__Host-session=${user}`]], path),
      admin: (path: string) => check([['cookie', `__Host-session=${admin}`]], path),
      nobody: (path: string) => check([], path),
    };

    it.each([
      ['stricter', '/api/stricter', 'user', 200, 'would_deny'],
      ['stricter', '/api/stricter', 'admin', 200, 'none'],
      ['looser', '/api/looser', 'user', 403, 'would_allow'],
      ['looser', '/api/looser', 'admin', 200, 'none'],
      ['looser', '/api/looser', 'nobody', 401, 'none'],
      ['open-trial', '/api/late', 'nobody', 401, 'would_allow'],
    ] as const)(
      '%s on %s: %s gets %i, and it counts %s',
      async (rule, path, who, status, change) => {
        const before = await counts(rule);
        expect((await asks[who](path)).status).toBe(status);
        const more = changes.map((one) => Number(one === change));
        expect(await counts(rule)).toEqual(
          before.map((count, index) => count + (more[index] ?? 0)),
        );
      },
    );
  });
});
