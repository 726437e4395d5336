/** `bailiwick rego test`: the tests of policies. */

import {
  benchmarkTests,
  coverageJson,
  prettyTestReport,
  runTests,
  TEST_BENCHMARK_FORMATS,
  type TestBenchmarkFormat,
  type TestReport,
  testReportJson,
  thresholdMessage,
} from '@bailiwick/rego/tools';
import { Command } from 'commander';
import { CommandFailure } from '../../failure.js';
import { loadFiles, loadSchemas } from './load-files.js';
import {
  type CompileOptions,
  type LoadingOptions,
  parseDuration,
  parseNumber,
  print,
  reporting,
  versionOf,
  withCompilation,
  withFormat,
  withIgnore,
} from './rego-options.js';
import { watchPaths } from './watch-paths.js';

interface Options extends LoadingOptions, CompileOptions {
  readonly format: string;
  readonly bundle?: boolean;
  readonly verbose?: boolean;
  readonly coverage?: boolean;
  readonly threshold?: number;
  readonly run?: string;
  readonly exitZeroOnSkipped?: boolean;
  readonly failOnEmpty?: boolean;
  readonly timeout: number;
  readonly count: number;
  readonly bench?: boolean;
  readonly watch?: boolean;
}

function filterOf(run: string | undefined): RegExp | undefined {
  if (run === undefined) return undefined;
  try {
    return new RegExp(run, 'u');
  } catch (error) {
    throw new CommandFailure(`--run: ${error instanceof Error ? error.message : String(error)}`, 1);
  }
}

/** Prints the report of one run; what is no success throws. */
async function runTestsOf(paths: readonly string[], options: Options): Promise<void> {
  const { capabilities, failOnEmpty, exitZeroOnSkipped } = options;
  const filter = filterOf(options.run);
  const schemas = loadSchemas(options.schema);
  const { modules, data } = await loadFiles(options.bundle === true ? [] : paths, {
    version: versionOf(options),
    ignore: options.ignore,
    capabilities,
    bundles: options.bundle === true ? paths : [],
  });
  const now = (): number => performance.now();
  const tests = { modules, data, capabilities, schemas, timeoutMs: options.timeout, now };
  const wantsCoverage = options.coverage === true || (options.threshold ?? 0) > 0;
  let failures = 0;
  for (let run = 0; run < options.count; run++) {
    const { results, coverage } = runTests({
      ...tests,
      coverage: wantsCoverage,
      ...(filter === undefined ? {} : { filter }),
    });
    if (options.bench === true) {
      const format = options.format as TestBenchmarkFormat;
      print(TEST_BENCHMARK_FORMATS[format](benchmarkTests(results, { modules, data, now, durationMs: 1000 })));
    } else printReport(results, coverage, options);
    const failed = results.filter(({ outcome }) => outcome === 'fail' || outcome === 'error').length;
    const isSkipped = results.some(({ outcome }) => outcome === 'skip') && exitZeroOnSkipped !== true;
    const isEmpty = results.length === 0 && failOnEmpty === true;
    if (failed > 0 || (coverage === undefined && isSkipped) || isEmpty) failures += 1;
  }
  if (failures > 0) throw new CommandFailure('', 2);
}

function printReport(
  results: TestReport['results'],
  coverage: TestReport['coverage'],
  { format, threshold = 0, verbose = false }: Options,
): void {
  const failed = results.filter(({ outcome }) => outcome === 'fail' || outcome === 'error');
  if (coverage === undefined) {
    print(format === 'json' ? testReportJson(results) : prettyTestReport(results, verbose));
  } else if (failed.length > 0) print(prettyTestReport(failed, verbose));
  else {
    const missed = thresholdMessage(coverage, threshold, verbose);
    if (missed !== undefined) throw new CommandFailure(missed, 2);
    print(coverageJson(coverage));
  }
}

/** Runs the tests now and after each change; failures are printed and do not end it. */
export async function watchTests(
  paths: readonly string[],
  options: Options,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const run = async (): Promise<void> => {
    try {
      await reporting(REPORT, () => runTestsOf(paths, options));
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error;
      if (error.message !== '') print(`${error.message}\n`);
    }
    print(`${'*'.repeat(80)}\nWatching for changes ...\n`);
  };
  const watching = watchPaths(paths, run, { signal });
  await run();
  await watching;
}

const REPORT = { exitCode: 1, asJson: false, words: 'test' } as const;

function checkFormat({ format, bench = false }: Options): void {
  if (format === 'gobench' && !bench) throw new CommandFailure('the format gobench is for --bench', 2);
}

export function testCommand(): Command {
  return withFormat(withCompilation(withIgnore(new Command('test'))), ['pretty', 'json', 'gobench'])
    .argument('<paths...>')
    .option('-b, --bundle', 'the paths are bundles: folders or .tar.gz files')
    .option('-v, --verbose', 'also what passed, and where failures came from')
    .option('-c, --coverage', 'print what was evaluated, as JSON')
    .option('--threshold <percent>', 'exit with 2 when less is covered', parseNumber)
    .option('-r, --run <regex>', 'only tests whose full name matches')
    .option('-z, --exit-zero-on-skipped', 'skipped tests are no failure')
    .option('--fail-on-empty', 'no test at all is a failure')
    .option('--count <times>', 'run all tests so often', parseNumber, 1)
    .option('--bench', 'measure how long the tests take')
    .option('-w, --watch', 'run again whenever something changes')
    .option('--timeout <duration>', 'for each test: 500ms, 5s', parseDuration, 5000)
    .description('run rules named test_…; exit 2 when one fails')
    .action((paths: readonly string[], options: Options) => {
      checkFormat(options);
      if (options.watch !== true) return reporting(REPORT, () => runTestsOf(paths, options));
      // Ends with the process.
      return watchTests(paths, options, { signal: new AbortController().signal });
    });
}
