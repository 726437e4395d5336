/**
 * The compiler as an ordered table of stages. Each works on the whole set of modules; when one
 * reports errors the next does not run, so that what it reports is never a consequence. Problems
 * later stages do not stumble over (unused variables, types) are collected and raised at the end.
 */
import type { Builtin } from '../builtins/builtin.js';
import { ERROR_LIMIT_REACHED, type RegoError, RegoErrors } from '../errors.js';
import { atOnce, type Steps } from '../steps.js';
import type { Body, Module, Rule } from '../syntax/ast.js';
import { compareStrings } from '../values/index.js';
import { ruleMetadata } from './annotations.js';
import { checkBodyCalls, checkCalls, makeArityOf } from './check-calls.js';
import { checkDeprecated, checkImports, checkRootOverrides } from './check-modules.js';
import { checkBodyTemplates, checkTemplates } from './check-templates.js';
import { checkBodyWiths, checkWiths } from './check-withs.js';
import { rewritePrints, rewritePrintsInBody } from './erase-prints.js';
import { Expander } from './expand-calls.js';
import { Lowerer } from './lower.js';
import { setsReplaced } from './lower-with.js';
import {
  allRules,
  type CompileContext,
  isGenerated,
  NameSource,
  text,
  variable,
  type WorkModule,
  type WorkRule,
  writtenName,
} from './model.js';
import { Optimizer } from './optimize.js';
import type { QueryPlan } from './plan.js';
import { PlanBuilder } from './plan-builder.js';
import { buildGraph, checkRecursion } from './recursion.js';
import { LocalRenamer, renameLocals } from './rename-locals.js';
import { queryGlobals, resolveNames, resolveQuery } from './resolve-names.js';
import type { SchemaTypes } from './rule-schemas.js';
import { buildRuleTree, checkConflicts, RuleTree } from './rule-tree.js';
import { checkHead, orderRule, reportUnsafe, SafetyChecker } from './safety.js';
import { checkBodyTypes, checkTypes } from './type-check.js';
import { varsOf } from './walk.js';

export interface Stage {
  readonly name: string;
  run(context: CompileContext): Steps<void>;
}

function* expandRules(context: CompileContext): Steps<void> {
  const expander = new Expander(context);
  for (const rule of allRules(context)) {
    expander.rule(rule);
    yield;
  }
}

function* orderRules(context: CompileContext): Steps<void> {
  const checker = new SafetyChecker(makeArityOf(context));
  for (const rule of allRules(context)) {
    orderRule(context, checker, rule);
    yield;
  }
}

function checkHeads(context: CompileContext): void {
  for (const rule of allRules(context)) checkHead(context, rule);
}

function* noteTypes(context: CompileContext): Steps<void> {
  context.types = yield* checkTypes({ ...context, errors: context.recoverable });
}

type Run = (context: CompileContext) => void;

/** A stage that is over soon is one step. */
const whole = (run: Run): Stage['run'] =>
  function* (context) {
    yield;
    run(context);
  };

/** A stage that looks for one construct runs only where some module's text has the word. */
const where = (word: RegExp, run: Run): Stage['run'] =>
  whole((context) => {
    if (mentions(context, word)) run(context);
  });

/** Whether some module contains the word at all: stages that look for one construct may be skipped. */
function mentions(context: CompileContext, word: RegExp): boolean {
  return context.modules.some((module) => word.test(module.source.source));
}

/** In order, which is OPA's. */
export const STAGES: readonly Stage[] = [
  { name: 'resolve-names', run: resolveNames },
  { name: 'check-root-overrides', run: whole(checkRootOverrides) },
  { name: 'check-imports', run: whole(checkImports) },
  { name: 'build-rule-tree', run: whole(buildRuleTree) },
  { name: 'rename-locals', run: renameLocals },
  { name: 'check-templates', run: where(/\$/, checkTemplates) },
  { name: 'rewrite-prints', run: where(/print/, rewritePrints) },
  { name: 'expand-calls', run: expandRules },
  { name: 'build-graph', run: buildGraph },
  { name: 'check-withs', run: where(/\bwith\b/, checkWiths) },
  { name: 'check-conflicts', run: whole(checkConflicts) },
  { name: 'check-calls', run: whole(checkCalls) },
  { name: 'check-head-safety', run: whole(checkHeads) },
  { name: 'check-safety', run: orderRules },
  { name: 'check-recursion', run: whole(checkRecursion) },
  { name: 'check-types', run: noteTypes },
  { name: 'check-deprecated', run: whole(checkDeprecated) },
];

function toWorkRule(source: Rule, module: WorkModule): WorkRule {
  const { head, location } = source;
  const path = module.source.package.path.map((part) => text(part, location));
  const [name, ...rest] = head.ref;
  const nameTerm = name?.kind === 'var' ? text(name.name, name.location) : text('', location);
  return {
    source,
    module,
    isDefault: source.default,
    kind: head.key !== undefined && head.value === undefined ? 'multi' : 'single',
    ref: [variable('data', location), ...path, nameTerm, ...rest],
    args: head.args,
    key: head.value === undefined ? head.key : undefined,
    value: head.value,
    body: source.body,
    otherwise: source.otherwise.map((branch) => toWorkRule(branch, module)),
    location,
  };
}

export interface CompileInput {
  readonly modules: readonly Module[];
  readonly strict: boolean;
  readonly prints: boolean;
  /** Off: the plan as lowered, for comparison. */
  readonly optimize: boolean;
  readonly builtins: ReadonlyMap<string, Builtin>;
  readonly isAllowed: (builtin: Builtin) => boolean;
  /** Types of documents from JSON Schemas; default none. */
  readonly schemas?: SchemaTypes | undefined;
  /** The compilation ends with so many errors and a note; default 0, no limit. */
  readonly maxErrors?: number;
}

export interface CompiledModules {
  readonly context: CompileContext;
  readonly plan: PlanBuilder;
  readonly warnings: readonly RegoError[];
  readonly isOptimized: boolean;
}

/** By place; at one place by text, as OPA does. */
function compareErrors(a: RegoError, b: RegoError): number {
  if (a.location.file !== b.location.file) return a.location.file < b.location.file ? -1 : 1;
  const byPlace = a.location.row - b.location.row || a.location.col - b.location.col;
  return byPlace || compareStrings(`${a.code}: ${a.message}`, `${b.code}: ${b.message}`);
}

/** Throws what was found if something was that ends the compilation, or if it has ended. */
function raise(context: CompileContext, hasEnded = false): void {
  if (context.errors.length === 0 && !(hasEnded && context.recoverable.length > 0)) return;
  throw new RegoErrors([...context.errors, ...context.recoverable].sort(compareErrors));
}

/** Ends the compilation at the stage that finds the last error allowed: which those are depends on the order of the stages. */
class ErrorLimit {
  private readonly limit: number;
  private readonly kept: RegoError[] = [];
  private readonly counted = { errors: 0, recoverable: 0 };

  constructor(limit: number) {
    this.limit = limit;
  }

  /** To be called after each stage. */
  check({ errors, recoverable }: CompileContext): void {
    if (this.limit <= 0) return;
    const fresh = [recoverable.slice(this.counted.recoverable), errors.slice(this.counted.errors)];
    // A stage that found both went through the modules once.
    const isMixed = fresh.every((found) => found.length > 0);
    this.kept.push(...(isMixed ? fresh.flat().sort(compareErrors) : fresh.flat()));
    this.counted.errors = errors.length;
    this.counted.recoverable = recoverable.length;
    if (this.kept.length < this.limit) return;
    throw new RegoErrors([...this.kept.slice(0, this.limit).sort(compareErrors), ERROR_LIMIT_REACHED]);
  }
}

/** Compiles parsed modules. Errors: `RegoErrors` with everything the failing stage found. */
export function compileModules(input: CompileInput): CompiledModules {
  return atOnce(compileModulesInSteps(input));
}

/** The same in steps: a rule of a stage, or a stage that is over soon. */
export function* compileModulesInSteps(input: CompileInput): Steps<CompiledModules> {
  const modules: WorkModule[] = input.modules.map((source) => ({ source, rules: [] }));
  for (const module of modules) module.rules = module.source.rules.map((rule) => toWorkRule(rule, module));
  let metadata: CompileContext['metadata'] | undefined;
  const context: CompileContext = {
    modules,
    strict: input.strict,
    prints: input.prints,
    builtins: input.builtins,
    isAllowed: input.isAllowed,
    errors: [],
    warnings: [],
    recoverable: [],
    names: new NameSource(),
    tree: new RuleTree(),
    graph: new Map(),
    types: undefined,
    metadata: (rule) => {
      metadata ??= ruleMetadata(context);
      return metadata(rule);
    },
    schemas: input.schemas,
  };
  const limit = new ErrorLimit(input.maxErrors ?? 0);
  for (const stage of STAGES) {
    yield* stage.run(context);
    limit.check(context);
    raise(context);
  }
  raise(context, true);
  const plan = new PlanBuilder(context.tree, input.builtins, context.metadata);
  if (input.optimize) {
    const replaced = mentions(context, /\bwith\b/) ? setsReplaced(plan, allRules(context)) : new Set<number>();
    plan.improveWith(new Optimizer(plan, replaced));
  }
  return { context, plan, warnings: context.warnings, isOptimized: input.optimize };
}

/**
 * Compiles a query against compiled modules, as if it stood in the module `inside`, whose package and imports it sees. `prepare` may
 * change the body when all is checked and in order.
 */
export function compileQuery(
  compiled: CompiledModules,
  body: Body,
  inside?: Module,
  prepare: (ordered: Body) => Body = (ordered) => ordered,
): QueryPlan {
  const { plan } = compiled;
  const context: CompileContext = { ...compiled.context, errors: [], warnings: [], recoverable: [] };
  const arityOf = makeArityOf(context);
  const globals = inside === undefined ? new Map() : queryGlobals(context, inside);
  const renamed = new LocalRenamer(context).body(resolveQuery(body, globals));
  raise(context);
  checkBodyTemplates(context, renamed);
  raise(context);
  const names = new Set<string>();
  for (const name of varsOf(renamed, { skipClosures: true, skipCallHead: true })) {
    if (name !== 'data' && name !== 'input' && !isGenerated(name)) names.add(name);
  }
  const expanded = new Expander(context).body(rewritePrintsInBody(context, renamed));
  raise(context);
  checkBodyWiths(context, expanded);
  checkBodyCalls(context, arityOf, expanded);
  raise(context);
  const unsafe = new Map();
  const ordered = new SafetyChecker(arityOf).order(expanded, new Set(['data', 'input']), unsafe);
  if (unsafe.size > 0) reportUnsafe(context, unsafe, '');
  raise(context);
  if (compiled.context.types !== undefined) checkBodyTypes(context, compiled.context.types, ordered);
  raise(context, true);
  return lowerBody(plan, prepare(ordered), [...names], writtenName);
}

/** The plan of a body that is in order; the variables named are its answers. */
function lowerBody(
  plan: PlanBuilder,
  body: Body,
  names: readonly string[],
  shown: (name: string) => string,
): QueryPlan {
  const lowerer = new Lowerer(plan);
  const { steps, result } = lowerer.nested(() => {
    lowerer.body(body);
    return names.flatMap((name) => {
      const value = lowerer.binding(name);
      return value === undefined ? [] : [{ name: shown(name), value }];
    });
  });
  return { slots: lowerer.slots, worlds: lowerer.worlds, steps, bindings: result };
}

/** Compiles expressions that have been through the stages before; undefined when their variables are not safe. */
export function compileExpressions(
  compiled: CompiledModules,
  body: Body,
  names: readonly string[],
): QueryPlan | undefined {
  const unsafe = new Map();
  const ordered = new SafetyChecker(makeArityOf(compiled.context)).order(body, new Set(['data', 'input']), unsafe);
  return unsafe.size > 0 ? undefined : lowerBody(compiled.plan, ordered, names, (name) => name);
}

/** Compiles a path of constants: the quickest way to one document. */
export function compilePath(compiled: CompiledModules, path: readonly string[]): QueryPlan {
  const location = { file: '', row: 1, col: 1, offset: 0, end: 0 };
  const terms = [variable('data', location), ...path.map((part) => text(part, location))];
  const lowerer = new Lowerer(compiled.plan);
  const { steps, result } = lowerer.nested(() => lowerer.atom({ kind: 'ref', terms, location }));
  return { slots: lowerer.slots, worlds: lowerer.worlds, steps, bindings: [{ name: 'result', value: result }] };
}
