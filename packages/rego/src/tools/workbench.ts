/**
 * Where tools run policies: modules compiled once, queries given as trees, and, when observed, a probe
 * before every expression and after every body. Probes are expressions `true` put into the ordered
 * bodies; the back end tells of each it passes, which says what was evaluated and what held.
 */

import { type Builtin, builtins, type ContextOptions } from '../builtins/index.js';
import { allRules, type WorkRule } from '../compile/model.js';
import { PlanBuilder } from '../compile/plan-builder.js';
import {
  type CompiledModules,
  compileExpressions,
  compileModules,
  compilePath,
  compileQuery,
} from '../compile/stages.js';
import { mapExpression } from '../compile/walk.js';
import { RegoErrors, type RegoEvaluationError } from '../errors.js';
import { closureBackEnd, type QueryCode } from '../evaluate/back-end.js';
import { Engine } from '../evaluate/engine.js';
import { type Limits, Session, Snapshot, World } from '../evaluate/world.js';
import { WORLDLY_BUILTINS } from '../policy.js';
import type { Body, Expression, Head, Location, Module } from '../syntax/ast.js';
import { moduleToValue } from '../syntax/module-to-value.js';
import type { Value } from '../values/index.js';
import type { Capabilities } from './capabilities-document.js';
import { Stopwatch } from './profile.js';
import { schemaTypes } from './schema-types.js';

/** A place in a policy that is told of when evaluation comes by. */
export interface Probe {
  /** The rule's full name. */
  readonly rule: string;
  readonly head: Location;
  /** `expression`: about to be evaluated; `end`: the body before it held; `exit`: the rule did. */
  readonly kind: 'expression' | 'end' | 'exit';
  readonly location: Location;
  /** The expression, unless `end` or `exit`. */
  readonly expression: Expression | undefined;
  /** All probes of the same body, in order. */
  readonly chain: readonly Probe[];
  /** The place in it. */
  readonly index: number;
  /** Reached next when the expression holds. */
  next: Probe | undefined;
}

export interface WorkbenchOptions {
  readonly modules: readonly Module[];
  readonly data?: Value;
  readonly strict?: boolean;
  /** Puts probes in; `reached` is called each time one is passed. */
  readonly observed?: boolean;
  /** Off: calls of `print` are left out. */
  readonly prints?: boolean;
  /** Built-ins that take the place of ours. */
  readonly replaced?: readonly Builtin[];
  /** Only these may be called; default all. */
  readonly capabilities?: Capabilities | undefined;
  /** JSON Schemas by name: `schema` is that of `input`, `schema.a.b` may be named by annotations. */
  readonly schemas?: ReadonlyMap<string, Value> | undefined;
  /** Also allows built-ins that reach the world outside. */
  readonly worldly?: boolean;
}

export interface RunOptions {
  readonly input?: Value | undefined;
  readonly limits?: Limits;
  readonly strictBuiltinErrors?: boolean;
  /** What built-ins report that does not end the evaluation is added, at most a hundred errors of each evaluation. */
  readonly builtinErrors?: RegoEvaluationError[];
  readonly context?: ContextOptions;
  /** The module a query stands in: its package and imports. */
  readonly inside?: Module | undefined;
  /** Puts probes into the query, too; their rule has no name. */
  readonly observesQuery?: boolean;
  /** Where the times of compiling and evaluating are added up. */
  readonly stopwatch?: Stopwatch;
}

const NOWHERE = { location: { file: '', row: 0, col: 0, offset: 0, end: 0 } };

export type Row = ReadonlyMap<string, Value>;

/** A head with the value of an `else`, which its own location leaves out. */
export function headLocation(head: Head): Location {
  const { location, value, generatedValue } = head;
  if (value === undefined || generatedValue || value.location.end <= location.end) return location;
  return { ...location, end: value.location.end };
}

/** Puts probes into the body of a rule or a query, and the bodies inside of it. */
class Prober {
  private readonly probes: Map<Location, Probe>;
  private readonly rule: string;
  private readonly head: Location;

  constructor(probes: Map<Location, Probe>, rule: string, head: Location) {
    this.probes = probes;
    this.rule = rule;
    this.head = head;
  }

  /** Another probe of a body. */
  private add(
    chain: Probe[],
    kind: Probe['kind'],
    location: Location,
    expression: Expression | undefined,
  ): { -readonly [K in keyof Probe]: Probe[K] } {
    const { rule, head } = this;
    const probe = { rule, head, kind, location, expression, chain, index: chain.length, next: undefined };
    const previous = chain.at(-1);
    if (previous !== undefined) previous.next = probe;
    chain.push(probe);
    return probe;
  }

  /** The probe as an expression: its own location object is how it is recognised. */
  private place(probe: Probe): Expression {
    const location = { ...probe.location };
    this.probes.set(location, probe);
    const term = { kind: 'scalar', value: true, location } as const;
    return { kind: 'term', term, negated: false, with: [], generated: true, location };
  }

  private body(body: Body, kind: 'end' | 'exit', location: Location): Body {
    const placed: Expression[] = [];
    const chain: Probe[] = [];
    for (const expression of body) {
      const probe = this.add(chain, 'expression', expression.location, expression);
      const inner = mapExpression(expression, { term: () => undefined, body: (nested) => this.nested(nested) });
      placed.push(this.place(probe), inner);
    }
    placed.push(this.place(this.add(chain, kind, location, undefined)));
    return placed;
  }

  private nested(body: Body): Body {
    const last = body.at(-1);
    return last === undefined ? body : this.body(body, 'end', last.location);
  }

  whole(body: Body): Body {
    return this.body(body, 'exit', this.head);
  }
}

function ruleName(rule: WorkRule): string {
  const head = rule.source.head.ref;
  const parts = head.slice(1).flatMap((term) => {
    if (term.kind !== 'scalar' || typeof term.value !== 'string') return [];
    return [/^[A-Za-z_]\w*$/.test(term.value) ? `.${term.value}` : `[${JSON.stringify(term.value)}]`];
  });
  const [first] = head;
  const own = first?.kind === 'var' ? first.name : '';
  return `${packageName(rule.module.source.package.path)}.${own}${parts.join('')}`;
}

/** `data.a.b`, with brackets where a part is no name. */
export function packageName(path: readonly string[]): string {
  return `data${path.map((part) => (/^[A-Za-z_]\w*$/.test(part) ? `.${part}` : `[${JSON.stringify(part)}]`)).join('')}`;
}

function parseForBuiltin(filename: string, text: string): Value {
  try {
    return moduleToValue(filename, text);
  } catch (error) {
    if (!(error instanceof RegoErrors)) throw error;
    throw new Error(`rego.parse_module: ${error.message}`, { cause: error });
  }
}

export class Workbench {
  readonly compiled: CompiledModules;
  /** All probes, in the order of the rules. */
  readonly probes: readonly Probe[];
  /** Called with each probe passed. */
  reached: ((probe: Probe) => void) | undefined;
  private readonly engine: Engine;
  private readonly code: ReturnType<typeof closureBackEnd>;
  private readonly data: Value;
  private readonly isObserved: boolean;
  private readonly placed = new Map<Location, Probe>();

  /** Errors: `RegoErrors`. */
  constructor(options: WorkbenchOptions) {
    const table = new Map(builtins);
    for (const builtin of options.replaced ?? []) table.set(builtin.name, builtin);
    const compiled = compileModules({
      modules: options.modules,
      strict: options.strict === true,
      prints: options.prints !== false,
      optimize: options.observed !== true,
      builtins: table,
      isAllowed: (builtin) =>
        (options.worldly === true || !WORLDLY_BUILTINS.includes(builtin.name)) &&
        options.capabilities?.builtins.has(builtin.name) !== false,
      schemas: schemaTypes(options.schemas),
      maxErrors: 10,
    });
    this.data = options.data ?? {};
    this.isObserved = options.observed === true;
    const probes = this.placed;
    if (this.isObserved) {
      for (const rule of allRules(compiled.context)) {
        const prober = new Prober(probes, ruleName(rule), headLocation(rule.source.head));
        rule.body = prober.whole(rule.body);
      }
      const plan = new PlanBuilder(compiled.context.tree, table, compiled.context.metadata);
      this.compiled = { ...compiled, plan };
    } else this.compiled = compiled;
    this.probes = [...probes.values()];
    this.engine = new Engine(this.compiled.plan, table);
    if (this.isObserved) {
      this.engine.observer = (_rule, step) => {
        const probe = step.at === undefined ? undefined : probes.get(step.at);
        if (probe !== undefined) this.reached?.(probe);
      };
    }
    this.code = closureBackEnd(this.engine);
  }

  /** Every way to satisfy a query. Errors: `RegoErrors`, `RegoEvaluationError`. */
  query(body: Body, options: RunOptions = {}): readonly Row[] {
    const { stopwatch = new Stopwatch(() => 0), inside, observesQuery = false } = options;
    const [{ location } = NOWHERE] = body;
    const prober = this.isObserved && observesQuery ? new Prober(this.placed, '', location) : undefined;
    const { plan, code } = stopwatch.time('query_compile', () => {
      const made = compileQuery(this.compiled, body, inside, (ordered) => prober?.whole(ordered) ?? ordered);
      return { plan: made, code: this.code.query(made) };
    });
    const rows: Row[] = [];
    const world = this.world(options);
    stopwatch.time('query_eval', () => {
      this.each(code, world, (values) => {
        rows.push(new Map(plan.bindings.map(({ name }, index) => [name, values[index] as Value])));
      });
    });
    options.builtinErrors?.push(...world.session.errors);
    return rows;
  }

  /** Every way to satisfy expressions already compiled, in the variables named; undefined when these are not safe. */
  solve(body: Body, names: readonly string[], options: RunOptions = {}): readonly Row[] | undefined {
    const plan = compileExpressions(this.compiled, body, names);
    if (plan === undefined) return undefined;
    const code = this.code.query(plan);
    const rows: Row[] = [];
    this.each(code, this.world(options), (values) => {
      rows.push(new Map(plan.bindings.map(({ name }, index) => [name, values[index] as Value])));
    });
    return rows;
  }

  /** The value of a document by its path below `data`. Errors: `RegoEvaluationError`. */
  document(path: readonly string[], options: RunOptions = {}): Value | undefined {
    const code = this.code.query(compilePath(this.compiled, path));
    const world = this.world(options);
    return world.session.metered(() => code.first(world));
  }

  private each(code: QueryCode, world: World, visit: (values: readonly Value[]) => void): void {
    world.session.metered(() => code.each(world, visit));
  }

  private world(options: RunOptions): World {
    const { plan } = this.compiled;
    const session = new Session(parseForBuiltin);
    const snapshot = new Snapshot(this.data, this.engine.plan.basePaths);
    const world = new World(session, snapshot, plan.sets.length, plan.extents.length, plan.lookups.length);
    world.input = options.input;
    session.start(options.limits ?? {}, options.strictBuiltinErrors === true, options.context);
    return world;
  }
}
