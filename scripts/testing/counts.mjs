/** How many tests of one or several runs ended in which way. */
export const none = { passed: 0, failed: 0, skipped: 0 };

export function add(a, b) {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

/** `12 passed, 0 failed`, with `, 3 skipped` where any were. */
export function describe({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/**
 * Counts the tests in what vitest's JSON reporter wrote. A file that could not even be loaded has no tests and counts as
 * one failure, and so does a run that ended badly for a reason that no test shows: an unhandled rejection, a crash.
 *
 * @param {string | undefined} report the reporter's text; undefined when there is none
 * @param {number} exitCode vitest's own
 */
export function countTests(report, exitCode) {
  if (report === undefined) return { ...none, failed: 1 };
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(report);
  const unloadable = testResults.filter(
    ({ status, assertionResults }) => status === "failed" && !assertionResults.some((test) => test.status === "failed"),
  ).length;
  const counts = {
    passed: numPassedTests,
    failed: numFailedTests + unloadable,
    skipped: numPendingTests + numTodoTests,
  };
  const foundNothing = testResults.length === 0;
  if (exitCode !== 0 && counts.failed === 0 && !foundNothing) counts.failed = 1;
  return counts;
}

/**
 * A line for each test that failed and each file that could not be loaded, for the end of a long log.
 *
 * @param {string | undefined} report the text of vitest's JSON reporter
 * @returns {string[]} file, name and the first line of what was wrong
 */
export function failures(report) {
  if (report === undefined) return ["vitest ended before it could report anything"];
  return JSON.parse(report).testResults.flatMap(({ name: file, status, message, assertionResults }) => {
    const failed = assertionResults.filter((test) => test.status === "failed");
    if (failed.length === 0) return status === "failed" ? [`${file}: ${firstLine(message)}`] : [];
    return failed.map(({ fullName, failureMessages }) => `${file} > ${fullName}: ${firstLine(failureMessages[0])}`);
  });
}

function firstLine(text = "") {
  return text.trim().split("\n", 1)[0];
}
