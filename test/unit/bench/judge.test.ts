import { describe, expect, it } from '@jest/globals';
import { judge } from '../../../bench/figures/oracle/judge.js';
import type { Entry } from '../../../bench/figures/traffic/journal.js';

/** Session 7: sent at 10, there from 20, revoked between 100 and 110. */
const life: readonly Entry[] = [
  ['creating', 7, 10],
  ['created', 7, 20],
  ['revoking', 7, 100],
  ['revoked', 7, 110],
];
const check = (sent: number, answered: number, status: number, user = 'user-7'): Entry => [
  'check',
  0,
  7,
  sent,
  answered,
  status,
  status === 200 ? user : null,
];
const judged = (...entries: readonly Entry[]) => judge([...life, ...entries]);

describe('the oracle', () => {
  it.each([
    ['an allow before the session was created', check(1, 9, 200)],
    ['an allow sent later than the bound after a revocation', check(1_111, 1_112, 200)],
    ['an allow with another user’s identity', check(50, 51, 200, 'user-8')],
    ['an allow without an identity', check(50, 51, 200, '')],
  ])('calls %s wrong', (_what, entry) => {
    expect(judged(entry)).toMatchObject({ allows: 1, wrongAllows: 1, wrong401s: 0 });
  });

  it('calls an allow of a session that never was wrong', () => {
    expect(judge([check(50, 51, 200)])).toMatchObject({ wrongAllows: 1 });
  });

  it('calls a 401 wrong when the session was there all the time', () => {
    expect(judged(check(21, 99, 401))).toMatchObject({ denials: 1, wrong401s: 1 });
  });

  it.each([
    ['an allow', check(50, 51, 200)],
    ['a 401 that crosses the creation', check(19, 30, 401)],
    ['a 401 that crosses the revocation', check(90, 105, 401)],
    ['an allow that crosses the creation', check(9, 15, 200)],
    ['a 503 at any time', check(50, 51, 503)],
  ])('finds nothing wrong with %s', (_what, entry) => {
    expect(judged(entry)).toMatchObject({ checks: 1, wrongAllows: 0, wrong401s: 0 });
  });

  it('counts allows within the bound apart', () => {
    expect(judged(check(500, 501, 200))).toMatchObject({ wrongAllows: 0, allowsWithinBound: 1 });
  });

  it('counts what is neither 200, 401 nor 503 by status, and when there was trouble', () => {
    expect(judged(check(50, 51, 0), check(60, 61, 500), check(70, 75, 503))).toMatchObject({
      others: { 0: 1, 500: 1 },
      unavailable: 1,
      trouble: { first: 51, last: 75 },
    });
  });
});
