/** What a jest report says about a defence that was taken away. Pure. */

/**
 * @typedef {object} Report
 * @property {number} numRuntimeErrorTestSuites
 * @property {{ name: string, assertionResults: { fullName: string, status: string }[] }[]} testResults
 */

/**
 * Each test's status by its suite's path and its name. Several of one name count as their worst.
 * @param {Report} report @returns {Map<string, string>}
 */
export function statusesOf({ testResults }) {
  const statuses = new Map();
  for (const { name, assertionResults } of testResults) {
    for (const { fullName, status } of assertionResults) {
      const id = `${name} ${fullName}`;
      if (statuses.get(id) !== 'failed') statuses.set(id, status);
    }
  }
  return statuses;
}

/**
 * The tests that were green before and fail now. One that was red anyway has noticed nothing, and a
 * suite that could not be loaded has not looked.
 * @param {Report} report @param {ReadonlySet<string>} green
 */
export function redsOf(report, green) {
  let reds = 0;
  for (const [id, status] of statusesOf(report)) {
    if (status === 'failed' && green.has(id)) reds += 1;
  }
  return { reds, unloaded: report.numRuntimeErrorTestSuites };
}
