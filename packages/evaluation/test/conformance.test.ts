/** The suites of `npm run conformance -- flags`, with fewer random contexts. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runBucketVectors } from '../conformance/bucket-vectors.js';
import { runFlagdDifferential } from '../conformance/differential-flagd.js';
import { runUnleashDifferential } from '../conformance/differential-unleash.js';
import { randomFrom, type SuiteReport } from '../conformance/report.js';
import { runUnleashSpecification } from '../conformance/unleash-specification.js';

const root = join(import.meta.dirname, '..', '..', '..');
const seed = Number(process.hrtime.bigint() % 1_000_000_000n);

function expectAllPassed(report: SuiteReport): void {
  expect(report.failures.slice(0, 5), report.name).toEqual([]);
  expect(report.passed).toBeGreaterThan(0);
}

describe('conformance', () => {
  const folder = join(root, '..', 'shared', 'conformance', 'flags', 'unleash', 'specifications');
  const specification = runUnleashSpecification(folder, randomFrom(seed), Date.now());

  it.skipIf(specification.skipped !== undefined)('gives every answer of the Unleash specification', () => {
    expectAllPassed(specification);
  });

  it('puts every published vector into its bucket', () => {
    expectAllPassed(runBucketVectors(join(root, 'conformance', 'evaluation')));
  });

  it(`answers as flagd-core does (seed ${seed})`, () => {
    expectAllPassed(runFlagdDifferential(seed, 6_000));
  });

  it(`answers as unleash-client does (seed ${seed})`, () => {
    expectAllPassed(runUnleashDifferential(seed, 6_000));
  });
});
