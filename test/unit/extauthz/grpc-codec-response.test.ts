import { describe, expect, it } from '@jest/globals';
import { newSessionId, type Session } from '@sallyport/shared';
import { credentialChanges, denial, extraHeaders } from '../../../extauthz/src/answer.js';
import {
  deny,
  denyReasons,
  type Allow,
  type Deny,
  type DenyReason,
} from '../../../extauthz/src/decision.js';
import { encodeAllow } from '../../../extauthz/src/grpc/codec/check-response.js';
import { encodeDenial } from '../../../extauthz/src/grpc/codec/denied-response.js';
import { identityOf } from '../../../extauthz/src/identity.js';
import { cookieName, someFacts, someSession } from '../../support/facts.js';
import { checkMethod, officialRoot, referenceResponse } from '../../support/grpc-reference.js';
import { cases, Choices, proofSeed } from '../../support/proofs.js';

const official = officialRoot().lookupType('envoy.service.auth.v3.CheckResponse');

/** As anybody reads it who has the definitions; defaults left out. */
const read = (bytes: Buffer): object => official.toObject(official.decode(bytes));
const reference = (message: object): object =>
  read(checkMethod.responseSerialize(message as never));

const allowOf = (session: Session): Allow => {
  const identity = Object.freeze(identityOf(session));
  return { outcome: 'allow', basis: 'session', session, identity, rule: 'r' };
};

describe('encodeAllow', () => {
  const seed = proofSeed;

  it(`writes what the reference writes, again and again for one session (seed ${String(seed)})`, () => {
    const choices = new Choices(seed);
    for (let count = cases(500, 50_000); count > 0; count -= 1) {
      const session = someSession({
        userId: choices.text(choices.rarely(10) ? 400 : 30),
        roles: choices.many(4, () => choices.text(12)),
        permissions: choices.many(choices.rarely(10) ? 80 : 4, () => choices.text(12)),
        kind: choices.one(['browser', 'native', 'service']),
      });
      const allow: Allow = {
        outcome: 'allow',
        basis: 'session',
        session,
        identity: identityOf(session),
        rule: `rule-${String(choices.below(9))}`,
      };
      for (let again = 0; again < 3; again += 1) {
        const own = `__Host-session=${newSessionId()}`;
        const facts = someFacts({
          cookie: choices.one([undefined, own, `a=${choices.text(9)}; ${own}`, 'a=b']),
          ...(choices.rarely(2) ? { authorization: choices.one(['Bearer x', 'Basic y']) } : {}),
        });
        const answers = {
          cookieName,
          sendEmail: choices.rarely(3),
          sendKind: choices.rarely(3),
        };
        const bytes = encodeAllow(
          allow,
          credentialChanges(facts, cookieName),
          extraHeaders(allow, answers),
        );
        expect(read(bytes)).toEqual(reference(referenceResponse(allow, facts, answers)));
      }
    }
  }, 300_000);

  /** As long as a record may have it: its size takes two bytes. */
  const longList = Array.from({ length: 256 }, (_, at) => `role-${String(at)}`.padEnd(31, 'x'));
  const unchanged = { cookie: undefined, remove: [] };
  const noCredential = someFacts({ cookie: undefined });

  it('keeps nothing with the session: a cache of many would double', () => {
    const allow = allowOf(Object.freeze(someSession()));
    expect(read(encodeAllow(allow, unchanged))).toEqual(
      reference(referenceResponse(allow, noCredential, { cookieName })),
    );
    expect(Object.keys(allow.identity)).toEqual(['values']);
  });

  it('writes lists of any length, each session its own', () => {
    const lists = [[], ['role-0'], ['role-1'], ['x'.repeat(128)], longList, ['role-0']];
    for (const roles of lists) {
      for (const permissions of lists) {
        const allow = allowOf(someSession({ roles, permissions }));
        expect(read(encodeAllow(allow, unchanged))).toEqual(
          reference(referenceResponse(allow, noCredential, { cookieName })),
        );
      }
    }
  });
});

describe('encodeDenial', () => {
  const reasons = Object.keys(denyReasons) as DenyReason[];
  const encode = (decision: Deny) => encodeDenial(denial(decision.reason, decision.rule), decision);
  const expected = (decision: Deny) =>
    reference(referenceResponse(decision, someFacts(), { cookieName }));

  it.each(reasons)('writes %s as the reference does, with and without a rule', (reason) => {
    for (const decision of [deny(reason), deny(reason, 'rule-1')]) {
      const bytes = encode(decision);
      expect(read(bytes)).toEqual(expected(decision));
      expect(encode(deny(reason, decision.rule))).toBe(bytes);
    }
  });

  it(`names the holder as the reference does, and nobody afterwards (seed ${String(proofSeed)})`, () => {
    const choices = new Choices(proofSeed);
    for (let count = cases(200, 10_000); count > 0; count -= 1) {
      const session = someSession({
        userId: choices.text(choices.rarely(10) ? 400 : 30),
        kind: choices.one(['browser', 'native', 'service']),
      });
      const bare = deny(choices.one(reasons), `rule-${String(choices.below(9))}`);
      const denied: Deny = { ...bare, holder: session };
      expect(read(encode(denied))).toEqual(expected(denied));
      // Of the same prepared denial: who was denied before must not be in it.
      expect(read(encode(bare))).toEqual(expected(bare));
    }
  });

  it('says of an allow and of a denial the same of one session', () => {
    const session = someSession();
    const denied: Deny = { ...deny('missing_role', 'r'), holder: session };
    const allowed = allowOf(session);
    for (let again = 0; again < 2; again += 1) {
      expect(read(encode(denied))).toEqual(expected(denied));
      const changes = { cookie: undefined, remove: [] };
      const { dynamic_metadata } = referenceResponse(allowed, someFacts(), { cookieName });
      expect(read(encodeAllow(allowed, changes))).toMatchObject({ dynamic_metadata });
    }
  });
});
