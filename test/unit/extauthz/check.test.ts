import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { newSessionId, type SessionKind } from '@sallyport/shared';
import { check, type SessionLookup } from '../../../extauthz/src/check.js';
import { identityOf } from '../../../extauthz/src/identity.js';
import { denyReasons, type DenyReason } from '../../../extauthz/src/decision.js';
import { cookieName, someFacts, someSession } from '../../support/facts.js';

const now = 1_800_000_000_000;
const found = (parts: Parameters<typeof someSession>[0] = {}): SessionLookup => {
  const session = someSession(parts);
  return { outcome: 'found', session, identity: identityOf(session) };
};
const notAsked: SessionLookup = { outcome: 'not_asked' };
const id = newSessionId();

describe('check', () => {
  it('allows a live browser session in its cookie', () => {
    expect(check(someFacts(), found(), now)).toMatchObject({
      outcome: 'allow',
      session: { userId: 'u-1' },
    });
  });

  const cases: [DenyReason, ReturnType<typeof someFacts>, SessionLookup][] = [
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
  ];
  it.each(cases)('denies with %s', (reason, facts, lookup) => {
    expect(check(facts, lookup, now)).toEqual({ outcome: 'deny', reason });
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
    expect(check(facts, found({ kind: kind as SessionKind }), now).outcome).toBe(outcome);
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
          const decision = check(facts, lookup, now);
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
