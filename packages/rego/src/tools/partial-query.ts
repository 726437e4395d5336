/** `eval --partial`: what is left of a query when parts of the documents are unknown, as Rego and as OPA's JSON. */
import { makeArityOf } from '../compile/check-calls.js';
import { writtenName } from '../compile/model.js';
import { compileQuery } from '../compile/stages.js';
import { mapExpression, mapTerm, varsOf } from '../compile/walk.js';
import { RegoErrors } from '../errors.js';
import type { Residual, SupportRule } from '../residual/residual.js';
import { ResidualEvaluator } from '../residual/residual-evaluator.js';
import { isDocument } from '../residual/terms.js';
import { type Body, type Expression, type Head, type Module, NOWHERE, type Rule, type Term } from '../syntax/ast.js';
import { parseQuery } from '../syntax/parser.js';
import { type EvaluateQueryOptions, surroundings } from './evaluate-query.js';
import { Stopwatch } from './profile.js';
import { Workbench } from './workbench.js';

export interface PartialQueryOptions extends EvaluateQueryOptions {
  /** References such as `input.user` or `data.roles`; default `input`. */
  readonly unknowns?: readonly string[];
  /** Rules that are not to be written out: `data.app.allow`. */
  readonly disableInlining?: readonly string[];
  /** No rule that depends on unknowns is written out. */
  readonly shallowInlining?: boolean;
  readonly stopwatch?: Stopwatch;
}

export interface PartialResult {
  /** One of them must hold; without any the query is undefined, an empty one always holds. */
  readonly queries: readonly Body[];
  /** What the queries refer to, by package. */
  readonly support: readonly Module[];
}

const MAX_WAYS = 100_000;

/** Errors: `RegoErrors` when a text is no reference. */
function references(texts: readonly string[], what: string): readonly (readonly Term[])[] {
  return texts.map((text) => {
    const [only, ...more] = parseQuery(text);
    const term = only?.kind === 'term' && more.length === 0 ? only.term : undefined;
    const terms = term?.kind === 'var' ? [term] : term?.kind === 'ref' ? term.terms : [];
    const [head] = terms;
    if (head?.kind === 'var' && isDocument(head.name)) return terms;
    const message = `${what}: ${text} is no reference into input or data`;
    throw new RegoErrors([{ code: 'rego_parse_error', message, location: { file: '', row: 0, col: 0 } }]);
  });
}

/** What is left of a query. Errors: `RegoErrors`, `RegoEvaluationError`; `Error` when there are too many ways. */
export function partiallyEvaluate(query: string, options: PartialQueryOptions = {}): PartialResult {
  const { unknowns = ['input'], disableInlining = [], stopwatch = new Stopwatch(() => 0) } = options;
  const bench = stopwatch.time(
    'module_compile',
    () => new Workbench({ ...options, modules: options.modules ?? [], prints: false }),
  );
  const body = stopwatch.time('query_parse', () => parseQuery(query, { version: options.version ?? 'v1' }));
  let ordered: Body = [];
  stopwatch.time('query_compile', () =>
    compileQuery(bench.compiled, body, surroundings(options), (each) => {
      ordered = each;
      return each;
    }),
  );
  const evaluator = new ResidualEvaluator({
    compiled: bench.compiled,
    unknowns: references(unknowns, 'unknowns'),
    kept: references(disableInlining, 'disable-inlining'),
    isShallow: options.shallowInlining === true,
    arityOf: makeArityOf(bench.compiled.context),
    maxWays: MAX_WAYS,
    solve: (expressions, names) => bench.solve(expressions, names, options),
  });
  const live = [...varsOf(ordered, { skipClosures: true, skipCallHead: true })].filter(
    // What the query declares is its own.
    (name) => !isDocument(name) && writtenName(name) === name && !name.startsWith('$'),
  );
  return presented(
    stopwatch.time('partial_eval', () => evaluator.query(ordered, live)),
    new Set(live),
  );
}

/** Gives the variables names that can be written. */
class Names {
  private readonly given = new Map<string, string>();
  private readonly live: ReadonlySet<string>;

  constructor(live: ReadonlySet<string>) {
    this.live = live;
  }

  of(name: string): string {
    if (isDocument(name) || /^[A-Za-z_]\w*$/.test(name)) return name;
    if (this.live.has(name) || /^\$\d+$/.test(name)) return name;
    let given = this.given.get(name);
    if (given === undefined) {
      given = `__local${this.given.size}__`;
      this.given.set(name, given);
    }
    return given;
  }

  readonly term = (term: Term): Term =>
    mapTerm(term, {
      term: (each) => (each.kind === 'var' ? { ...each, name: this.of(each.name) } : undefined),
      body: (body) => body.map(this.expression),
    });

  readonly expression = (expression: Expression): Expression => {
    const mapped = mapExpression(expression, { term: this.term, body: (body) => body.map(this.expression) });
    if (mapped.kind !== 'every') return mapped;
    const rename = <T extends { readonly name: string }>(one: T): T => ({ ...one, name: this.of(one.name) });
    return { ...mapped, key: mapped.key && rename(mapped.key), value: rename(mapped.value) };
  };
}

function headOf(rule: SupportRule, names: Names): Head {
  const { key, value } = rule;
  const isTrue = value?.kind === 'scalar' && value.value === true && !rule.isDefault;
  return {
    ref: rule.ref.map(names.term),
    args: rule.args?.map(names.term),
    key: key && names.term(key),
    value: value && names.term(value),
    assign: false,
    generatedValue: isTrue,
    keywords: [...(key === undefined ? [] : (['contains'] as const)), ...(rule.isDefault ? [] : (['if'] as const))],
    location: NOWHERE,
  };
}

const TRUE: Expression = {
  kind: 'term',
  term: { kind: 'scalar', value: true, location: NOWHERE },
  negated: false,
  with: [],
  generated: true,
  location: NOWHERE,
};

function ruleOf(rule: SupportRule, names: Names): Rule {
  const isBare = rule.body.length === 0 || rule.isDefault;
  return {
    kind: 'rule',
    default: rule.isDefault,
    head: headOf(rule, names),
    body: isBare ? [TRUE] : rule.body.map(names.expression),
    generatedBody: isBare,
    otherwise: [],
    location: NOWHERE,
  };
}

const KINDS = ['scalar', 'var', 'ref', 'array', 'object', 'set'];

/** As OPA sorts them where it matters to people: by name, the default first, constants before variables, short conditions first. */
function compareRules(a: SupportRule, b: SupportRule): number {
  const nameOf = ({ ref: [head] }: SupportRule): string => (head?.kind === 'var' ? head.name : '');
  const [one, other] = [nameOf(a), nameOf(b)];
  if (one !== other) return one < other ? -1 : 1;
  const keyOf = ({ key }: SupportRule): number => (key === undefined ? 0 : KINDS.indexOf(key.kind));
  const formOf = ({ body: [first] }: SupportRule): number => Number(first?.kind !== 'term');
  return Number(b.isDefault) - Number(a.isDefault) || keyOf(a) - keyOf(b) || formOf(a) - formOf(b);
}

/** The same without places: those of expressions from everywhere would only look like lines between them. */
function placeless<T>(node: T): T {
  if (Array.isArray(node)) return node.map(placeless) as T;
  if (typeof node !== 'object' || node === null || Object.getPrototypeOf(node) !== Object.prototype) return node;
  const entries = Object.entries(node).map(([key, value]) => {
    return [key, key === 'location' ? NOWHERE : key === 'value' && !isTerm(value) ? value : placeless(value)];
  });
  return Object.fromEntries(entries) as T;
}

const isTerm = (value: unknown): boolean => typeof value === 'object' && value !== null && 'kind' in value;

/** By package; defaults before the others of a name. */
function presented({ queries, support }: Residual, live: ReadonlySet<string>): PartialResult {
  const packages = new Map<string, SupportRule[]>();
  for (const rule of support) {
    const id = JSON.stringify(rule.path);
    packages.set(id, [...(packages.get(id) ?? []), rule]);
  }
  const sorted = [...packages].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    queries: queries.map((query) => placeless(query.map(new Names(live).expression))),
    support: sorted.map(([, rules]) => ({
      kind: 'module',
      file: '',
      source: '',
      version: 'v1',
      strictV1: true,
      package: { kind: 'package', path: rules[0]?.path ?? [], location: NOWHERE },
      imports: [],
      rules: placeless(rules.sort(compareRules).map((rule) => ruleOf(rule, new Names(new Set())))),
      comments: [],
    })),
  };
}
