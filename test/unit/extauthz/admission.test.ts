import { describe, expect, it, jest } from '@jest/globals';
import { admission } from '../../../extauthz/src/admission.js';
import type { Authorize } from '../../../extauthz/src/authorizer.js';
import { deny, type Decision } from '../../../extauthz/src/decision.js';
import { someFacts } from '../../support/facts.js';
import { until } from '../../support/until.js';

const unknown = deny('unknown_session');
const facts = someFacts();

function admit(authorize: Authorize, parts: { maxConcurrent?: number; waited?: number } = {}) {
  let now = 1000;
  const result = admission({
    authorize,
    maxConcurrent: parts.maxConcurrent ?? 2,
    deadline: 250,
    loop: { possibleWait: () => parts.waited ?? 0 },
    monotonic: () => now,
  });
  return { ...result, advance: (ms: number) => (now += ms), check: () => result.admit(facts, now) };
}

describe('admission', () => {
  it('passes an answer on at once when it is known', () => {
    expect(admit(() => unknown).check()).toBe(unknown);
  });

  it('sheds what would wait beyond the limit, and nothing once the others have their answer', async () => {
    const answers: ((decide: () => Decision) => void)[] = [];
    const { check, inFlight } = admit((_facts, mayWait) =>
      mayWait ? new Promise((resolve) => answers.push(resolve)) : deny('overloaded'),
    );
    const waiting = [check(), check()].map((answer) => Promise.resolve(answer));
    for (let count = 0; count < 1000; count += 1) expect(check()).toEqual(deny('overloaded'));
    expect([inFlight(), answers.length]).toEqual([2, 2]);
    for (const answer of answers) answer(() => unknown);
    expect(await Promise.all(waiting)).toEqual([unknown, unknown]);
    expect(inFlight()).toBe(0);
  });

  it.each([
    ['in time', 250, unknown, 1],
    ['after the deadline, before the timer', 251, deny('deadline_passed'), 0],
  ])('decides %s: only what is still given', async (_when, ms, expected, times) => {
    const given = jest.fn(() => unknown);
    let answer: (decide: () => Decision) => void = () => undefined;
    const { check, advance } = admit(() => new Promise((resolve) => (answer = resolve)));
    const waiting = check();
    advance(ms);
    answer(given);
    expect(await waiting).toEqual(expected);
    expect(given).toHaveBeenCalledTimes(times);
  });

  it('does not wait for an answer that never comes, and decides nothing when it comes at last', async () => {
    const given = jest.fn(() => unknown);
    let answer: (decide: () => Decision) => void = () => undefined;
    const { admit: give, inFlight } = admit(() => new Promise((resolve) => (answer = resolve)));
    // Arrived 249 ms ago by the clock that stands still.
    expect(await give(facts, 1000 - 249)).toEqual(deny('deadline_passed'));
    expect(inFlight()).toBe(1);
    answer(given);
    await until(() => inFlight() === 0);
    expect(given).not.toHaveBeenCalled();
  }, 5_000);

  it('does not trust what was read after the event loop stood still', () => {
    let asked = 0;
    const authorize = () => {
      asked += 1;
      return unknown;
    };
    expect(admit(authorize, { waited: 251 }).check()).toEqual(deny('deadline_passed'));
    expect(asked).toBe(0);
  });

  const broken = (): never => {
    throw new Error('broken');
  };
  it.each([
    ['reading', () => Promise.reject(new Error('broken'))],
    ['deciding', () => Promise.resolve(broken)],
  ])('frees its place when %s fails', async (_what, authorize: Authorize) => {
    const { check, inFlight } = admit(authorize);
    await expect(check()).rejects.toThrow('broken');
    expect(inFlight()).toBe(0);
  });
});
