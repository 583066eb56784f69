import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Rule } from '../../../extauthz/src/rule.js';
import { ruleTree } from '../../../extauthz/src/rule-tree.js';

const aRule = (parts: Partial<Rule>): Rule => ({
  id: 'r',
  methods: undefined,
  paths: [],
  allow: 'authenticated',
  csrf: undefined,
  preflight: false,
  shadow: false,
  ...parts,
});

/** The slow reading of the same language: a pattern as a regular expression, rules one by one. */
function model(rules: readonly Rule[], path: string, method: string): Rule | undefined {
  return rules.find(
    ({ methods, paths, allow }) =>
      (methods === undefined || methods.has(method)) &&
      paths.some((pattern) => expression(pattern, allow === 'public').test(path)),
  );
}

function expression(pattern: string, exactly: boolean): RegExp {
  if (pattern.endsWith('/**')) return new RegExp(`^${source(pattern.slice(0, -3))}(?:/.*)?$`);
  const bare = exactly ? pattern : pattern.replace(/\/$/, '');
  return new RegExp(`^${source(bare)}${exactly ? '' : '/?'}$`);
}

const source = (pattern: string): string =>
  pattern
    .split('/')
    .map((segment) => (segment === '*' ? '[^/]+' : segment.replace(/[.+$]/g, '\\$&')))
    .join('/');

const segment = fc.constantFrom('a', 'b', 'ab', 'ba', 'a.b', 'orders', 'é');
const method = fc.constantFrom('GET', 'POST', 'PUT');
const paths = fc
  .tuple(fc.array(segment, { maxLength: 5 }), fc.boolean())
  .map(([segments, slash]) => `/${segments.join('/')}${slash && segments.length > 0 ? '/' : ''}`);
const patterns = fc
  .tuple(
    fc.array(
      fc.oneof({ weight: 3, arbitrary: segment }, { weight: 1, arbitrary: fc.constant('*') }),
      {
        maxLength: 4,
      },
    ),
    fc.constantFrom('', '', '/', '/**'),
  )
  .map(([segments, end]) => {
    const text = `/${segments.join('/')}`;
    return text === '/' ? (end === '/**' ? '/**' : '/') : `${text}${end}`;
  });
const rule = fc
  .record({
    methods: fc.option(
      fc.array(method, { minLength: 1 }).map((list) => new Set(list)),
      {
        nil: undefined,
      },
    ),
    paths: fc.array(patterns, { minLength: 1, maxLength: 3 }),
    allow: fc.constantFrom<Rule['allow']>('public', 'authenticated'),
  })
  .map(aRule);

describe('ruleTree', () => {
  it('finds what a plain reading of the rules in their order finds', () => {
    let found = 0;
    let ordered = 0;
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 8 }), paths, method, (rules, path, verb) => {
        const tree = ruleTree(rules, (one) => rules.indexOf(one));
        const expected = model(rules, path, verb);
        expect(tree.find(path, verb)).toBe(expected);
        if (expected !== undefined) found += 1;
        if (expected !== undefined && expected !== rules[0]) ordered += 1;
      }),
      { numRuns: 25_000 },
    );
    // A run in which hardly anything matched would prove nothing.
    expect(found).toBeGreaterThan(3000);
    expect(ordered).toBeGreaterThan(1000);
  });

  it.each([
    ['/api/orders/*/items', '/api/orders/17/items', true],
    ['/api/orders/*/items', '/api/orders/items', false],
    ['/api/orders/*/items', '/api/orders/1/2/items', false],
    ['/api/orders/*', '/api/orders/', false],
    ['/api/**', '/api', true],
    ['/api/**', '/api/', true],
    ['/api/**', '/api/a/b/c', true],
    ['/api/**', '/apix', false],
    ['/api/me', '/api/me/', true],
    ['/api/me', '/api/ME', false],
    ['/**', '/', true],
    ['/', '/a', false],
  ])('%s covers %s: %s', (pattern, path, covers) => {
    const one = aRule({ paths: [pattern] });
    expect(ruleTree([one], () => 0).find(path, 'GET')).toBe(covers ? one : undefined);
  });

  it('takes every character of a rule for itself', () => {
    const paths = ['/v1.0/a.b', '/c+', '/d$', '/[ef]', '/(g|h)', '/^'];
    const tree = ruleTree([aRule({ paths })], () => 0);
    for (const path of paths) expect([path, tree.find(path, 'GET')?.id]).toEqual([path, 'r']);
    for (const path of ['/v1x0/a.b', '/v1.0/axb', '/cc', '/c', '/d', '/e', '/g', '/']) {
      expect([path, tree.find(path, 'GET')]).toEqual([path, undefined]);
    }
  });

  it('opens a public path only as it is written', () => {
    const find = (pattern: string, path: string) =>
      ruleTree([aRule({ paths: [pattern], allow: 'public' })], () => 0).find(path, 'GET')?.id;
    expect(find('/a', '/a')).toBe('r');
    expect(find('/a', '/a/')).toBeUndefined();
    expect(find('/a/', '/a/')).toBe('r');
    expect(find('/a/', '/a')).toBeUndefined();
  });
});
