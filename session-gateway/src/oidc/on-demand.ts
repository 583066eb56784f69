import type { Clock } from '@sallyport/shared';

/** How long after a failure the next caller is told the same instead of trying again, ms. */
const backOff = 1000;

/**
 * Loads a value when it is first needed and keeps it. One load at a time, whoever asks; after a
 * failure at most one attempt per back-off, so that a down provider is not hammered by logins.
 */
export function onDemand<T>(load: () => Promise<T>, clock: Clock): () => Promise<T> {
  let current: Promise<T> | undefined;
  let failedAt: number | undefined;
  return () => {
    if (failedAt !== undefined && clock() - failedAt >= backOff) current = failedAt = undefined;
    if (current === undefined) {
      current = load();
      current.catch(() => (failedAt = clock()));
    }
    return current;
  };
}
