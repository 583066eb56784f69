import type { RequestFacts } from './request-facts.js';

const checksBeforeDoubt = 1000;

/**
 * In HTTP mode Envoy forwards only the headers it is told to. Where none of those that a decision
 * reads has come with many checks, it was not told: warns once, then never looks again.
 */
export function forwardedHeadersWatch(
  warn: () => void,
  checks = checksBeforeDoubt,
): (facts: Pick<RequestFacts, 'headers'>) => void {
  let left = checks;
  return ({ headers }) => {
    if (left === 0) return;
    const came =
      headers.cookie !== undefined ||
      headers.authorization !== undefined ||
      headers.origin !== undefined ||
      headers['sec-fetch-site'] !== undefined ||
      headers['sec-fetch-mode'] !== undefined;
    left = came ? 0 : left - 1;
    if (!came && left === 0) warn();
  };
}
