/**
 * The public face of the engine: `compile` turns modules into a policy, a policy answers paths and
 * queries. A policy is immutable except for `setData`, which swaps the whole base document between
 * two evaluations; evaluations are synchronous, so none ever sees half a change.
 */
import { type Builtin, BuiltinError, builtins, type ContextOptions } from './builtins/index.js';
import { inDependencyOrder } from './compile/dependency-order.js';
import type { Op, QueryPlan, Step } from './compile/plan.js';
import {
  type CompiledModules,
  compileModules,
  compileModulesInSteps,
  compilePath,
  compileQuery,
} from './compile/stages.js';
import { type RegoError, RegoErrors, RegoEvaluationError } from './errors.js';
import { type BackEnd, closureBackEnd, type QueryCode } from './evaluate/back-end.js';
import { Engine } from './evaluate/engine.js';
import { canGenerate, generatedBackEnd } from './evaluate/generated.js';
import { type Limits, replaceAt, Session, Snapshot, World } from './evaluate/world.js';
import { atOnce, type Steps } from './steps.js';
import type { Module, RegoVersion } from './syntax/ast.js';
import { moduleToValue } from './syntax/module-to-value.js';
import { parseModuleInSteps, parseQuery } from './syntax/parser.js';
import type { Value } from './values/index.js';

/** A module to compile. `auto` reads it as v1 and, when it only parses so, as v0. */
export interface ModuleSource {
  readonly name: string;
  readonly text: string;
  readonly version?: RegoVersion | 'auto';
}

export type BackendName = 'auto' | 'generated' | 'closures';

export interface CompileOptions {
  readonly modules: readonly ModuleSource[];
  /** The base document; an object. */
  readonly data?: Value;
  readonly capabilities?: {
    /** The only built-ins modules may call; by default all but those that reach the world outside. */
    readonly allowedBuiltins?: readonly string[];
  };
  /** Functions of the host's own, by name; they come after OPA's and may not replace them. */
  readonly builtins?: readonly Builtin[];
  /** OPA's strict mode: unused variables and imports are errors. */
  readonly strict?: boolean;
  readonly backend?: BackendName;
  readonly limits?: Limits;
  /** For evaluations that say nothing else; what they say is added to it. */
  readonly context?: ContextOptions;
  /** Default true; false runs bodies as written, for comparison. */
  readonly optimize?: boolean;
  /** Keeps calls of `print`; their lines go to the evaluation's `context.print`. */
  readonly prints?: boolean;
}

export interface EvaluateOptions {
  readonly limits?: Limits;
  /** Errors of built-ins end the evaluation instead of making the call undefined. */
  readonly strictBuiltinErrors?: boolean;
  /** Clock, seed, environment, HTTP and the like for built-ins. */
  readonly context?: ContextOptions;
}

export type Bindings = Readonly<Record<string, Value>>;

/** Built-ins that reach outside of the engine: off unless asked for. */
export const WORLDLY_BUILTINS: readonly string[] = ['http.send', 'net.lookup_ip_addr', 'opa.runtime'];

/** What is kept compiled; a path beyond these takes some 10 µs more. */
const maxKnownPaths = 1_000;
const maxKnownQueries = 1_000;

const NO_OPTIONS: EvaluateOptions = {};
const NO_LIMITS: Limits = {};

interface PolicyDefaults {
  readonly limits: Limits;
  readonly context?: ContextOptions;
}

export class Policy {
  /** The modules as parsed. */
  readonly modules: readonly Module[];
  readonly warnings: readonly RegoError[];
  /** The back end in use. */
  readonly backend: 'generated' | 'closures';
  private readonly compiled: CompiledModules;
  private readonly engine: Engine;
  private readonly code: BackEnd;
  /** What evaluations have that do not say otherwise. */
  readonly defaults: PolicyDefaults;
  private readonly paths = new Map<string, QueryCode>();
  private readonly queries = new Map<string, { plan: QueryPlan; code: QueryCode }>();
  private snapshot: Snapshot;
  private idle: World | undefined;
  private unoptimized: Policy | undefined;

  constructor(compiled: CompiledModules, engine: Engine, code: BackEnd, data: Value, defaults: PolicyDefaults) {
    this.compiled = compiled;
    this.engine = engine;
    this.code = code;
    this.defaults = defaults;
    this.modules = compiled.context.modules.map((module) => module.source);
    this.warnings = compiled.warnings;
    this.backend = code.name;
    this.snapshot = new Snapshot(data, engine.plan.basePaths);
  }

  get data(): Value {
    return this.snapshot.data;
  }

  /** The same policy over other data; nothing is compiled again. */
  withData(data: Value): Policy {
    return new Policy(this.compiled, this.engine, this.code, data, this.defaults);
  }

  /** Replaces the document at a path (`a.b` or `a/b`, empty for all) for later evaluations. */
  setData(path: string | readonly string[], value: Value): void {
    const keys = typeof path === 'string' ? splitPath(path) : path;
    this.snapshot = new Snapshot(replaceAt(this.snapshot.data, keys, value), this.engine.plan.basePaths);
  }

  /** The value of a document, undefined when undefined. Errors: `RegoEvaluationError`. */
  evaluate(path: string, input?: Value, options: EvaluateOptions = NO_OPTIONS): Value | undefined {
    return this.runPath(this.pathCode(path), input, options);
  }

  /** Resolves a path once, to be evaluated many times. */
  prepare(path: string, options: EvaluateOptions = NO_OPTIONS): (input?: Value) => Value | undefined {
    const code = this.pathCode(path);
    return (input) => this.runPath(code, input, options);
  }

  /**
   * Compiles what a path reaches in steps, for what has to answer meanwhile; `evaluate` and `prepare` then find it done. Each step is some
   * rules that need no others. Errors: `RegoEvaluationError` (`eval_limit_error`), as of `prepare`.
   */
  *prepareInSteps(path: string): Generator<undefined, void> {
    const { plan, context } = this.compiled;
    const { steps } = compilePath(this.compiled, splitPath(path));
    for (const group of inDependencyOrder(plan, context.graph, steps)) {
      try {
        this.code.compile(group);
      } catch (error) {
        throw asLimit(error);
      }
      yield;
    }
  }

  /** Every way to satisfy a query: the bindings of its variables. */
  query(text: string, input?: Value, options: EvaluateOptions = NO_OPTIONS): readonly Bindings[] {
    const { plan, code } = this.queryCode(text, 'v1');
    if (hidesRules(plan.steps) && this.compiled.isOptimized) return this.asWritten().query(text, input, options);
    const world = this.begin(input, options);
    const results: Bindings[] = [];
    try {
      code.each(world, (values) => {
        const row: Record<string, Value> = {};
        for (const [index, { name }] of plan.bindings.entries()) row[name] = values[index] as Value;
        results.push(row);
      });
    } catch (error) {
      throw asLimit(error);
    } finally {
      this.end(world);
    }
    return results;
  }

  /**
   * Why a document has its value: the expressions met on the way, in order, each with its rule, its
   * place and whether it ever held. Runs the bodies as written, without the optimiser.
   */
  explain(path: string, input?: Value, options: EvaluateOptions = NO_OPTIONS): Explanation {
    const explainer = new Explainer(this.modules, this.snapshot.data, this.engine.names);
    const value = explainer.policy(this.defaults).evaluate(path, input, options);
    return { value, trace: explainer.trace() };
  }

  /** The policy without the optimiser, which runs bodies in place that a query's `with` may replace. */
  private asWritten(): Policy {
    if (this.unoptimized?.data !== this.data) {
      const { strict, prints, builtins: all, isAllowed } = this.compiled.context;
      const compiled = compileModules({
        modules: this.modules,
        strict,
        prints,
        optimize: false,
        builtins: all,
        isAllowed,
      });
      const engine = new Engine(compiled.plan, all);
      this.unoptimized = new Policy(compiled, engine, chooseBackEnd(engine, this.backend), this.data, this.defaults);
    }
    return this.unoptimized;
  }

  private pathCode(path: string): QueryCode {
    const known = this.paths.get(path);
    if (known !== undefined) return known;
    const code = this.codeOf(compilePath(this.compiled, splitPath(path)));
    if (this.paths.size >= maxKnownPaths) this.paths.delete(this.paths.keys().next().value as string);
    this.paths.set(path, code);
    return code;
  }

  private queryCode(text: string, version: RegoVersion): { plan: QueryPlan; code: QueryCode } {
    const known = this.queries.get(text);
    if (known !== undefined) return known;
    const plan = compileQuery(this.compiled, parseQuery(text, { version }));
    const made = { plan, code: this.codeOf(plan) };
    if (this.queries.size < maxKnownQueries) this.queries.set(text, made);
    return made;
  }

  /** Errors: `eval_limit_error` when thousands of loops in one another are more than the platform's stack takes. */
  private codeOf(plan: QueryPlan): QueryCode {
    try {
      return this.code.query(plan);
    } catch (error) {
      throw asLimit(error);
    }
  }

  private runPath(code: QueryCode, input: Value | undefined, options: EvaluateOptions): Value | undefined {
    const world = this.begin(input, options);
    try {
      return code.first(world);
    } catch (error) {
      throw asLimit(error);
    } finally {
      this.end(world);
    }
  }

  private begin(input: Value | undefined, options: EvaluateOptions): World {
    const { plan } = this.engine;
    if (this.snapshot.bases.length < plan.basePaths.length) this.snapshot.extend(plan.basePaths);
    let world = this.idle;
    if (world === undefined) {
      const session = new Session(parseForBuiltin);
      world = new World(session, this.snapshot, plan.sets.length, plan.extents.length, plan.lookups.length);
    } else this.idle = undefined;
    world.generation += 1;
    world.input = input;
    world.snapshot = this.snapshot;
    const { session } = world;
    session.start(options.limits ?? this.defaults.limits, options.strictBuiltinErrors === true, this.context(options));
    session.begin();
    return world;
  }

  private context({ context: own }: EvaluateOptions): ContextOptions | undefined {
    const { context } = this.defaults;
    return own === undefined || context === undefined ? (own ?? context) : { ...context, ...own };
  }

  private end(world: World): void {
    world.session.finish();
    world.input = undefined;
    this.idle = world;
  }
}

/** One expression that was evaluated. */
export interface TraceEntry {
  readonly rule: string;
  readonly file: string;
  readonly row: number;
  readonly col: number;
  readonly expression: string;
  /** `true` when it held at least once. */
  readonly outcome: 'true' | 'false';
}

export interface Explanation {
  readonly value: Value | undefined;
  readonly trace: readonly TraceEntry[];
}

/** Compiles the modules again with an observer on every step. */
class Explainer {
  private readonly modules: readonly Module[];
  private readonly data: Value;
  private readonly builtins: ReadonlyMap<string, Builtin>;
  private readonly entries = new Map<string, { -readonly [K in keyof TraceEntry]: TraceEntry[K] }>();

  constructor(modules: readonly Module[], data: Value, all: ReadonlyMap<string, Builtin>) {
    this.modules = modules;
    this.data = data;
    this.builtins = all;
  }

  policy(defaults: PolicyDefaults): Policy {
    const { modules } = this;
    const isAllowed = (): boolean => true;
    const compiled = compileModules({
      modules,
      strict: false,
      prints: false,
      optimize: false,
      builtins: this.builtins,
      isAllowed,
    });
    const engine = new Engine(compiled.plan, this.builtins);
    const sources = new Map(modules.map((module) => [module.file, module.source]));
    engine.observer = (rule, step, passed) => {
      if (step.at === undefined) return;
      const { file, row, col, offset, end } = step.at;
      const id = `${rule}\u0000${file}\u0000${offset}\u0000${end}`;
      const known = this.entries.get(id);
      if (known !== undefined) {
        if (passed) known.outcome = 'true';
        return;
      }
      const expression = sources.get(file)?.slice(offset, end) ?? '';
      this.entries.set(id, { rule, file, row, col, expression, outcome: passed ? 'true' : 'false' });
    };
    return new Policy(compiled, engine, closureBackEnd(engine), this.data, defaults);
  }

  trace(): readonly TraceEntry[] {
    return [...this.entries.values()];
  }
}

/** A platform out of stack is a limit like the others. */
function asLimit(error: unknown): unknown {
  if (!(error instanceof RangeError)) return error;
  return new RegoEvaluationError('eval_limit_error', 'the stack is used up', undefined, { cause: error });
}

/** A module's syntax errors are the built-in's errors. */
function parseForBuiltin(filename: string, text: string): Value {
  try {
    return moduleToValue(filename, text);
  } catch (error) {
    if (!(error instanceof RegoErrors)) throw error;
    throw new BuiltinError('eval_builtin_error', `rego.parse_module: ${error.message}`, error);
  }
}

function hidesRulesInside(op: Op): boolean {
  return 'steps' in op && hidesRules(op.steps);
}

/** Whether some `with` of a query replaces what rules define. */
function hidesRules(steps: readonly Step[]): boolean {
  return steps.some((step) => {
    if (step.step === 'with') return step.modifiers.hiddenSets.length > 0;
    if (step.step === 'not' || step.step === 'every') return hidesRules(step.steps);
    if (step.step === 'some' || step.step === 'choice') return step.branches.some(hidesRules);
    if (step.step === 'let' || step.step === 'test') return hidesRulesInside(step.value);
    return step.step === 'equal' && (hidesRulesInside(step.left) || hidesRulesInside(step.right));
  });
}

/** `data.a.b`, `a.b`, `a/b` or `/a/b` to its steps; `["x"]` may quote a step. */
export function splitPath(path: string): readonly string[] {
  if (path.includes('/')) return path.split('/').filter((part) => part !== '');
  const parts: string[] = [];
  for (const match of path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|([^.[\]]+)/g)) {
    parts.push(match[1] === undefined ? (match[2] ?? '') : (JSON.parse(`"${match[1]}"`) as string));
  }
  return parts[0] === 'data' ? parts.slice(1) : parts;
}

function* parseAuto(name: string, text: string, version: RegoVersion | 'auto'): Steps<Module> {
  if (version !== 'auto') return yield* parseModuleInSteps(name, text, { version });
  try {
    return yield* parseModuleInSteps(name, text, { version: 'v1' });
  } catch (error) {
    try {
      return yield* parseModuleInSteps(name, text, { version: 'v0' });
    } catch {
      throw error;
    }
  }
}

function* parseAll(sources: readonly ModuleSource[]): Steps<readonly Module[]> {
  const modules: Module[] = [];
  const errors: RegoError[] = [];
  for (const { name, text, version } of sources) {
    try {
      modules.push(yield* parseAuto(name, text, version ?? 'v1'));
    } catch (error) {
      if (!(error instanceof RegoErrors)) throw error;
      errors.push(...error.errors);
    }
  }
  if (errors.length > 0) throw new RegoErrors(errors);
  return modules;
}

function allows(names: readonly string[] | undefined): (builtin: Builtin) => boolean {
  if (names === undefined) return (builtin) => !WORLDLY_BUILTINS.includes(builtin.name);
  const set = new Set(names);
  return (builtin) => set.has(builtin.name);
}

function chooseBackEnd(engine: Engine, name: BackendName): BackEnd {
  if (name === 'closures' || !canGenerate(name === 'generated')) return closureBackEnd(engine);
  return generatedBackEnd(engine);
}

function withHostBuiltins(own: readonly Builtin[]): ReadonlyMap<string, Builtin> {
  if (own.length === 0) return builtins;
  return new Map([...own.map((builtin) => [builtin.name, builtin] as const), ...builtins]);
}

/** Compiles modules into a policy. Errors: `RegoErrors`. */
export function compile(options: CompileOptions): Policy {
  return atOnce(compileInSteps(options));
}

/**
 * The same in steps, for what has to answer meanwhile: call `next` in turns of your own until it is done, then `value` is the policy.
 * Errors: `RegoErrors`. A step is a rule in one of the compiler's stages, microseconds unless the rule is very large.
 */
export function* compileInSteps(options: CompileOptions): Generator<undefined, Policy> {
  const all = withHostBuiltins(options.builtins ?? []);
  const compiled = yield* compileModulesInSteps({
    modules: yield* parseAll(options.modules),
    strict: options.strict === true,
    prints: options.prints === true,
    optimize: options.optimize !== false,
    builtins: all,
    isAllowed: allows(options.capabilities?.allowedBuiltins),
  });
  const engine = new Engine(compiled.plan, all);
  const code = chooseBackEnd(engine, options.backend ?? 'auto');
  const { limits = NO_LIMITS, context } = options;
  const defaults = context === undefined ? { limits } : { limits, context };
  return new Policy(compiled, engine, code, options.data ?? {}, defaults);
}
