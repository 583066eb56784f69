import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readPolicy } from '../../../extauthz/src/policy-file.js';
import type { Policy } from '../../../extauthz/src/policy.js';
import { origins } from '../../support/facts.js';

const problems = (text: string): readonly string[] => {
  const reading = readPolicy(text, origins);
  return 'problems' in reading ? reading.problems : [];
};
const policy = (text: string): Policy => {
  const reading = readPolicy(text, origins);
  if ('problems' in reading) throw new Error(reading.problems.join('\n'));
  return reading.policy;
};
const ruleWith = (line: string): string =>
  `version: 1\nrules:\n  - id: a\n    path: /api\n    allow: public\n    ${line}\n`;

describe('readPolicy', () => {
  it('names every problem of a file at once, in its order, each with line and fix', () => {
    const text = `version: 2
defalt: deny
rules:
  - id: default
    path: api/x
    allow: public
  - id: b
    path: /api/**/x
    allow: { role: { any: [A] } }
  - id: c
    path: [/api/a*b, /api//x]
    methods: [get]
    allow: { roles: { any: [] }, permissions: {} }
    csrf: maybe
  - path: /api/y
    allow: everyone
`;
    expect(problems(text)).toEqual([
      'line 1: version: must be 1.',
      'line 2: defalt: is unknown. Is it a typing mistake?',
      'line 4: rules[0].id: is reserved. Choose another name than "default" and "other".',
      'line 5: rules[0].path: must start with /. Write /api/…',
      'line 8: rules[1].path: has ** before its end. Use * for each segment in between.',
      'line 9: rules[1].allow.role: is unknown. Is it a typing mistake?',
      'line 9: rules[1].allow: must be public, authenticated, or {roles: {any: […]}, permissions: {all: […]}}.',
      'line 11: rules[2].path[0]: has * inside the segment "a*b". * stands for a whole segment.',
      expect.stringMatching(/^line 11: rules\[2\]\.path\[1\]: can never match/),
      'line 12: rules[2].methods[0]: must be written in upper-case letters, such as GET.',
      'line 13: rules[2].allow.roles.any: is empty. Name at least one, or use "allow: authenticated".',
      'line 13: rules[2].allow.permissions: names neither any nor all. Write {any: […]} or {all: […]}.',
      'line 14: rules[2].csrf: must be on or off.',
      'line 15: rules[3].id: is missing: it must be a name. Give every rule an id of its own.',
      'line 16: rules[3].allow: must be public, authenticated, or {roles: {any: […]}, permissions: {all: […]}}.',
    ]);
  });

  it.each([
    ['api/x', 'must start with /'],
    ['/api?x=1', 'holds a query'],
    ['/api/**/x', 'has ** before its end'],
    ['/api/a*b', 'has * inside the segment "a*b"'],
    ['/api/{id}', 'has the parameter "{id}"'],
    ['/api/:id', 'has the parameter ":id"'],
    ['/api//x', 'can never match'],
    ['/api/../x', 'can never match'],
    ['/api/%61', 'can never match'],
    [`/a${'/a'.repeat(40)}`, 'has more than 32 segments'],
  ])('says of the path %s that it %s', (path, problem) => {
    const text = `version: 1\nrules:\n  - id: a\n    allow: public\n    path: "${path}"\n`;
    expect(problems(text)).toEqual([expect.stringContaining(`line 5: rules[0].path: ${problem}`)]);
  });

  it.each([
    ['', 'line 1: the file is empty'],
    ['rules: [', 'line 1: '],
    ['version: 1\nversion: 1\nrules: []', 'line 2: Map keys must be unique'],
    ['version: 1\nrules: []\n---\nversion: 1', 'line 3: a second document begins'],
    ['- a', 'line 1: The file must hold version, rules'],
    ['version: 1', 'line 1: rules: is missing: it must be a list of rules'],
    ['version: 1\nrules: [7]', 'line 2: rules[0]: must be a rule'],
    ['version: 1\nrules: !!js/function []', 'line 2: Unresolved tag'],
    [ruleWith('id: b'), 'line 6: Map keys must be unique'],
    [ruleWith('shadow: perhaps'), 'line 6: rules[0].shadow: must be true or false'],
    [ruleWith('preflight: true'), 'line 6: rules[0].preflight: must be allow or deny'],
    [ruleWith('- x'), 'line '],
  ])('refuses %j with a line', (text, problem) => {
    expect(problems(text)[0]).toContain(problem);
  });

  it('wants every id once, and says where the other one is', () => {
    const one = '  - { id: a, path: /api, allow: public }\n';
    expect(problems(`version: 1\nrules:\n${one}${one}`)).toEqual([
      'line 4: rules[1].id: "a" is taken by the rule of line 3. Give every rule its own.',
    ]);
  });

  it('survives a bomb of aliases', () => {
    const levels = Array.from({ length: 12 }, (_, at) =>
      at === 0 ? 'a0: &a0 [x, x]' : `a${at}: &a${at} [*a${at - 1}, *a${at - 1}, *a${at - 1}]`,
    );
    expect(problems(`version: 1\n${levels.join('\n')}\n`).length).toBeGreaterThan(0);
  });

  it('denies what no rule covers, unless the file says otherwise', () => {
    expect(policy('version: 1\nrules: []').route('GET', '/api')?.rule).toBeUndefined();
    const open = policy('version: 1\ndefault: authenticated\nrules: []');
    expect(open.route('GET', '/api')?.rule?.id).toBe('default');
  });

  it('takes HEAD for GET, and no other method', () => {
    const { route } = policy(ruleWith('methods: [GET]'));
    expect(['GET', 'HEAD', 'POST'].map((method) => route(method, '/api')?.rule?.id)).toEqual([
      'a',
      'a',
      undefined,
    ]);
  });

  it('compares encoded paths decoded, however either side is written', () => {
    const text =
      'version: 1\nrules: [{ id: a, path: [/api/café, "/api/x%3Ay"], allow: authenticated }]';
    const { route } = policy(text);
    for (const path of ['/api/caf%C3%A9', '/api/cafe%CC%81', '/api/x:y', '/api/x%3ay']) {
      expect(route('GET', path)?.rule?.id).toBe('a');
    }
  });

  it('reads the example of the documentation', () => {
    const file = join(import.meta.dirname, '../../../docs/policy.example.yaml');
    const example = policy(readFileSync(file, 'utf8'));
    expect(example.ruleCount).toBeGreaterThan(4);
    expect(example.route('GET', '/api/public/status')?.needsSession).toBe(false);
    expect(example.route('GET', '/api/unheard-of')?.rule).toBeUndefined();
  });
});
