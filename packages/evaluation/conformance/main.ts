/**
 * The command behind `npm run conformance -- flags [DIR]`: Unleash's specification from DIR, our published vectors, and
 * 100,000 random contexts each against flagd-core and unleash-client, and the OpenFeature features of `DIR/openfeature`
 * through the SDK's provider.
 */
import { join } from 'node:path';
import { runOpenFeatureFeatures } from '../../sdk/conformance/openfeature-features.js';
import { runBucketVectors } from './bucket-vectors.js';
import { runFlagdDifferential } from './differential-flagd.js';
import { runUnleashDifferential } from './differential-unleash.js';
import { randomFrom, type SuiteReport } from './report.js';
import { runUnleashSpecification } from './unleash-specification.js';

const [directory = join('..', 'shared', 'conformance', 'flags'), seedText, countText] = process.argv.slice(2);
const seed = Number(seedText ?? Date.now() % 1_000_000_000);
const count = Number(countText ?? 100_000);

const suites: readonly (() => SuiteReport | Promise<SuiteReport>)[] = [
  () => runUnleashSpecification(join(directory, 'unleash', 'specifications'), randomFrom(seed), Date.now()),
  () => runBucketVectors(join('conformance', 'evaluation')),
  () => runFlagdDifferential(seed, count),
  () => runUnleashDifferential(seed, count),
  () => runOpenFeatureFeatures(join(directory, 'openfeature', 'gherkin')),
];

let passed = 0;
let failed = 0;
for (const run of suites) {
  const { name, passed: right, failures, skipped, leftOut = [] } = await run();
  for (const failure of failures.slice(0, 20)) console.log(`FAIL ${name}: ${failure}`);
  console.log(
    skipped === undefined ? `${name}: ${right} passed, ${failures.length} failed` : `${name}: skipped, ${skipped}`,
  );
  for (const one of leftOut) console.log(`  not run: ${one}`);
  passed += right;
  failed += failures.length;
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
