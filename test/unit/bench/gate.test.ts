import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { figureLine } from '../../../bench/figures/figure.js';
import { faultsOf, readExpected } from '../../../bench/figures/gate.js';

const expected = readExpected(
  ['# a comment', 'wrong', 'late', 'share may-miss # why', 'seven redis7', ''].join('\n'),
);
const good = [
  'figure wrong 0 goal <=0 reached',
  '    figure late 3ms goal <=9ms reached',
  'figure share 0.500 goal >=0.4 reached',
  'figure seven 1 goal =1 reached',
];
const faults = (lines: readonly string[], hasRedis7 = true): string[] =>
  faultsOf(lines.join('\n'), expected, { hasRedis7 });
const instead = (at: number, line: string): string[] => good.with(at, line);

describe('the gate of CI', () => {
  it('lets a run pass whose figures are all there and reached', () => {
    expect(faults(good)).toEqual([]);
  });

  it('lets a missed time and a missed share under load pass', () => {
    expect(faults(instead(1, 'figure late 12.5ms goal <=9ms missed'))).toEqual([]);
    expect(faults(instead(2, 'figure share 0.100 goal >=0.4 missed'))).toEqual([]);
  });

  it.each([
    ['a missed count', 0, 'figure wrong 2 goal <=0 missed'],
    ['a time that does not count', 1, 'figure late NaNms goal <=9ms missed (nothing was cached)'],
    ['a share that does not count', 2, 'figure share 0.900 goal >=0.4 missed (too few)'],
  ])('stops at %s', (_what, at, line) => {
    expect(faults(instead(at, line))).toEqual([line]);
  });

  it('stops at a proof that broke, in its own words and by what it did not print', () => {
    const line = figureLine({
      ...{ name: 'chaos', value: Number.NaN, goal: { atLeast: 0 } },
      invalid: 'Redis did not start:\n    port taken (again)',
    });
    expect(faults(instead(0, line))).toEqual([
      'figure chaos NaN goal >=0 missed (Redis did not start: port taken (again))',
      'wrong: expected, but not printed',
    ]);
  });

  it('stops at a figure nobody expected', () => {
    expect(faults([...good, 'figure more 0 goal <=0 reached'])).toHaveLength(1);
  });

  it('expects figures of Redis 7 only where there is one', () => {
    expect(faults(good.slice(0, 3))).toEqual(['seven: expected, but not printed']);
    expect(faults(good.slice(0, 3), false)).toEqual([]);
  });

  it('has a list with every name once', () => {
    const file = join(import.meta.dirname, '../../../bench/figures/expected-in-ci.txt');
    const names = readExpected(readFileSync(file, 'utf8')).map(({ name }) => name);
    expect(names.length).toBeGreaterThan(50);
    expect(new Set(names).size).toBe(names.length);
  });
});
