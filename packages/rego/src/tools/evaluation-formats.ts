/** How answers of a query are shown: OPA's output formats. */

import type { RegoEvaluationError } from '../errors.js';
import { stringifyJson, type Value } from '../values/index.js';
import { type CoverageReport, coverageDocument } from './coverage.js';
import { evaluationErrorJson } from './error-report.js';
import type { ExpressionValue, QueryResult } from './evaluate-query.js';
import { type OrderedJson, orderedJson, RegoJson } from './ordered-json.js';
import { type LineProfile, type Metrics, prettyMetrics, prettyProfile, profileDocument } from './profile.js';
import {
  prettyRepeatedMetrics,
  prettyRepeatedProfile,
  type RepeatedLine,
  repeatedMetricsDocument,
  repeatedProfileDocument,
  type Statistics,
} from './repeated-runs.js';
import { drawTable } from './table.js';
import { prettyTrace, type TraceEvent, traceDocument } from './trace.js';

/** Everything an evaluation may show. */
export interface EvaluationReport {
  readonly results: readonly QueryResult[];
  readonly metrics?: Metrics | undefined;
  /** Errors of built-ins, of which none ended the evaluation. */
  readonly errors?: readonly RegoEvaluationError[];
  /** Of several runs, in the place of `metrics` and `profile`. */
  readonly repeatedMetrics?: Readonly<Record<string, Statistics>> | undefined;
  readonly repeatedProfile?: readonly RepeatedLine[] | undefined;
  /** With the texts it is of, by name; the query's name is empty. */
  readonly trace?:
    | { readonly events: readonly TraceEvent[]; readonly sources: ReadonlyMap<string, string> }
    | undefined;
  readonly profile?: readonly LineProfile[] | undefined;
  readonly coverage?: CoverageReport | undefined;
}

const bindingsJson = (bindings: ReadonlyMap<string, Value>): OrderedJson =>
  Object.fromEntries([...bindings].map(([name, value]) => [name, new RegoJson(value)]));

function resultJson({ expressions, bindings }: QueryResult): OrderedJson {
  return {
    expressions: expressions.map(({ value, text, location }) => ({
      value: new RegoJson(value),
      text,
      location: { row: location.row, col: location.col },
    })),
    bindings: bindings.size === 0 ? undefined : bindingsJson(bindings),
  };
}

function pretty(results: readonly QueryResult[]): string {
  const [first] = results;
  if (first === undefined) return 'undefined\n';
  const [only] = first.expressions;
  if (only !== undefined && results.length === 1 && first.bindings.size === 0) {
    const allTrue = first.expressions.every(({ value }) => typeof value === 'boolean');
    if (first.expressions.length === 1 || allTrue) return orderedJson(new RegoJson(only.value));
  }
  // Beside bindings, an expression that merely holds says nothing.
  const isShown = ({ value }: ExpressionValue): boolean => typeof value !== 'boolean' || first.bindings.size === 0;
  const columns = first.expressions.flatMap((expression, index) => (isShown(expression) ? [index] : []));
  const header = [...columns.map((index) => first.expressions[index]?.text ?? ''), ...first.bindings.keys()];
  const rows = results.map(({ expressions, bindings }) => [
    ...columns.map((index) => expressions[index]?.value ?? null),
    ...bindings.values(),
  ]);
  return drawTable(
    rows.map((row) => row.map((value) => stringifyJson(value))),
    { header },
  );
}

const raw = ({ expressions }: QueryResult): string =>
  `${expressions.map(({ value }) => (typeof value === 'string' ? value : stringifyJson(value))).join(' ')}\n`;

/** What follows the answers as JSON. */
const besidesJson = ({
  metrics,
  trace,
  profile,
  coverage,
  repeatedMetrics,
  repeatedProfile,
}: EvaluationReport): { readonly [key: string]: OrderedJson | undefined } => ({
  metrics,
  explanation: trace === undefined ? undefined : traceDocument(trace.events),
  profile: profile === undefined || profile.length === 0 ? undefined : profileDocument(profile),
  coverage: coverage && coverageDocument(coverage),
  aggregated_metrics: repeatedMetrics && repeatedMetricsDocument(repeatedMetrics),
  aggregated_profile: repeatedProfile && repeatedProfileDocument(repeatedProfile),
});

const errorsJson = ({ errors = [] }: EvaluationReport): { readonly errors: OrderedJson | undefined } => ({
  errors: errors.length === 0 ? undefined : errors.map(evaluationErrorJson),
});

const traceText = ({ trace }: EvaluationReport): string =>
  trace === undefined ? '' : prettyTrace(trace.events, trace.sources);

function besidesPretty({
  metrics = {},
  profile = [],
  coverage,
  repeatedMetrics = {},
  repeatedProfile = [],
}: EvaluationReport): string {
  const overall = coverage === undefined ? '' : drawTable([['Overall Coverage', coverage.coverage.toFixed(2)]]);
  const repeated = prettyRepeatedMetrics(repeatedMetrics) + prettyRepeatedProfile(repeatedProfile);
  return prettyMetrics(metrics) + repeated + prettyProfile(profile) + overall;
}

/**
 * By name; each gives the whole output. Only `json`, `pretty` and `discard` show more than the answers, only `json` and `discard` errors:
 * beside those the others show nothing (`builtinErrorsText`).
 */
export const EVALUATION_FORMATS = {
  json: (report: EvaluationReport): string => {
    const { results } = report;
    const result = results.length === 0 ? undefined : results.map(resultJson);
    return orderedJson({ ...errorsJson(report), result, ...besidesJson(report) });
  },
  values: ({ results }: EvaluationReport): string =>
    results.map(({ expressions }) => orderedJson(expressions.map(({ value }) => new RegoJson(value)))).join(''),
  bindings: ({ results }: EvaluationReport): string =>
    results.map(({ bindings }) => orderedJson(bindingsJson(bindings))).join(''),
  pretty: (report: EvaluationReport): string => traceText(report) + pretty(report.results) + besidesPretty(report),
  raw: ({ results }: EvaluationReport): string => results.map(raw).join(''),
  discard: (report: EvaluationReport): string =>
    orderedJson({
      ...errorsJson(report),
      result: report.results.length === 0 ? undefined : 'discarded',
      ...besidesJson(report),
    }),
} as const;

export type EvaluationFormat = keyof typeof EVALUATION_FORMATS;
