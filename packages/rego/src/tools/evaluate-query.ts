/** `eval`: the answers of a query with the value of every expression, and what was evaluated on the way. */

import { type Builtin, builtins } from '../builtins/index.js';
import { makeArityOf } from '../compile/check-calls.js';
import { walkExpression } from '../compile/walk.js';
import { isRegoErrors, type RegoError, RegoErrors } from '../errors.js';
import {
  type CallExpression,
  type Expression,
  INFIX_OPERATORS,
  isComprehension,
  isWildcard,
  type Location,
  type Module,
  operatorName,
  type Term,
} from '../syntax/ast.js';
import { parseModuleSource, parseQuery } from '../syntax/parser.js';
import type { Value } from '../values/index.js';
import { type CoverageReport, coverageReport } from './coverage.js';
import { type LineProfile, Profiler, Stopwatch } from './profile.js';
import { type TraceEvent, Tracer } from './trace.js';
import { type Row, type RunOptions, Workbench, type WorkbenchOptions } from './workbench.js';

export interface ExpressionValue {
  readonly value: Value;
  readonly text: string;
  readonly location: { readonly row: number; readonly col: number };
}

export interface QueryResult {
  readonly expressions: readonly ExpressionValue[];
  /** Sorted by name. */
  readonly bindings: ReadonlyMap<string, Value>;
}

const CAPTURE = '?';

/** Functions of the policies have values; built-ins have them when they say so. */
function hasValue(name: string | undefined): boolean {
  if (name === undefined) return true;
  const builtin = builtins.get(INFIX_OPERATORS.get(name) ?? name);
  return builtin === undefined ? name !== 'print' : builtin.result !== undefined;
}

/** Whether the last argument is where the value goes. */
function hasOutput({ operator, args }: CallExpression, arityOf: (operator: Term) => number | undefined): boolean {
  const arity = arityOf(operator);
  return arity !== undefined && args.length > arity;
}

/** What an expression's value is taken from; undefined when it can only hold. */
function capturedTerm(expression: Expression, arityOf: (operator: Term) => number | undefined): Term | undefined {
  if (expression.negated) return undefined;
  if (expression.kind === 'term') return expression.term;
  if (expression.kind !== 'call') return undefined;
  const { infix, operator, args, location } = expression;
  if (infix === '=' || infix === ':=' || !hasValue(operatorName(operator))) return undefined;
  if (infix === undefined && hasOutput(expression, arityOf)) return undefined;
  return { kind: 'call', operator, args, location, ...(infix === undefined ? {} : { infix }) };
}

function isLoop(body: readonly Expression[]): boolean {
  let found = false;
  for (const expression of body) {
    walkExpression(expression, {
      expression: (inner) => {
        if (inner.kind === 'call' && operatorName(inner.operator) === 'walk') found = true;
        return !found;
      },
      term: (term) => {
        if (isComprehension(term)) return false;
        if (term.kind === 'call' && operatorName(term.operator) === 'walk') found = true;
        if (term.kind === 'ref' && term.terms.slice(1).some((part) => part.kind === 'var')) found = true;
        return !found;
      },
    });
  }
  return found;
}

/** Each expression that has a value equals a variable; of several, each must hold too. */
function captureValues(
  body: readonly Expression[],
  arityOf: (operator: Term) => number | undefined,
): readonly Expression[] {
  const mustHold = body.length > 1 || isLoop(body);
  const captured: Expression[] = [];
  const checks: Expression[] = [];
  for (const [index, expression] of body.entries()) {
    const term = capturedTerm(expression, arityOf);
    if (term === undefined) {
      captured.push(expression);
      continue;
    }
    const { location } = expression;
    const name: Term = { kind: 'var', name: CAPTURE + index, location };
    const operator: Term = { kind: 'ref', terms: [{ kind: 'var', name: 'eq', location }], location };
    captured.push({
      kind: 'call',
      operator,
      args: [name, term],
      infix: '=',
      negated: false,
      with: expression.with,
      location,
    });
    if (mustHold) checks.push({ kind: 'term', term: name, negated: false, with: [], generated: true, location });
  }
  return [...captured, ...checks];
}

export interface EvaluateQueryOptions extends RunOptions, Omit<WorkbenchOptions, 'modules' | 'observed'> {
  readonly modules?: readonly Module[];
  readonly version?: 'v0' | 'v1';
  /** The package whose rules the query may name. */
  readonly packageName?: string | undefined;
  /** As after `import`: `data.a`, `input.b as c`. */
  readonly imports?: readonly string[];
}

/** No policy has it: a query with imports and without a package names no rules. */
const NO_PACKAGE = 'no_package_at_all';

/** The module a query stands in. Errors: `RegoErrors`, on the line of what does not parse. */
export function surroundings({ packageName, imports = [], version = 'v1' }: EvaluateQueryOptions): Module | undefined {
  if (packageName === undefined && imports.length === 0) return undefined;
  const lines = [`package ${packageName ?? NO_PACKAGE}`, ...imports.map((each) => `import ${each}`)];
  return parseModuleSource('', lines.join('\n'), { version });
}

/** What may be wanted beside the answers. */
export interface InspectOptions extends EvaluateQueryOptions {
  readonly profile?: boolean;
  readonly coverage?: boolean;
  /** Tells every step. */
  readonly traced?: boolean;
  /** Where times are added up. */
  readonly stopwatch?: Stopwatch;
  /** For the profile: milliseconds, with fractions. */
  readonly now?: () => number;
}

export interface Inspection {
  readonly results: readonly QueryResult[];
  /** Unsorted. */
  readonly profile?: readonly LineProfile[];
  readonly coverage?: CoverageReport;
  readonly trace?: readonly TraceEvent[];
}

/** The built-in that says something in a trace. */
function notedTrace(tracer: Tracer): Builtin {
  return {
    ...(builtins.get('trace') as Builtin),
    evaluate: ([message]) => {
      if (typeof message === 'string') tracer.said(message);
      return true;
    },
  };
}

/** Evaluates a query and tells what was evaluated on the way. Errors: `RegoErrors`, `RegoEvaluationError`. */
export function inspectQuery(query: string, options: InspectOptions): Inspection {
  const { modules = [], now = Date.now, stopwatch = new Stopwatch(now) } = options;
  const tracer = options.traced === true ? new Tracer() : undefined;
  const replaced = tracer === undefined ? [] : [notedTrace(tracer)];
  const observed = options.profile === true || options.coverage === true || tracer !== undefined;
  const inside = stopwatch.time('query_parse', () => surroundings(options));
  const bench = stopwatch.time('module_compile', () => new Workbench({ ...options, modules, observed, replaced }));
  const profiler = options.profile === true ? new Profiler(now) : undefined;
  const covered = new Set<Location>();
  bench.reached = (probe) => {
    if (options.coverage === true && probe.kind !== 'end') covered.add(probe.location);
    profiler?.reached(probe);
    tracer?.reached(probe);
  };
  const results = runQuery(bench, query, {
    ...options,
    stopwatch,
    inside,
    observesQuery: options.profile === true || tracer !== undefined,
  });
  const sources = new Map([['', query], ...modules.map((module) => [module.file, module.source] as const)]);
  return {
    results,
    ...(profiler === undefined ? {} : { profile: profiler.finish(sources) }),
    ...(tracer === undefined ? {} : { trace: tracer.finish() }),
    ...(options.coverage === true ? { coverage: coverageReport(modules, covered) } : {}),
  };
}

/** Evaluates a query as `opa eval` does. Errors: `RegoErrors`, `RegoEvaluationError`. */
export const evaluateQuery = (query: string, options: EvaluateQueryOptions = {}): readonly QueryResult[] =>
  inspectQuery(query, options).results;

/** Evaluates a query on a workbench. Errors: `RegoErrors`, `RegoEvaluationError`. */
export function runQuery(
  bench: Workbench,
  query: string,
  options: Pick<EvaluateQueryOptions, 'version' | 'capabilities'> & RunOptions,
): readonly QueryResult[] {
  const { stopwatch, version = 'v1', capabilities } = options;
  const parse = (): readonly Expression[] => parseQuery(query, { version, dialect: capabilities });
  const body = stopwatch === undefined ? parse() : stopwatch.time('query_parse', parse);
  return answersOf(bench, body, options).map((row) => {
    const expressions = body.flatMap((expression, index) => {
      if (isDeclaration(expression)) return [];
      const { offset, end, row: line, col } = expression.location;
      const value = row.get(CAPTURE + index);
      return [
        { value: value === undefined ? true : value, text: query.slice(offset, end), location: { row: line, col } },
      ];
    });
    const names = [...row.keys()].filter((name) => !name.startsWith(CAPTURE) && !isWildcard(name)).sort();
    return { expressions, bindings: new Map(names.map((name) => [name, row.get(name) as Value])) };
  });
}

/** `some x` only declares. */
const isDeclaration = (expression: Expression): boolean =>
  expression.kind === 'some' && expression.symbols.every(({ kind }) => kind === 'var');

/** Our own variables are `_` in messages, as in OPA's. */
function answersOf(bench: Workbench, body: readonly Expression[], options: RunOptions): readonly Row[] {
  try {
    return bench.query(captureValues(body, makeArityOf(bench.compiled.context)), options);
  } catch (error) {
    if (!isRegoErrors(error)) throw error;
    const isOwn = ({ message }: RegoError): boolean => message.includes(` ${CAPTURE}`);
    const own = error.errors.filter(isOwn).map((each) => ({ ...each, message: each.message.replace(/\?\d+/, '_') }));
    throw new RegoErrors([...error.errors.filter((each) => !isOwn(each)), ...own]);
  }
}
