import { expect, it } from '@jest/globals';
import { table } from '../../../bench/src/report.js';
import type { Measured } from '../../../bench/src/rounds.js';

const row: Measured = {
  ...{ name: 'refresh by the workers', checks: 2000, failures: 0, rps: 512.4 },
  ...{ p50: 1.234, p99: 9.876, service: 0.5, redis: 0.25, envoy: 0, sum: 0.75, total: 0.75 },
};
const cells = (of: Measured): string[] =>
  (table('Refreshes', [of]).split('\n').at(-1) ?? '').split('|').map((cell) => cell.trim());

it('says how long an answer took, and a dash of work that nobody waits for', () => {
  expect(cells(row)).toEqual(expect.arrayContaining(['1.23', '9.88', '512']));
  const unasked = cells({ ...row, p50: Number.NaN, p99: Number.NaN });
  expect(unasked).not.toContain('NaN');
  // Envoy is no part of it, either.
  expect(unasked.filter((cell) => cell === '–')).toHaveLength(3);
});
