/** The command behind `npm run conformance -- rego DIR`: every case on both back ends; the last line is the verdict. */
import { runRegoConformance } from './run.js';

const [directory = '.'] = process.argv.slice(2);
let passed = 0;
let failed = 0;
for (const backend of ['generated', 'closures'] as const) {
  const report = runRegoConformance(directory, { backend });
  for (const { file, index, note, reason } of report.failures)
    console.log(`FAIL ${backend} ${file}#${index} ${note}: ${reason}`);
  console.log(`${backend}: ${report.passed} passed, ${report.failed} failed`);
  passed += report.passed;
  failed += report.failed;
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
