/** `bailiwick rego test`: the tests of policies. */

import { coverageJson, prettyTestReport, runTests, testReportJson, thresholdMessage } from '@bailiwick/rego/tools';
import { Command } from 'commander';
import { CommandFailure } from '../../failure.js';
import { loadFiles, loadSchemas } from './load-files.js';
import {
  type CompileOptions,
  parseDuration,
  parseNumber,
  print,
  reporting,
  type VersionOptions,
  versionOf,
  withCompilation,
  withFormat,
  withVersion,
} from './rego-options.js';

interface Options extends VersionOptions, CompileOptions {
  readonly format: string;
  readonly bundle?: boolean;
  readonly verbose?: boolean;
  readonly coverage?: boolean;
  readonly threshold?: number;
  readonly run?: string;
  readonly exitZeroOnSkipped?: boolean;
  readonly failOnEmpty?: boolean;
  readonly timeout: number;
}

function filterOf(run: string | undefined): RegExp | undefined {
  if (run === undefined) return undefined;
  try {
    return new RegExp(run, 'u');
  } catch (error) {
    throw new CommandFailure(`--run: ${error instanceof Error ? error.message : String(error)}`, 1);
  }
}

async function runTestsOf(paths: readonly string[], options: Options): Promise<void> {
  const { threshold, verbose = false, capabilities } = options;
  const filter = filterOf(options.run);
  const wantsCoverage = options.coverage === true || (threshold !== undefined && threshold > 0);
  const schemas = loadSchemas(options.schema);
  const { modules, data } = await loadFiles(options.bundle === true ? [] : paths, {
    version: versionOf(options),
    capabilities,
    bundles: options.bundle === true ? paths : [],
  });
  const { results, coverage } = runTests({
    modules,
    data,
    capabilities,
    schemas,
    coverage: wantsCoverage,
    timeoutMs: options.timeout,
    now: () => performance.now(),
    ...(filter === undefined ? {} : { filter }),
  });
  const failed = results.filter(({ outcome }) => outcome === 'fail' || outcome === 'error');
  if (coverage === undefined) {
    print(options.format === 'json' ? testReportJson(results) : prettyTestReport(results, verbose));
  } else if (failed.length > 0) print(prettyTestReport(failed, verbose));
  else {
    const missed = thresholdMessage(coverage, threshold ?? 0, verbose);
    if (missed !== undefined) throw new CommandFailure(missed, 2);
    print(coverageJson(coverage));
  }
  const isSkipped = results.some(({ outcome }) => outcome === 'skip') && options.exitZeroOnSkipped !== true;
  const isEmpty = results.length === 0 && options.failOnEmpty === true;
  if (failed.length > 0 || (coverage === undefined && isSkipped) || isEmpty) throw new CommandFailure('', 2);
}

export function testCommand(): Command {
  return withFormat(withCompilation(withVersion(new Command('test'))), ['pretty', 'json'])
    .argument('<paths...>')
    .option('-b, --bundle', 'the paths are bundles: folders or .tar.gz files')
    .option('-v, --verbose', 'also what passed, and where failures came from')
    .option('-c, --coverage', 'print what was evaluated, as JSON')
    .option('--threshold <percent>', 'exit with 2 when less is covered', parseNumber)
    .option('-r, --run <regex>', 'only tests whose full name matches')
    .option('-z, --exit-zero-on-skipped', 'skipped tests are no failure')
    .option('--fail-on-empty', 'no test at all is a failure')
    .option('--timeout <duration>', 'for each test: 500ms, 5s', parseDuration, 5000)
    .description('run rules named test_…; exit 2 when one fails')
    .action((paths: readonly string[], options: Options) => {
      return reporting({ exitCode: 1, asJson: false, words: 'test' }, () => runTestsOf(paths, options));
    });
}
