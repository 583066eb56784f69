import { describe, expect, it } from '@jest/globals';
import { admission } from '../../../extauthz/src/admission.js';
import type { Authorize } from '../../../extauthz/src/authorizer.js';
import { deny, type Decision } from '../../../extauthz/src/decision.js';
import { loopWatch } from '../../../extauthz/src/loop-watch.js';
import { someFacts } from '../../support/facts.js';

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
    const answers: ((decision: Decision) => void)[] = [];
    const { check, inFlight } = admit((_facts, mayWait) =>
      mayWait ? new Promise((resolve) => answers.push(resolve)) : deny('overloaded'),
    );
    const waiting = [check(), check()].map((answer) => Promise.resolve(answer));
    for (let count = 0; count < 1000; count += 1) expect(check()).toEqual(deny('overloaded'));
    expect([inFlight(), answers.length]).toEqual([2, 2]);
    for (const answer of answers) answer(unknown);
    expect(await Promise.all(waiting)).toEqual([unknown, unknown]);
    expect(inFlight()).toBe(0);
  });

  it('answers 503 when the answer comes after the deadline', async () => {
    let answer: (decision: Decision) => void = () => undefined;
    const { check, advance } = admit(() => new Promise((resolve) => (answer = resolve)));
    const waiting = check();
    advance(251);
    answer(unknown);
    expect(await waiting).toEqual(deny('deadline_passed'));
  });

  it('does not wait for an answer that never comes', async () => {
    const { admit: give, inFlight } = admit(() => new Promise(() => undefined));
    // Arrived 249 ms ago by the clock that stands still.
    expect(await give(facts, 1000 - 249)).toEqual(deny('deadline_passed'));
    expect(inFlight()).toBe(1);
  });

  it('does not trust what was read after the event loop stood still', () => {
    let asked = 0;
    const authorize = () => {
      asked += 1;
      return unknown;
    };
    expect(admit(authorize, { waited: 251 }).check()).toEqual(deny('deadline_passed'));
    expect(asked).toBe(0);
  });

  it('frees its place when the check fails', async () => {
    const { check, inFlight } = admit(() => Promise.reject(new Error('broken')));
    await expect(check()).rejects.toThrow('broken');
    expect(inFlight()).toBe(0);
  });
});

describe('loopWatch', () => {
  it('remembers a standstill until what had piled up is read', async () => {
    const watch = loopWatch(() => performance.now());
    await watch.start();
    expect(watch.possibleWait(performance.now())).toBeLessThan(200);
    const end = performance.now() + 400;
    while (performance.now() < end);
    expect(watch.possibleWait(performance.now())).toBeGreaterThan(300);
    await new Promise((resolve) => setTimeout(resolve, 0));
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(watch.possibleWait(performance.now())).toBeLessThan(300);
    await watch.stop();
    expect(watch.possibleWait(Infinity)).toBe(0);
  });
});
