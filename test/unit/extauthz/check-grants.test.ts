import { describe, expect, it } from '@jest/globals';
import { check } from '../../../extauthz/src/check.js';
import { identityOf } from '../../../extauthz/src/identity.js';
import { readPolicy } from '../../../extauthz/src/policy-file.js';
import { origins, someFacts, someSession } from '../../support/facts.js';

type Holds = Parameters<typeof someSession>[0];
type Words = 'allow' | 'missing_role' | 'missing_permission';

/** What a session that holds these gets under a rule that wants those. */
function asked(allow: string, holds: Holds): Words {
  const reading = readPolicy(`version: 1\nrules: [{ id: r, path: /**, allow: ${allow} }]`, origins);
  if ('problems' in reading) throw new Error(reading.problems.join('\n'));
  const session = someSession({ roles: [], permissions: [], ...holds });
  const lookup = { outcome: 'found', session, identity: identityOf(session) } as const;
  const decision = check(someFacts(), lookup, reading.policy, 1_800_000_000_000);
  return decision.outcome === 'allow' ? 'allow' : (decision.reason as Words);
}

describe.each([
  ['roles', 'missing_role'],
  ['permissions', 'missing_permission'],
] as const)('a rule that wants two %s', (kind, missing) => {
  const yes = 'allow';
  const [none, a, b, both] = [[], ['t:a'], ['t:b'], ['t:b', 't:a']];

  it.each([
    ['any', none, missing],
    ['any', a, yes],
    ['any', b, yes],
    ['any', both, yes],
    ['all', none, missing],
    ['all', a, missing],
    ['all', b, missing],
    ['all', both, yes],
  ] as const)('%s of them, of one who holds %j: %s', (word, held, expected) => {
    expect(asked(`{ ${kind}: { ${word}: ['t:a', 't:b'] } }`, { [kind]: held })).toBe(expected);
  });

  // Of all four both are wanted, and of the other two one.
  it.each([
    [['t:a', 't:b', 't:c'], yes],
    [['t:a', 't:b', 't:d'], yes],
    [['t:a', 't:b'], missing],
    [['t:a', 't:c'], missing],
    [['t:b', 't:d'], missing],
    [['t:c', 't:d'], missing],
  ] as const)('all of them and any of two others, of one who holds %j: %s', (held, expected) => {
    const allow = `{ ${kind}: { all: ['t:a', 't:b'], any: ['t:c', 't:d'] } }`;
    expect(asked(allow, { [kind]: held })).toBe(expected);
  });
});

describe('a rule that wants roles and permissions', () => {
  const allow = '{ roles: { any: [R, S] }, permissions: { all: [t:a, t:b] } }';

  it.each([
    [['R'], ['t:a', 't:b'], 'allow'],
    [['S'], ['t:a:any', 't:b'], 'allow'],
    [['R', 'S'], ['t:a'], 'missing_permission'],
    [['R'], ['t:a:any', 't:a'], 'missing_permission'],
    [['R'], [], 'missing_permission'],
    [[], ['t:a', 't:b'], 'missing_role'],
    [['t:a'], ['R', 'S'], 'missing_role'],
    [[], [], 'missing_role'],
  ] as const)('of one who has the roles %j and may %j: %s', (roles, permissions, expected) => {
    expect(asked(allow, { roles, permissions })).toBe(expected);
  });
});
