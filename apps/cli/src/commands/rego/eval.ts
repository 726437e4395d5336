/** `bailiwick rego eval`: the answers of a query. */

import type { RegoEvaluationError, syntax } from '@bailiwick/rego';
import {
  builtinErrorsText,
  EVALUATION_FORMATS,
  type EvaluationFormat,
  type EvaluationReport,
  inspectQuery,
  type LineProfile,
  type Metrics,
  PARTIAL_FORMATS,
  type PartialFormat,
  type PartialQueryOptions,
  PROFILE_ORDERS,
  type ProfileOrder,
  parseDocument,
  partiallyEvaluate,
  repeatedMetrics,
  repeatedProfile,
  Stopwatch,
  selectEvents,
  sortProfile,
  TRACE_LEVELS,
  type TraceLevel,
} from '@bailiwick/rego/tools';
import { Command, Option } from 'commander';
import { CommandFailure } from '../../failure.js';
import { loadFiles, loadSchemas, readInput, readText } from './load-files.js';
import {
  type CompileOptions,
  collect,
  type DataOptions,
  parseCount,
  parseDuration,
  parseNumber,
  print,
  reporting,
  versionOf,
  withCompilation,
  withData,
  withFormat,
  withInput,
} from './rego-options.js';

interface Options extends DataOptions, CompileOptions {
  readonly format: EvaluationFormat | PartialFormat;
  readonly fail?: boolean;
  readonly failDefined?: boolean;
  readonly strict?: boolean;
  readonly strictBuiltinErrors?: boolean;
  readonly showBuiltinErrors?: boolean;
  readonly count: number;
  readonly package?: string;
  readonly import: readonly string[];
  readonly bundle: readonly string[];
  readonly stdin?: boolean;
  readonly stdinInput?: boolean;
  readonly timeout?: number;
  readonly metrics?: boolean;
  readonly profile?: boolean;
  readonly profileSort: readonly ProfileOrder[];
  readonly profileLimit?: number;
  readonly coverage?: boolean;
  readonly explain: TraceLevel;
  readonly partial?: boolean;
  readonly unknowns: readonly string[];
  readonly disableInlining: readonly string[];
  readonly shallowInlining?: boolean;
}

/** What one evaluation works with, and what it leaves behind. */
interface Prepared {
  readonly modules: readonly syntax.Module[];
  readonly stopwatch: Stopwatch;
  readonly builtinErrors: RegoEvaluationError[];
}

interface Run extends EvaluationReport {
  readonly errors: readonly RegoEvaluationError[];
  readonly metrics: Metrics | undefined;
  readonly profile: readonly LineProfile[] | undefined;
}

const NONE: readonly string[] = [];
const PROFILE_LIMIT = 10;

const FORMATS = ['json', 'values', 'bindings', 'pretty', 'raw', 'discard', 'source'] as const;

function withReports(command: Command): Command {
  const sort = new Option('--profile-sort <key>', 'how to sort the profile; may be repeated')
    .choices(Object.keys(PROFILE_ORDERS))
    .default([])
    .argParser((value: string, before: readonly string[]) => {
      if (!(value in PROFILE_ORDERS))
        throw new CommandFailure(`--profile-sort: one of ${Object.keys(PROFILE_ORDERS).join(', ')}`, 2);
      return [...before, value];
    });
  return command
    .option('--metrics', 'also print the times of parsing, compiling and evaluating')
    .option('--profile', 'also print the time spent on each line')
    .addOption(sort)
    .option('--profile-limit <lines>', `how many lines of the profile to print; ${PROFILE_LIMIT} without`, parseNumber)
    .addOption(new Option('--explain <level>', 'also print the steps').choices(TRACE_LEVELS).default('off'))
    .option('--coverage', 'also print what was evaluated');
}

/** The query and the input, of which one may come from standard input. */
function readOperands(query: string | undefined, options: Options): { query: string; input?: string } {
  const { stdin = false, stdinInput = false, input } = options;
  if (stdin && stdinInput) throw new CommandFailure('specify query or input from standard input, not both', 2);
  if (stdinInput && input !== undefined) throw new CommandFailure('specify input with -i or from standard input', 2);
  if (stdin === (query !== undefined))
    throw new CommandFailure(stdin ? 'specify the query or --stdin, not both' : 'specify the query', 2);
  return { query: query ?? readText('-'), ...(stdinInput ? { input: readText('-') } : {}) };
}

/** Everything from reading the files on; what built-ins report goes to `builtinErrors`. */
async function prepare(inputText: string | undefined, options: Options): Promise<PartialQueryOptions & Prepared> {
  const version = versionOf(options);
  const stopwatch = new Stopwatch(() => performance.now());
  const { capabilities, ignore } = options;
  const schemas = loadSchemas(options.schema);
  const files = { version, bundles: options.bundle, capabilities, stopwatch, ignore };
  const { modules, data } = await loadFiles(options.data, files);
  const read = options.input === undefined ? undefined : readInput(options.input);
  return {
    modules,
    data,
    version,
    capabilities,
    schemas,
    stopwatch,
    input: inputText === undefined ? read : parseDocument('input', inputText),
    packageName: options.package,
    imports: options.import,
    strict: options.strict === true,
    strictBuiltinErrors: options.strictBuiltinErrors === true,
    builtinErrors: [],
    context: { print: (line: string) => process.stderr.write(`${line}\n`) },
    limits: options.timeout === undefined ? {} : { deadlineMs: options.timeout },
  };
}

/** One evaluation, with whatever is wanted beside the answers. */
function inspect(query: string, given: PartialQueryOptions & Prepared, options: Options): Run {
  const { profileLimit, profileSort } = options;
  const isProfiled = options.profile === true || profileSort.length > 0 || profileLimit !== undefined;
  const { results, profile, coverage, trace } = inspectQuery(query, {
    ...given,
    profile: isProfiled,
    coverage: options.coverage === true,
    traced: options.explain !== 'off',
    now: () => performance.now(),
  });
  const { modules, stopwatch } = given;
  return {
    results,
    errors: options.showBuiltinErrors === true ? given.builtinErrors : [],
    metrics: options.metrics === true || isProfiled ? stopwatch.metrics() : undefined,
    profile: profile && sortProfile(profile, profileSort, profileLimit ?? PROFILE_LIMIT),
    coverage,
    trace: trace && {
      events: selectEvents(trace, options.explain),
      sources: new Map([['', query], ...modules.map((module) => [module.file, module.source] as const)]),
    },
  };
}

async function evaluate(query: string, inputText: string | undefined, options: Options): Promise<void> {
  const given = await prepare(inputText, options);
  if (options.partial === true) return evaluatePartially(query, given, options);
  const first = inspect(query, given, options);
  const runs = [first];
  while (runs.length < options.count) runs.push(inspect(query, await prepare(inputText, options), options));
  show(runs.length === 1 ? first : together(first, runs), options);
  end(first.results.length > 0, options);
}

/** The answers of the first run, the times of all. */
function together({ metrics, profile, ...first }: Run, runs: readonly Run[]): EvaluationReport {
  return {
    ...first,
    errors: runs.flatMap(({ errors }) => errors),
    repeatedMetrics: metrics && repeatedMetrics(runs.map((run) => run.metrics ?? {})),
    repeatedProfile: profile && repeatedProfile(runs.map((run) => run.profile ?? [])),
  };
}

function show(report: EvaluationReport, { format }: Options): void {
  const { errors = [] } = report;
  if (errors.length > 0 && format !== 'json' && format !== 'discard')
    process.stderr.write(`${builtinErrorsText(errors)}\n`);
  else print(EVALUATION_FORMATS[format as EvaluationFormat](report));
}

function end(isDefined: boolean, options: Options): void {
  const isRefused = (options.fail === true && !isDefined) || (options.failDefined === true && isDefined);
  if (isRefused) throw new CommandFailure('', 1);
}

function evaluatePartially(query: string, given: PartialQueryOptions & Prepared, options: Options): void {
  const { unknowns, disableInlining, shallowInlining = false } = options;
  const own = { disableInlining, shallowInlining, ...(unknowns.length > 0 ? { unknowns } : {}) };
  const result = partiallyEvaluate(query, { ...given, ...own });
  const metrics = options.metrics === true ? given.stopwatch.metrics() : undefined;
  print(PARTIAL_FORMATS[options.format as PartialFormat]({ ...result, metrics }));
  // As OPA has it: what is left is no answer.
  end(false, options);
}

/** Some formats are of full, some of partial evaluation. */
function checkFormat({ format, partial = false }: Options): void {
  const known = partial ? PARTIAL_FORMATS : EVALUATION_FORMATS;
  if (!(format in known))
    throw new CommandFailure(`invalid output format for ${partial ? 'partial ' : ''}evaluation`, 2);
}

const withPartial = (command: Command): Command =>
  command
    .option('-p, --partial', 'evaluate what is known and print what is left')
    .option('-u, --unknowns <path>', 'what is not known; may be repeated; input without', collect, NONE)
    .option('--disable-inlining <path>', 'a rule not to be written out in place; may be repeated', collect, NONE)
    .option('--shallow-inlining', 'write out no rule that depends on what is not known');

export function evalCommand(): Command {
  return withPartial(withReports(withCompilation(withFormat(withInput(withData(new Command('eval'))), FORMATS))))
    .argument('[query]')
    .option('-b, --bundle <path>', 'a bundle: a folder or a .tar.gz file; may be repeated', collect, NONE)
    .option('--package <name>', 'the package whose rules the query may name')
    .option('--import <import>', 'what the query may name; may be repeated', collect, NONE)
    .option('--stdin', 'read the query from standard input')
    .option('-I, --stdin-input', 'read the input document from standard input')
    .option('--fail', 'exit with 1 when there is no answer')
    .option('--fail-defined', 'exit with 1 when there is an answer')
    .option('-S, --strict', 'the compiler’s strict mode')
    .option('--strict-builtin-errors', 'the first error of a built-in ends the evaluation')
    .option('--show-builtin-errors', 'show the errors of built-ins, which do not end the evaluation')
    .option('--count <times>', 'evaluate so often: the times are those of all runs', parseCount, 1)
    .option('--timeout <duration>', 'give up after: 500ms, 5s', parseDuration)
    .description('evaluate a query; exit 2 when it cannot be')
    .action((given: string | undefined, options: Options) => {
      checkFormat(options);
      if (options.showBuiltinErrors === true && options.strictBuiltinErrors === true)
        throw new CommandFailure(
          '--strict-builtin-errors ends with the first error: not with --show-builtin-errors',
          2,
        );
      const { query, input } = readOperands(given, options);
      const asJson = options.format === 'json' || options.format === 'discard';
      const report = { exitCode: 2, asJson, jsonTo: 'stdout', sources: new Map([['', query]]) } as const;
      return reporting({ ...report, parsesSilently: true }, () => evaluate(query, input, options));
    });
}
