import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newSessionId } from '@sallyport/shared';
import { allowBases, denyReasons } from '../../extauthz/src/decision.js';
import { checkHttp, type CheckAnswer } from '../support/extauthz.js';
import { keyOf, startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { until } from '../support/until.js';

/** Stands in everything that a client or a record chooses; no label may hold it. */
const stranger = 'stranger';

const policy = `version: 1
rules:
  - { id: open, path: /api/open/**, allow: public }
  - { id: shared, path: /api/shared/**, allow: authenticated, preflight: allow }
  - { id: on-trial, path: /api/trial/**, allow: { roles: { any: [ADMIN] } }, shadow: true }
  - { id: half-open, path: /api/half/**, allow: public, shadow: true }
  - { id: admin, path: /api/admin/**, allow: { roles: { any: [ADMIN] } } }
  - { id: reader, path: /api/reader/**, allow: { permissions: { any: [all:read] } } }
  - { id: rest, path: /api/**, allow: authenticated }
`;

type Lines = Parameters<typeof checkHttp>[1];
type Ask = readonly [lines: Lines, path: string, method?: string];

/** Only these are out of reach here: Redis is well and nothing is slow. */
const outages = ['overloaded', 'deadline_passed', 'store_unavailable'];
const reachable = [...Object.keys(denyReasons), ...Object.keys(allowBases)]
  .filter((reason) => !outages.includes(reason))
  .sort();

describe('the metrics of extauthz, after what strangers sent', () => {
  let rig: FailureRig;
  beforeAll(async () => {
    rig = await startFailureRig({ policy });
  });
  afterAll(() => rig.close());

  const cookie = (id: string): Lines[number] => ['Cookie', `__Host-session=${id}`];

  /** Every reason but those of an outage, each asked for in a stranger's words. */
  const asks = async (): Promise<readonly Ask[]> => {
    const id = await rig.write({ userId: stranger, roles: [stranger], permissions: [stranger] });
    const expired = await rig.write({ expiresAt: 1 });
    const corrupt = await rig.write();
    await rig.admin.hset(keyOf(corrupt), { kind: stranger, [stranger]: stranger });
    const own = [cookie(id)] as const;
    const at = (place: string): string => `/api/${place}/${stranger}?${stranger}=1`;
    const fromOurs = ['Sec-Fetch-Site', 'same-origin'] as const;
    return [
      [own, at('x')],
      [[...own, fromOurs], at('x'), 'PROPFIND'],
      [[...own, fromOurs], at('x'), 'M-SEARCH'],
      [own, at('open')],
      [own, at('trial')],
      [[], at('half')],
      [
        [
          ['Origin', `https://${stranger}`],
          ['Access-Control-Request-Method', 'PUT'],
        ],
        at('shared'),
        'OPTIONS',
      ],
      [[], at('x')],
      [[cookie(stranger)], at('x')],
      [[cookie(newSessionId())], at('x')],
      [[cookie(expired)], at('x')],
      [[cookie(corrupt)], at('x')],
      [[['Authorization', `Bearer ${id}`]], at('x')],
      [[cookie(id), cookie(stranger)], at('x')],
      [[['Cookie', stranger.repeat(1100)]], at('x')],
      [[...own, ['X_User_Id', stranger]], at('x')],
      [own, `/api/${stranger}/..%2f`],
      [[...own, ['Origin', `https://${stranger}`]], at('x'), 'POST'],
      [own, `/${stranger}`],
      [own, at('admin')],
      [own, at('reader')],
    ];
  };

  it('reg-A33: have exactly the label values of our own constants and rules', async () => {
    const odd: Lines = ['Host', 'User-Agent', 'X-Request-Id', 'Traceparent', `X-${stranger}`].map(
      (name) => [name, stranger],
    );
    // On a busy machine Redis may be late: then once more.
    const answered = (ask: () => Promise<CheckAnswer>): Promise<void> =>
      until(async () => (await ask()).status !== 503);
    for (const [lines, path, method] of await asks()) {
      const all = [...lines, ...odd];
      await answered(() => checkHttp(rig.service.httpPort, all, path, method));
      await answered(() => rig.checker.check(all, path, method));
    }
    // Node's parser lets none of these through.
    for (const method of [stranger, stranger.toUpperCase(), 'X'.repeat(999), 'G\u00cbT', '']) {
      await rig.checker.check([], `/api/${stranger}`, method);
    }

    const address = `http://127.0.0.1:${String(rig.service.healthPort)}/metrics`;
    const text = await (await fetch(address)).text();
    expect(text).not.toMatch(new RegExp(stranger, 'i'));
    const {
      'extauthz_decisions_total reason': reasons = [],
      'extauthz_decision_seconds_bucket le': bounds = [],
      'extauthz_redis_errors_total reason': redisErrors = [],
      'extauthz_redis_read_seconds_bucket le': readBounds = [],
      'extauthz_activity_events_total outcome': activity = [],
      ...rest
    } = labelsOf(text);
    expect(reasons.filter((reason) => !outages.includes(reason))).toEqual(reachable);
    for (const bound of [...bounds, ...readBounds])
      expect(bound).toMatch(/^(?:\+Inf|[0-5](?:\.[0-9]+)?)$/);
    // A start may meet either.
    expect(['TIMEOUT', 'CONNECTION']).toEqual(expect.arrayContaining(redisErrors));
    expect(['dropped', 'sent']).toEqual(expect.arrayContaining(activity));
    const transport = ['grpc', 'http'];
    expect(rest).toEqual({
      'extauthz_decisions_total outcome': ['allow', 'deny'],
      'extauthz_decisions_total transport': transport,
      'extauthz_decision_seconds_bucket transport': transport,
      'extauthz_decision_seconds_sum transport': transport,
      'extauthz_decision_seconds_count transport': transport,
      'extauthz_corrupt_records_total field': ['kind'],
      'extauthz_policy_shadow_total rule': ['half-open', 'on-trial'],
      'extauthz_policy_shadow_total change': ['would_allow', 'would_deny'],
    });
  });
});

/** `metric label` → its values, sorted. */
function labelsOf(text: string): Record<string, string[]> {
  const found = new Map<string, Set<string>>();
  for (const [, metric = '', labels = ''] of text.matchAll(/^([a-z]\w*)\{(.*)\} \S+$/gm)) {
    for (const [, label = '', value = ''] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      const key = `${metric} ${label}`;
      found.set(key, (found.get(key) ?? new Set()).add(value));
    }
  }
  return Object.fromEntries([...found].map(([key, values]) => [key, [...values].sort()]));
}
