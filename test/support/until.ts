/** Asks again, at once and then every few milliseconds, until it holds; the test's own timeout ends it. */
export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}
