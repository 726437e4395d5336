/** `test --bench`: how long the tests that pass take, as `opa test --bench` prints it, without what Node does not count. */
import type { Module } from '../syntax/ast.js';
import type { Value } from '../values/index.js';
import { type BenchmarkResult, benchmark, padNumber } from './benchmark.js';
import { orderedJson } from './ordered-json.js';
import { prettyTestReport, resultJson } from './test-report.js';
import type { TestResult } from './test-runner.js';

export interface TestBenchmark {
  readonly test: TestResult;
  /** Of tests that passed. */
  readonly timing: BenchmarkResult | undefined;
}

export interface BenchmarkTestsOptions {
  readonly modules: readonly Module[];
  readonly data?: Value;
  /** For each test; default one second. */
  readonly durationMs?: number;
  /** Milliseconds, with fractions. */
  readonly now: () => number;
}

const fullName = ({ package: path, name }: TestResult): string => `${path}.${name}`;

/** One after the other. Of tests with the same name the first stands for all, as a reference to them does. */
export function benchmarkTests(
  results: readonly TestResult[],
  options: BenchmarkTestsOptions,
): readonly TestBenchmark[] {
  return results
    .filter(({ name }) => !name.includes('#'))
    .map((test) => ({ test, timing: test.outcome === 'pass' ? benchmark(fullName(test), options) : undefined }));
}

const line = (name: string, { samples, totalNs }: BenchmarkResult): string =>
  `${[name, String(samples).padStart(8), `${padNumber(totalNs / samples)} ns/op`].join('\t')}\n`;

/** `data.a_b.test_c` is `BenchmarkDataABTestC`. */
const goName = (test: TestResult): string =>
  `Benchmark${fullName(test)
    .split(/[^A-Za-z0-9]+/)
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('')}`;

function report(benchmarks: readonly TestBenchmark[], nameOf: (test: TestResult) => string): string {
  const lines = benchmarks.flatMap(({ test, timing }) => (timing === undefined ? [] : [line(nameOf(test), timing)]));
  const tests = benchmarks.map(({ test }) => test);
  const rule = lines.length > 0 ? `${'-'.repeat(80)}\n` : '';
  return lines.join('') + rule + prettyTestReport(tests, false);
}

/** By name; each gives the whole output. */
export const TEST_BENCHMARK_FORMATS = {
  pretty: (benchmarks: readonly TestBenchmark[]): string => report(benchmarks, fullName),
  gobench: (benchmarks: readonly TestBenchmark[]): string => report(benchmarks, goName),
  json: (benchmarks: readonly TestBenchmark[]): string =>
    orderedJson(
      benchmarks.map(({ test, timing }) => ({
        ...(resultJson(test) as object),
        benchmark_result: timing && {
          N: timing.samples,
          T: timing.totalNs,
          Bytes: 0,
          MemAllocs: 0,
          MemBytes: 0,
          Extra: {},
        },
      })),
    ),
} as const;

export type TestBenchmarkFormat = keyof typeof TEST_BENCHMARK_FORMATS;
