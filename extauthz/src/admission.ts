import type { Authorize } from './authorizer.js';
import { deny, type Decision } from './decision.js';
import type { LoopWatch } from './loop-watch.js';
import type { RequestFacts } from './request-facts.js';

/** A decision for a request that arrived at `arrived` (monotonic ms): in time, or not at all. */
export type Admit = (facts: RequestFacts, arrived: number) => Decision | Promise<Decision>;

export interface Admission {
  readonly admit: Admit;
  /** Checks that wait for an answer of the store. */
  readonly inFlight: () => number;
}

const deadlinePassed = deny('deadline_passed');

/**
 * Sheds what cannot be decided soon. An answer that is known at once costs nothing to give; what
 * waits holds memory, so only so many may wait. And an answer older than its deadline is not
 * trusted: the world may have moved while nobody looked (ATTACKS 3).
 */
export function admission(options: {
  authorize: Authorize;
  maxConcurrent: number;
  /** From arrival to answer, ms. */
  deadline: number;
  loop: Pick<LoopWatch, 'possibleWait'>;
  /** Monotonic, ms. */
  monotonic: () => number;
}): Admission {
  const { authorize, maxConcurrent, deadline, loop, monotonic } = options;
  let inFlight = 0;

  const waitFor = (answer: Promise<() => Decision>, arrived: number): Promise<Decision> =>
    new Promise((resolve, reject) => {
      inFlight += 1;
      let isAnswered = false;
      const giveUp = (): void => {
        isAnswered = true;
        resolve(deadlinePassed);
      };
      const timer = setTimeout(giveUp, deadline - (monotonic() - arrived));
      const isLate = (): boolean => isAnswered || monotonic() - arrived > deadline;
      answer
        .then((decide) => (isLate() ? deadlinePassed : decide()))
        .finally(() => {
          inFlight -= 1;
          clearTimeout(timer);
        })
        .then(resolve, reject);
    });

  return {
    inFlight: () => inFlight,
    admit: (facts, arrived) => {
      if (loop.possibleWait(arrived) > deadline) return deadlinePassed;
      const answer = authorize(facts, inFlight < maxConcurrent);
      return answer instanceof Promise ? waitFor(answer, arrived) : answer;
    },
  };
}
