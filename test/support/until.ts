/**
 * Asks again, at once and then every few milliseconds, until it holds; the test's own timeout ends it.
 * @param patience ms, where many wait for the same thing: each would cost a run that whole timeout
 */
export async function until(
  holds: () => Promise<boolean> | boolean,
  patience = Infinity,
): Promise<void> {
  const end = performance.now() + patience;
  while (!(await holds())) {
    if (performance.now() > end)
      throw new Error(`in ${String(patience)} ms never: ${String(holds)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
