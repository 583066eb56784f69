/** What is waited for now, and since when the condition has been asked without an answer, ms. */
const waiting = new Map<() => unknown, { readonly stack: string; askedAt: number }>();

/**
 * Asks again, at once and then every few milliseconds, more rarely the longer it takes, until it
 * holds; the test's own timeout ends it.
 * @param patience ms, where many wait for the same thing: each would cost a run that whole timeout
 */
export async function until(
  holds: () => Promise<boolean> | boolean,
  patience = Infinity,
): Promise<void> {
  const begin = performance.now();
  const end = begin + patience;
  const entry = { stack: new Error().stack ?? '', askedAt: performance.now() };
  waiting.set(holds, entry);
  try {
    while (!(await holds())) {
      if (!waiting.has(holds)) throw new Error('the test that waited for this is over');
      if (performance.now() > end)
        throw new Error(`in ${String(patience)} ms never: ${String(holds)}`);
      // Each look takes the machine from what is waited for, and 25 ms more are nothing to a long wait.
      const waited = performance.now() - begin;
      await new Promise((resolve) => setTimeout(resolve, Math.min(25, 5 + waited / 20)));
      entry.askedAt = performance.now();
    }
  } finally {
    waiting.delete(holds);
  }
}

/**
 * What a test that has ended is still waiting for, a text each, and no longer: jest says of a test
 * that took too long only its name.
 */
export function abandonWaits(): readonly string[] {
  const texts = [...waiting].map(([holds, { stack, askedAt }]) => {
    const silent = performance.now() - askedAt;
    const [, ...callers] = stack.split('\n');
    const where = callers.filter((line) => line.includes('/test/')).slice(1, 4);
    const last = silent < 1_000 ? 'asked just now' : `asked ${silent.toFixed(0)} ms ago, no answer`;
    return `still waited for (${last}): ${String(holds)}\n${where.join('\n')}`;
  });
  waiting.clear();
  return texts;
}
