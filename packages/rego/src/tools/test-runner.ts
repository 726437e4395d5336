/**
 * Runs the tests of policies: rules whose name begins with `test_`. A test passes when its value is
 * defined and not false; a test with cases (`test_x[name]`) gives one result a case, also for cases
 * that never got to their end.
 */

import type { Builtin } from '../builtins/index.js';
import { builtins } from '../builtins/index.js';
import { varsOf } from '../compile/walk.js';
import { isRegoEvaluationError, type RegoEvaluationError } from '../errors.js';
import type { Body, Expression, Location, Module, Rule, Term } from '../syntax/ast.js';
import { entriesOf, isObject, type Value } from '../values/index.js';
import { jsonKey } from '../values/json.js';
import type { Capabilities } from './capabilities-document.js';
import { type CoverageReport, coverageReport } from './coverage.js';
import { type Probe, packageName, Workbench } from './workbench.js';

export interface CaseResult {
  readonly name: string;
  fail: boolean;
  /** Sorted by name. */
  cases: readonly CaseResult[];
}

/** An expression that was evaluated and never held. */
export interface FailedExpression {
  readonly rule: string;
  readonly location: Location;
  readonly text: string;
}

export interface TestResult {
  readonly location: Location;
  /** `data.a.b`. */
  readonly package: string;
  readonly name: string;
  readonly outcome: 'pass' | 'fail' | 'skip' | 'error';
  readonly error: RegoEvaluationError | undefined;
  readonly durationNs: number;
  /** What the test printed. */
  readonly output: string;
  readonly cases: readonly CaseResult[];
  /** Of a test that failed, in the order evaluated. */
  readonly failed: readonly FailedExpression[];
}

export interface TestOptions {
  readonly modules: readonly Module[];
  readonly data?: Value;
  /** Only tests whose full name (`data.a.test_b`) it matches. */
  readonly filter?: RegExp;
  readonly coverage?: boolean;
  /** A test that takes longer has failed with an error; default 5 seconds. */
  readonly timeoutMs?: number;
  /** As the workbench takes them. */
  readonly capabilities?: Capabilities | undefined;
  readonly schemas?: ReadonlyMap<string, Value> | undefined;
  /** Milliseconds, with fractions. */
  readonly now?: () => number;
}

export interface TestReport {
  /** By file and row. */
  readonly results: readonly TestResult[];
  readonly coverage: CoverageReport | undefined;
}

const PREFIX = 'test_';
const SKIP_PREFIX = 'todo_test_';
const TEST_CASE = 'internal.test_case';

interface TestName {
  /** The constant steps of the reference up to the test's name. */
  readonly parts: readonly string[];
  readonly rest: readonly Term[];
  readonly isSkipped: boolean;
}

/** The test a rule defines, if it does. */
function testName(rule: Rule): TestName | undefined {
  if (rule.head.args !== undefined) return undefined;
  const parts: string[] = [];
  for (const [index, term] of rule.head.ref.entries()) {
    if (index === 0 && term.kind === 'var') parts.push(term.name);
    else if (term.kind === 'scalar' && typeof term.value === 'string') parts.push(term.value);
    else return undefined;
    const name = parts.at(-1) ?? '';
    if (name.startsWith(PREFIX) || name.startsWith(SKIP_PREFIX)) {
      return { parts, rest: rule.head.ref.slice(index + 1), isSkipped: name.startsWith(SKIP_PREFIX) };
    }
  }
  return undefined;
}

interface Test {
  readonly rule: Rule;
  readonly module: Module;
  readonly name: TestName;
}

/** Tests of one name in one package get numbers, as OPA gives them: `test_a#01`. */
class TestPreparer {
  readonly tests: Test[] = [];
  private readonly counts = new Map<string, number>();

  module(module: Module): Module {
    const rules = module.rules.map((rule) => {
      const name = testName(rule);
      if (name === undefined || rule.default) return rule;
      const prepared = name.isSkipped ? rule : this.rule(module, rule, name);
      const final = testName(prepared) as TestName;
      this.tests.push({ rule: prepared, module, name: final });
      return prepared;
    });
    return { ...module, rules };
  }

  private rule(module: Module, rule: Rule, name: TestName): Rule {
    const key = [...module.package.path, ...name.parts].join('\u0000');
    const count = this.counts.get(key) ?? 0;
    this.counts.set(key, count + 1);
    const numbered = count === 0 ? rule : renumber(rule, name, count);
    return name.rest.length === 0 ? numbered : { ...numbered, body: announceCase(rule.body, name.rest) };
  }
}

function renumber(rule: Rule, name: TestName, count: number): Rule {
  const index = name.parts.length - 1;
  const text = `${name.parts[index]}#${String(count).padStart(2, '0')}`;
  const ref = rule.head.ref.map((term, i): Term => {
    if (i !== index) return term;
    const { location } = term;
    return term.kind === 'var' ? { kind: 'var', name: text, location } : { kind: 'scalar', value: text, location };
  });
  return { ...rule, head: { ...rule.head, ref } };
}

/** Puts the call that notes a case in where all variables of its name have been met. */
function announceCase(body: Body, terms: readonly Term[]): Body {
  const [first] = terms;
  if (first === undefined) return body;
  const { location } = first;
  const wanted = new Set(terms.flatMap((term) => [...varsOf(term, { skipClosures: true })]));
  let after = -1;
  for (const name of wanted) {
    const met = body.findIndex((expression) => varsOf(expression).has(name));
    after = Math.max(after, met);
  }
  const operator: Term = {
    kind: 'ref',
    terms: [
      { kind: 'var', name: 'internal', location },
      { kind: 'scalar', value: 'test_case', location },
    ],
    location,
  };
  const call: Expression = {
    kind: 'call',
    operator,
    args: [{ kind: 'array', items: terms, location }],
    negated: false,
    with: [],
    location,
  };
  return [...body.slice(0, after + 1), call, ...body.slice(after + 1)];
}

const caseName = (value: Value): string => jsonKey(value);

function casesOf(value: Value | undefined): CaseResult[] {
  if (value === undefined || !isObject(value)) return [];
  return [...entriesOf(value)].map(([key, inner]) => {
    const cases = casesOf(inner);
    const fail = cases.length > 0 ? cases.some((each) => each.fail) : inner !== true;
    return { name: caseName(key), fail, cases };
  });
}

/** Adds a case that was announced; when it is not in the value, it failed. */
function addCase(cases: CaseResult[], path: readonly Value[]): void {
  const [key, ...rest] = path;
  if (key === undefined) return;
  const name = caseName(key);
  let entry = cases.find((each) => each.name === name);
  if (entry === undefined) {
    entry = { name, fail: true, cases: [] };
    cases.push(entry);
  }
  if (rest.length === 0) return;
  const inner = [...entry.cases];
  addCase(inner, rest);
  entry.cases = inner;
  if (inner.some((each) => each.fail)) entry.fail = true;
}

function sortCases(cases: readonly CaseResult[]): readonly CaseResult[] {
  return [...cases]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((each) => ({ ...each, cases: sortCases(each.cases) }));
}

const anyFails = (cases: readonly CaseResult[]): boolean => cases.some((each) => each.fail || anyFails(each.cases));

class TestRun {
  private readonly bench: Workbench;
  private readonly options: TestOptions;
  private readonly covered = new Set<Location>();
  private readonly announced: (readonly Value[])[] = [];
  private readonly hits = new Map<Probe, number>();
  private readonly now: () => number;
  private readonly sources: ReadonlyMap<string, string>;

  constructor(options: TestOptions, modules: readonly Module[]) {
    this.options = options;
    this.now = options.now ?? Date.now;
    this.sources = new Map(modules.map((module) => [module.file, module.source]));
    const table = builtins.get(TEST_CASE) as Builtin;
    const noting: Builtin = {
      ...table,
      evaluate: ([path]) => {
        if (Array.isArray(path)) this.announced.push(path as readonly Value[]);
        return true;
      },
    };
    const { data = {}, capabilities, schemas } = options;
    this.bench = new Workbench({ modules, data, observed: true, replaced: [noting], capabilities, schemas });
    this.bench.reached = (probe) => {
      this.hits.set(probe, (this.hits.get(probe) ?? 0) + 1);
      if (probe.kind !== 'end') this.covered.add(probe.location);
    };
  }

  one({ rule, module, name }: Test): TestResult {
    const base = {
      location: rule.location,
      package: packageName(module.package.path),
      name: name.parts.join('.'),
      error: undefined,
      output: '',
      cases: [],
      failed: [],
    };
    if (name.isSkipped) return { ...base, outcome: 'skip', durationNs: 0 };
    this.announced.length = 0;
    this.hits.clear();
    let output = '';
    const start = this.now();
    const finish = (parts: Pick<TestResult, 'outcome'> & Partial<TestResult>): TestResult => {
      const fullName = `${base.package}.${base.name}`;
      const failed = parts.outcome === 'fail' ? this.failures(fullName, name.rest.length > 0) : [];
      return { ...base, durationNs: Math.round((this.now() - start) * 1e6), output, failed, ...parts };
    };
    try {
      const value = this.bench.document([...module.package.path, ...name.parts], {
        limits: { deadlineMs: this.options.timeoutMs ?? 5000 },
        context: { print: (line) => (output += `${line}\n`) },
      });
      if (name.rest.length === 0) {
        return finish({ outcome: value === undefined || value === false ? 'fail' : 'pass' });
      }
      const cases = casesOf(value);
      for (const path of this.announced) addCase(cases, path);
      const sorted = sortCases(cases);
      return finish({ outcome: value === undefined || anyFails(sorted) ? 'fail' : 'pass', cases: sorted });
    } catch (error) {
      if (!isRegoEvaluationError(error)) throw error;
      return finish({ outcome: 'error', error });
    }
  }

  private failures(test: string, isCases: boolean): readonly FailedExpression[] {
    const failed: FailedExpression[] = [];
    for (const [{ expression, next, rule, location }, times] of this.hits) {
      if (expression === undefined || next === undefined) continue;
      const held = this.hits.get(next) ?? 0;
      // Of a test with cases, what held for some and not for others counts too.
      if (held > 0 && !(isCases && rule === test && held < times)) continue;
      const text = this.sources.get(location.file)?.slice(location.offset, location.end) ?? '';
      if (failed.every((other) => other.location.offset !== location.offset || other.rule !== rule))
        failed.push({ rule, location, text });
    }
    return failed;
  }

  coverage(): CoverageReport {
    return coverageReport(this.options.modules, this.covered);
  }
}

/** Runs tests. Errors: `RegoErrors` when the modules do not compile. */
export function runTests(options: TestOptions): TestReport {
  const preparer = new TestPreparer();
  const modules = [...options.modules]
    .sort((a, b) => (a.file < b.file ? -1 : 1))
    .map((module) => preparer.module(module));
  const run = new TestRun(options, modules);
  const { filter } = options;
  const chosen = preparer.tests.filter(({ module, name }) => {
    return filter === undefined || filter.test(`${packageName(module.package.path)}.${name.parts.join('.')}`);
  });
  const results = chosen.map((test) => run.one(test));
  return { results, coverage: options.coverage === true ? run.coverage() : undefined };
}
