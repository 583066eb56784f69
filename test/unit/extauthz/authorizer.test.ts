import { describe, expect, it, jest } from '@jest/globals';
import { newSessionId, sessionHandle, type SessionHandle } from '@sallyport/shared';
import { authorizer, type Authorize } from '../../../extauthz/src/authorizer.js';
import type { SessionLookup } from '../../../extauthz/src/check.js';
import type { Decision } from '../../../extauthz/src/decision.js';
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

/** The decision of a check that is still waited for. */
const settled = async (answer: ReturnType<Authorize> | (() => Decision)): Promise<Decision> => {
  const decision = await answer;
  return typeof decision === 'function' ? decision() : decision;
};

describe('authorizer', () => {
  const open = policyOf('[{ id: open, path: /api/**, allow: public, preflight: allow }]');
  const foreign = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
  const foreignChange = { method: 'POST', headers: foreign };
  const unguarded = policyOf('[{ id: r, path: /api/**, allow: authenticated, csrf: off }]');
  const onTrial = policyOf(
    '[{ id: t, path: /api/**, allow: authenticated, csrf: off, shadow: true },' +
      '{ id: r, path: /api/**, allow: authenticated }]',
  );
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
      'a change by a session',
      noFile,
      { method: 'POST', headers: { origin: String(origins.own) } },
      1,
    ],
    ['a change that a foreign page asks for', noFile, { method: 'POST', headers: foreign }, 0],
    ['a change that nobody vouches for', noFile, { method: 'DELETE', headers: {} }, 0],
    ['a foreign change, behind a rule without the guard', unguarded, foreignChange, 1],
    ['a foreign change, with such a rule on trial', onTrial, foreignChange, 1],
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
      known: () => undefined,
    };
    const authorize = authorizer({ reader, keyForm: 'hashed', policy: () => policy, now: () => 0 });
    await authorize(someFacts(parts), true);
    expect(asked).toBe(reads);
  });

  it('ends a check by the rules it began with', async () => {
    let answer: (lookup: SessionLookup) => void = () => undefined;
    const find = () => new Promise<SessionLookup>((resolve) => (answer = resolve));
    const reader = { find, known: () => undefined };
    let policy = noFile;
    const authorize = authorizer({ reader, keyForm: 'hashed', policy: () => policy, now: () => 0 });
    const decision = settled(authorize(someFacts(), true));
    policy = policyOf('[]');
    answer(found);
    expect(await decision).toMatchObject({ outcome: 'allow', rule: 'default' });
    expect(authorize(someFacts(), true)).toMatchObject({ reason: 'no_rule' });
  });

  it.each([
    ['known', found, {}, 1],
    ['read', Promise.resolve(found), {}, 1],
    ['absent', { outcome: 'absent' } as const, {}, 0],
    [
      'of the wrong lane',
      found,
      { cookie: undefined, authorization: `Bearer ${newSessionId()}` },
      0,
    ],
  ])('tells that a session that is %s was used only where that is allowed', async (...one) => {
    const [, lookup, parts, uses] = one;
    const onUsed = jest.fn();
    const reader = { find: () => lookup, known: () => undefined };
    const policy = () => noFile;
    const authorize = authorizer({ reader, keyForm: 'hashed', policy, now: () => 7, onUsed });
    const decide = await authorize(someFacts(parts), true);
    if (lookup instanceof Promise) {
      // Whoever waited may have been answered meanwhile: then nobody used it (ATTACKS 17).
      expect(onUsed).not.toHaveBeenCalled();
    }
    await settled(decide);
    expect(onUsed).toHaveBeenCalledTimes(uses);
    if (uses > 0) expect(onUsed).toHaveBeenCalledWith(expect.any(String), session, 7);
  });

  it('gives what is known at once also where nothing may wait, and asks for nothing', async () => {
    const known = newSessionId();
    const reader = {
      find: () => {
        throw new Error('asked');
      },
      known: (handle: SessionHandle) =>
        handle === sessionHandle(known, 'hashed') ? found : undefined,
    };
    const authorize = authorizer({ reader, keyForm: 'hashed', policy: () => noFile, now: () => 0 });
    const answer = (cookie?: string) => authorize(someFacts({ cookie }), false);
    expect(await answer(`${cookieName}=${known}`)).toMatchObject({ outcome: 'allow' });
    expect(await answer(`${cookieName}=${newSessionId()}`)).toMatchObject({ reason: 'overloaded' });
    expect(await answer(undefined)).toMatchObject({ reason: 'no_credential' });
  });

  it('sheds nothing for a rule that is only on trial', async () => {
    const trial = policyOf(
      '[{ id: t, path: /api/**, allow: authenticated, shadow: true },' +
        '{ id: p, path: /api/**, allow: public }]',
    );
    const reader = { find: () => Promise.resolve(found), known: () => undefined };
    const authorize = authorizer({ reader, keyForm: 'hashed', policy: () => trial, now: () => 0 });
    expect(await authorize(someFacts(), false)).toMatchObject({ outcome: 'allow', rule: 'p' });
    expect(await settled(authorize(someFacts(), true))).toMatchObject({
      shadow: { rule: 't', change: 'none' },
    });
  });
});
