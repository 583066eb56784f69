import { describe, expect, it } from '@jest/globals';
import { newSessionId } from '@sallyport/shared';
import { authorizer } from '../../../extauthz/src/authorizer.js';
import type { SessionLookup } from '../../../extauthz/src/check.js';
import { identityOf } from '../../../extauthz/src/identity.js';
import { readPolicy } from '../../../extauthz/src/policy-file.js';
import type { Policy } from '../../../extauthz/src/policy.js';
import { cookieName, noFile, origins, someFacts, someSession } from '../../support/facts.js';

const policyOf = (rules: string): Policy => {
  const reading = readPolicy(`version: 1\nrules: ${rules}\n`, origins);
  if ('problems' in reading) throw new Error(reading.problems.join('\n'));
  return reading.policy;
};
const session = someSession();
const found: SessionLookup = { outcome: 'found', session, identity: identityOf(session) };

describe('authorizer', () => {
  const open = policyOf('[{ id: open, path: /api/**, allow: public, preflight: allow }]');
  const cases: [string, Policy, Parameters<typeof someFacts>[0], number][] = [
    ['a session', noFile, {}, 1],
    ['nobody', noFile, { cookie: undefined }, 0],
    ['a credential that can be none', noFile, { cookie: `${cookieName}=x` }, 0],
    ['two sessions', noFile, { authorization: `Bearer ${newSessionId()}` }, 0],
    ['a public path, with a session', open, {}, 0],
    ['an ambiguous path', noFile, { target: '/api/%2e%2e/x' }, 0],
    ['an imitated identity', noFile, { imitatesIdentity: true }, 0],
    ['a path under no rule', policyOf('[]'), {}, 0],
    [
      'a preflight',
      open,
      { method: 'OPTIONS', headers: { origin: 'x', 'access-control-request-method': 'PUT' } },
      0,
    ],
  ];
  it.each(cases)('asks the store only where the answer depends on it: %s', async (...one) => {
    const [, policy, parts, reads] = one;
    let asked = 0;
    const reader = {
      find: () => {
        asked += 1;
        return found;
      },
    };
    const authorize = authorizer({ reader, keyForm: 'hashed', policy: () => policy, now: () => 0 });
    await authorize(someFacts(parts));
    expect(asked).toBe(reads);
  });

  it('ends a check by the rules it began with', async () => {
    let answer: (lookup: SessionLookup) => void = () => undefined;
    const reader = { find: () => new Promise<SessionLookup>((resolve) => (answer = resolve)) };
    let policy = noFile;
    const authorize = authorizer({ reader, keyForm: 'hashed', policy: () => policy, now: () => 0 });
    const decision = authorize(someFacts());
    policy = policyOf('[]');
    answer(found);
    expect(await decision).toMatchObject({ outcome: 'allow', rule: 'default' });
    expect(await authorize(someFacts())).toMatchObject({ reason: 'no_rule' });
  });
});
