import type { Unit } from '@sallyport/shared/runtime';

/** How long a start waits for Redis to answer, and how long it waits between two tries, ms. */
const patience = 2_000;
const retryInterval = 50;

/** What is asked of Redis before the first check: at once, and one refusal has every cause. */
export function startChecks(watches: readonly Unit[]): Unit {
  return {
    name: 'what Redis says',
    start: async () => {
      const started = await Promise.allSettled(watches.map((watch) => watch.start()));
      const causes = started
        .filter((one) => one.status === 'rejected')
        .map(({ reason }) => (reason as Error).message);
      if (causes.length > 0) throw new Error(causes.join('\n'));
    },
    stop: async () => {
      await Promise.all(watches.map((watch) => watch.stop()));
    },
  };
}

/** Undefined where Redis does not answer: this service is there without it, and not ready. */
export async function answerAtStart<T>(ask: () => Promise<T>): Promise<T | undefined> {
  const end = performance.now() + patience;
  while (performance.now() < end) {
    try {
      return await ask();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, retryInterval));
    }
  }
  return undefined;
}
