/**
 * jest reporter: the time of each suite, slowest first, then the plain closing line that counts
 * over all projects.
 */
class SuiteTimes {
  /** @param {unknown} _contexts @param {import('@jest/reporters').AggregatedResult} results */
  onRunComplete(_contexts, results) {
    const rows = results.testResults
      .map((suite) => {
        const milliseconds = suite.perfStats.end - suite.perfStats.start;
        const name = suite.testFilePath.split('/test/').pop();
        const count = suite.numPassingTests + suite.numFailingTests;
        return { milliseconds, line: `${name} (${String(count)})` };
      })
      .sort((a, b) => b.milliseconds - a.milliseconds);
    console.log('\nTime of each suite, slowest first:');
    for (const { milliseconds, line } of rows) {
      console.log(`${(milliseconds / 1000).toFixed(1).padStart(7)} s  ${line}`);
    }
    // A suite that cannot even load has no test to fail: count it, or a broken file reads as green.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped =
      results.numPendingTests > 0 ? `, ${String(results.numPendingTests)} skipped` : '';
    console.log(`\n${String(results.numPassedTests)} passed, ${String(failed)} failed${skipped}`);
  }
}

export default SuiteTimes;
