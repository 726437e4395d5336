/** The developer tools on the engine: pure functions from texts and trees to reports. */
export {
  type BenchmarkOptions,
  type BenchmarkResult,
  benchmark,
  benchmarkJson,
  goBenchmark,
  prettyBenchmark,
} from './benchmark.js';
export { type Capabilities, checkParsing, readCapabilities } from './capabilities-document.js';
export { checkModules } from './check-modules.js';
export { type CoverageReport, coverageJson, thresholdMessage } from './coverage.js';
export { type Dependencies, dependenciesJson, findDependencies, prettyDependencies } from './deps.js';
export { unifiedDiff } from './diff.js';
export { type DataFile, mergeDocuments, parseDocument } from './documents.js';
export { builtinErrorsText, type ErrorReportOptions, errorJsonText, errorText } from './error-report.js';
export {
  type EvaluateQueryOptions,
  evaluateQuery,
  type Inspection,
  type InspectOptions,
  inspectQuery,
  type QueryResult,
} from './evaluate-query.js';
export { EVALUATION_FORMATS, type EvaluationFormat, type EvaluationReport } from './evaluation-formats.js';
export { type Explained, explainQuery, explanationJson, prettyExplanation } from './explain-decision.js';
export { matchesPattern } from './file-pattern.js';
export { formatText } from './format-text.js';
export {
  LINT_RULES,
  type LintOptions,
  lintModules,
  lintReportJson,
  prettyLintReport,
  type Violation,
} from './linter.js';
export { PARTIAL_FORMATS, type PartialFormat } from './partial-formats.js';
export { type PartialQueryOptions, type PartialResult, partiallyEvaluate } from './partial-query.js';
export {
  type LineProfile,
  type Metrics,
  PROFILE_ORDERS,
  type ProfileOrder,
  Stopwatch,
  sortProfile,
} from './profile.js';
export { repeatedMetrics, repeatedProfile } from './repeated-runs.js';
export { prettySyntaxTree, syntaxTreeJson } from './syntax-tree.js';
export { benchmarkTests, TEST_BENCHMARK_FORMATS, type TestBenchmarkFormat } from './test-benchmark.js';
export { prettyTestReport, testReportJson } from './test-report.js';
export { runTests, type TestOptions, type TestReport, type TestResult } from './test-runner.js';
export { selectEvents, TRACE_LEVELS, type TraceLevel } from './trace.js';
