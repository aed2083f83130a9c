// Prints "passed failed" from a vitest JSON report, for .ci/run. A file that did not load has no tests to fail, so it counts as one.
import { readFileSync } from "node:fs";

const report = JSON.parse(readFileSync(process.argv[2], "utf8"));
const broken = report.testResults.filter(
  (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
).length;
console.log(report.numPassedTests, report.numFailedTests + broken);
