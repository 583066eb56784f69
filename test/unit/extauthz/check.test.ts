import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { newSessionId, type SessionKind } from '@sallyport/shared';
import { check, preCheck, type SessionLookup } from '../../../extauthz/src/check.js';
import { identityOf } from '../../../extauthz/src/identity.js';
import { denyReasons, type DenyReason } from '../../../extauthz/src/decision.js';
import { readPolicy } from '../../../extauthz/src/policy-file.js';
import type { Policy } from '../../../extauthz/src/policy.js';
import { cookieName, noFile, origins, someFacts, someSession } from '../../support/facts.js';

const now = 1_800_000_000_000;
const found = (parts: Parameters<typeof someSession>[0] = {}): SessionLookup => {
  const session = someSession(parts);
  return { outcome: 'found', session, identity: identityOf(session) };
};
const notAsked: SessionLookup = { outcome: 'not_asked' };
const id = newSessionId();

const policyOf = (rules: string): Policy => {
  const reading = readPolicy(`version: 1\n${rules}`, origins);
  if ('problems' in reading) throw new Error(reading.problems.join('\n'));
  return reading.policy;
};

describe('check', () => {
  it('allows a live browser session in its cookie', () => {
    expect(check(someFacts(), found(), noFile, now)).toMatchObject({
      outcome: 'allow',
      session: { userId: 'u-1' },
    });
  });

  const roles = policyOf('rules: [{ id: r, path: /api/**, allow: { roles: { any: [ADMIN] } } }]');
  const permissions = policyOf(
    'rules: [{ id: p, path: /api/**, allow: { permissions: { all: [a:b] } } }]',
  );
  const cases: [DenyReason, ReturnType<typeof someFacts>, SessionLookup, Policy?, string?][] = [
    ['no_credential', someFacts({ cookie: undefined }), notAsked],
    ['malformed_credential', someFacts({ cookie: `${cookieName}=x` }), notAsked],
    ['unknown_session', someFacts(), { outcome: 'absent' }],
    ['expired_session', someFacts(), found({ expiresAt: now / 1000 })],
    ['corrupt_session', someFacts(), { outcome: 'corrupt' }],
    ['wrong_lane', someFacts(), found({ kind: 'native' })],
    ['ambiguous_credential', someFacts({ authorization: `Bearer ${id}` }), notAsked],
    ['oversized_credential', someFacts({ cookie: 'x'.repeat(9000) }), notAsked],
    ['imitated_identity', someFacts({ imitatesIdentity: true }), found()],
    ['store_unavailable', someFacts(), { outcome: 'unavailable' }],
    ['ambiguous_path', someFacts({ target: '/api//me' }), notAsked],
    ['bad_method', someFacts({ method: 'delete' }), notAsked],
    ['csrf', someFacts({ method: 'POST' }), found()],
    ['no_rule', someFacts(), found(), policyOf('rules: []')],
    ['missing_role', someFacts(), found(), roles, 'r'],
    ['missing_permission', someFacts(), found(), permissions, 'p'],
  ];
  it.each(cases.map((one) => [one[0], one] as const))('denies with %s', (reason, one) => {
    const [, facts, lookup, policy, rule] = one;
    // Nobody is named whose session was not found good, and in the right lane.
    const holder =
      reason.startsWith('missing_') && lookup.outcome === 'found' ? { holder: lookup.session } : {};
    const named = rule === undefined ? {} : { rule };
    const expected = { outcome: 'deny', reason, ...named, ...holder };
    expect(check(facts, lookup, policy ?? noFile, now)).toEqual(expected);
  });

  it('has a case for every reason there is', () => {
    // These two are given before anybody decides (admission.test.ts).
    const early = ['overloaded', 'deadline_passed'];
    const all = [...cases.map(([reason]) => reason as string), ...early];
    expect(all.sort()).toEqual(Object.keys(denyReasons).sort());
  });

  it.each([
    ['cookie', 'browser', 'allow'],
    ['cookie', 'native', 'deny'],
    ['cookie', 'service', 'deny'],
    ['bearer', 'browser', 'deny'],
    ['bearer', 'native', 'allow'],
    ['bearer', 'service', 'allow'],
  ])('in the %s lane answers a %s session with %s', (lane, kind, outcome) => {
    const facts =
      lane === 'cookie'
        ? someFacts()
        : someFacts({ cookie: undefined, authorization: `Bearer ${id}` });
    expect(check(facts, found({ kind: kind as SessionKind }), noFile, now).outcome).toBe(outcome);
  });

  it('never allows without a live session of the right kind, whatever comes in', () => {
    const lookups = fc.oneof(
      fc.constantFrom<SessionLookup>(
        notAsked,
        { outcome: 'absent' },
        { outcome: 'corrupt' },
        { outcome: 'unavailable' },
      ),
      fc
        .record({
          expiresAt: fc.integer({ min: 1_799_999_990, max: 1_800_000_010 }),
          kind: fc.constantFrom<SessionKind>('browser', 'native', 'service'),
        })
        .map(found),
    );
    const header = fc.option(
      fc.oneof(
        fc.string(),
        fc.constantFrom(
          `${cookieName}=${id}`,
          `Bearer ${id}`,
          `${cookieName}=${id}; ${cookieName}=`,
        ),
      ),
      { nil: undefined },
    );
    let allows = 0;
    fc.assert(
      fc.property(
        header,
        header,
        fc.boolean(),
        lookups,
        (cookie, authorization, imitates, lookup) => {
          const facts = someFacts({
            cookie,
            ...(authorization === undefined ? {} : { authorization }),
            imitatesIdentity: imitates,
          });
          const decision = check(facts, lookup, noFile, now);
          if (decision.outcome === 'deny') return;
          allows += 1;
          expect(imitates).toBe(false);
          expect(lookup.outcome).toBe('found');
          if (lookup.outcome !== 'found') return;
          expect(lookup.session.expiresAt * 1000).toBeGreaterThan(now);
          const lane = facts.credential.outcome === 'one' ? facts.credential.lane : 'none';
          expect(lane).toBe(lookup.session.kind === 'browser' ? 'cookie' : 'bearer');
        },
      ),
      { numRuns: 5000 },
    );
    expect(allows).toBeGreaterThan(0);
  });
});

describe('check, by the rules', () => {
  const policy = policyOf(`
rules:
  - { id: docs, path: /api/docs/**, allow: public }
  - { id: hook, path: /api/hook, methods: [POST], allow: authenticated, csrf: off }
  - { id: shared, path: /api/shared, allow: authenticated, preflight: allow }
  - { id: trial, path: /api/trial, allow: { roles: { any: [ADMIN] } }, shadow: true }
  - { id: opening, path: /api/opening, allow: public, shadow: true }
  - { id: rest, path: /**, allow: authenticated }
`);
  const anonymous = { cookie: undefined };
  const cors = { origin: 'https://elsewhere.example', 'access-control-request-method': 'PUT' };

  it('allows a public path without a look at the session, with an empty identity', () => {
    const facts = someFacts({ target: '/api/docs/x?a=b' });
    expect(preCheck(facts, policy).needsSession).toBe(false);
    expect(check(facts, notAsked, policy, now)).toEqual({
      outcome: 'allow',
      basis: 'public',
      session: undefined,
      identity: { values: ['', '', ''] },
      rule: 'docs',
    });
  });

  it('refuses an imitated identity and a two-faced path even where all is public', () => {
    const imitating = someFacts({ target: '/api/docs', imitatesIdentity: true });
    expect(check(imitating, notAsked, policy, now)).toMatchObject({ reason: 'imitated_identity' });
    const twoFaced = someFacts({ target: '/api/docs/../me' });
    expect(check(twoFaced, notAsked, policy, now)).toMatchObject({ reason: 'ambiguous_path' });
  });

  it('lets a preflight pass only where the rule says so, without identity or session', () => {
    const preflight = (target: string) =>
      check(
        someFacts({ method: 'OPTIONS', target, headers: cors, ...anonymous }),
        notAsked,
        policy,
        now,
      );
    expect(preflight('/api/shared')).toMatchObject({ outcome: 'allow', basis: 'preflight' });
    expect(preflight('/api/me')).toMatchObject({ reason: 'no_credential' });
  });

  it('takes an OPTIONS without Origin or the asked method for no preflight', () => {
    for (const headers of [
      {},
      { origin: cors.origin },
      { 'access-control-request-method': 'PUT' },
    ]) {
      const facts = someFacts({ method: 'OPTIONS', target: '/api/shared', headers, ...anonymous });
      expect(check(facts, notAsked, policy, now)).toMatchObject({ reason: 'no_credential' });
    }
  });

  it('asks no origin of a bearer, nor where the rule switches the guard off', () => {
    const hook = someFacts({ method: 'POST', target: '/api/hook' });
    expect(check(hook, found(), policy, now)).toMatchObject({ outcome: 'allow', rule: 'hook' });
    const bearer = someFacts({ method: 'POST', authorization: `Bearer ${id}`, ...anonymous });
    expect(check(bearer, found({ kind: 'native' }), policy, now).outcome).toBe('allow');
  });

  it('does not enforce a rule on trial, and says what it would have changed', () => {
    const trial = someFacts({ target: '/api/trial' });
    expect(check(trial, found(), policy, now)).toMatchObject({
      outcome: 'allow',
      rule: 'rest',
      shadow: { rule: 'trial', change: 'would_deny' },
    });
    expect(check(trial, found({ roles: ['ADMIN'] }), policy, now)).toMatchObject({
      shadow: { rule: 'trial', change: 'none' },
    });
    const opening = someFacts({ target: '/api/opening', ...anonymous });
    expect(check(opening, notAsked, policy, now)).toMatchObject({
      reason: 'no_credential',
      shadow: { rule: 'opening', change: 'would_allow' },
    });
  });

  it('holds a permission by its :any form too, and by nothing else', () => {
    const rules = 'rules: [{ id: p, path: /**, allow: { permissions: { all: [t:read] } } }]';
    const outcome = (permissions: string[]) =>
      check(someFacts(), found({ permissions }), policyOf(rules), now).outcome;
    expect(outcome(['t:read'])).toBe('allow');
    expect(outcome(['t:read:any'])).toBe('allow');
    for (const held of ['t:read:own', 't:read:anyx', 't:rea:any', 't:read:', 'T:READ', 't:*']) {
      expect(outcome([held])).toBe('deny');
    }
  });
});
