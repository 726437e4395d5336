/**
 * The back end that writes one JavaScript function for each rule set and lookup and compiles those together that one query is the first
 * to reach; rules call each other directly, also those compiled before. Needs `new Function`.
 */
import type { Clause, Definitions, Lookup, Plan, QueryPlan, RuleSet, Step } from '../compile/plan.js';
import { NOWHERE } from '../syntax/ast.js';
import type { Value } from '../values/index.js';
import { type BackEnd, compileDemanded, directQuery, type QueryCode } from './back-end.js';
import { compileWithClosures } from './closures.js';
import { type Done, Emitter } from './emit.js';
import type { CompiledLookup, CompiledSet, Engine } from './engine.js';
import { isWorthRemembering } from './remembering.js';
import { indexClauses, MIN_INDEXED_CLAUSES } from './rule-index.js';
import { RUNTIME } from './runtime.js';
import type { World } from './world.js';

type SetFunction = (world: World, ...args: readonly Value[]) => Value | undefined;

/** Functions rules call each other by, by name (`Emitter.called`). */
type Linked = Record<string, (world: World, ...args: readonly Value[]) => Value | undefined>;

interface GeneratedModule {
  /** In the order of the definitions. */
  readonly sets: readonly SetFunction[];
  readonly lookups: readonly SetFunction[];
  /** To be called from code generated later. */
  readonly linked: Linked;
}

/** Whether the environment lets code be generated; where it must, an environment that does not is an error (`EvalError`). */
export function canGenerate(must: boolean): boolean {
  try {
    return new Function('return true')() === true;
  } catch (error) {
    if (must) throw error;
    return false;
  }
}

function hasLoop(clause: Clause): boolean {
  return clause.steps.some((step) => ['iterate', 'relation', 'choice', 'probe'].includes(step.step));
}

class SetWriter {
  private readonly emitter: Emitter;
  private readonly plan: Plan;

  constructor(emitter: Emitter, plan: Plan) {
    this.emitter = emitter;
    this.plan = plan;
  }

  /** The functions of a rule set: `c` computes, `r` remembers, `f` is called with arguments. */
  set(set: RuleSet): string {
    if (set.kind === 'set' || set.kind === 'object') return this.partial(set) + this.remembering(set);
    if (set.kind === 'function') return this.definition(set) + this.calling(set);
    return this.definition(set) + this.remembering(set);
  }

  private remembering(set: RuleSet): string {
    const i = set.index;
    return `function r${i}(w){if(w.stamps[${i}]===w.generation)return w.memo[${i}];const q=w.session;if(++q.depth>q.maxDepth)q.enter();const v=w.hidden!==undefined&&w.hidden.has(${i})?E.base(w,${set.basePath}):c${i}(w);q.depth--;w.memo[${i}]=v;w.stamps[${i}]=w.generation;return v;}\n`;
  }

  private calling(set: RuleSet): string {
    const i = set.index;
    const args = Array.from({ length: set.arity }, (_, index) => `s${index}`);
    const list = ['w0', ...args].join(',');
    const at = this.emitter.constant(set.clauses[0]?.location ?? set.fallback?.location);
    const guarded = `if(w0.mocks!==undefined||w0.hidden!==undefined)return E.call(w0,${i},[${args.join(',')}],${at});`;
    const plain = `const q=w0.session;if(--q.left<0)q.exhausted();if(++q.depth>q.maxDepth)q.enter();const v=c${i}(${list});q.depth--;return v;`;
    if (args.length === 0 || !isWorthRemembering(set)) return `function f${i}(${list}){${guarded}${plain}}\n`;
    let find = `let m=w0.callMemo(${i}),n;`;
    for (const arg of args.slice(0, -1)) find += `n=m.get(${arg});if(n===undefined){n=new Map();m.set(${arg},n);}m=n;`;
    const last = args.at(-1);
    find += `n=m.get(${last});if(n!==undefined||m.has(${last}))return n;`;
    const store = plain.replace('return v;', `m.set(${last},v);return v;`);
    return `function f${i}(${list}){${guarded}${find}${store}}\n`;
  }

  /** Many clauses are functions of their own, of which an index picks those to run. */
  private split(
    set: RuleSet,
    parameters: readonly string[],
    body: (clause: Clause) => string,
  ): { functions: string; list: string } {
    const { emitter } = this;
    let functions = '';
    for (const [each, clause] of set.clauses.entries()) {
      emitter.begin();
      const code = body(clause);
      const declarations = withoutParameters(emitter.declarations(), parameters);
      const [, carried] = parameters;
      functions += `function c${set.index}_${each}(${parameters.join(',')}){const q=w0.session;let g;${declarations}${code}return ${carried};}\n`;
    }
    functions += `const T${set.index}=[${set.clauses.map((_, each) => `c${set.index}_${each}`).join(',')}];\n`;
    const index = indexClauses(set.clauses, set.arity);
    const all = emitter.constant(set.clauses.map((_, each) => each));
    const args = parameters.slice(2).join(',');
    return { functions, list: index === undefined ? all : `H.candidates(${emitter.constant(index)},w0,[${args}])` };
  }

  private fallback(set: RuleSet): string {
    if (set.fallback === undefined) return '';
    const done: Done = { action: '', stop: `return ${this.emitter.atom(set.fallback.value)};` };
    return `D:{${this.emitter.body(set.fallback.steps, 'break D;', done)}}`;
  }

  private indexed(set: RuleSet, args: readonly string[]): string {
    const { functions, list } = this.split(set, ['w0', 'r', ...args], (clause) => this.ordered(set, clause));
    this.emitter.begin();
    const fallback = this.fallback(set);
    const declarations = withoutParameters(this.emitter.declarations(), args);
    const call = `r=T${set.index}[t[j]](${['w0', 'r', ...args].join(',')});`;
    const early = set.isUniform ? 'if(r!==undefined)return r;' : '';
    const loop = `const t=${list};for(let j=0;j<t.length;j++){${call}${early}}`;
    return `${functions}function c${set.index}(${['w0', ...args].join(',')}){const q=w0.session;let r;${declarations}${loop}if(r!==undefined)return r;${fallback}return undefined;}\n`;
  }

  private definition(set: RuleSet): string {
    const { emitter } = this;
    const args = Array.from({ length: set.arity }, (_, index) => `s${index}`);
    if (set.clauses.length >= MIN_INDEXED_CLAUSES) return this.indexed(set, args);
    emitter.begin();
    let code = '';
    for (const clause of set.clauses) code += this.ordered(set, clause);
    code += 'if(r!==undefined)return r;';
    code += this.fallback(set);
    const declarations = withoutParameters(emitter.declarations(), args);
    return `function c${set.index}(${['w0', ...args].join(',')}){const q=w0.session;let r,g;${declarations}${code}return undefined;}\n`;
  }

  /** A clause and its `else` branches: the first with an answer is the answer. */
  private ordered(set: RuleSet, clause: Clause): string {
    if (clause.otherwise.length === 0) return this.clause(set, clause, undefined);
    let code = 'g=false;';
    for (const branch of [clause, ...clause.otherwise]) code += `if(!g){${this.clause(set, branch, 'g=true;')}}`;
    return code;
  }

  private clause(set: RuleSet, clause: Clause, mark: string | undefined): string {
    const { emitter } = this;
    const label = emitter.fresh('A');
    const value = emitter.atom(clause.value);
    let done: Done;
    const only = set.clauses.length === 1 && !hasLoop(clause);
    if (set.isUniform || only) done = { action: '', stop: `return ${value};` };
    else {
      const conflict = `H.conflict(${JSON.stringify(set.name)},${set.kind === 'function'},${emitter.constant(clause.location)})`;
      const action = `${mark ?? ''}if(r===undefined)r=${value};else if(r!==${value}&&!H.equal(r,${value}))throw ${conflict};`;
      // A constant cannot differ from itself; a body without loops comes here once.
      done = { action, stop: clause.value.op === 'const' || !hasLoop(clause) ? `break ${label};` : undefined };
    }
    return `${label}:{${emitter.body(clause.steps, `break ${label};`, done)}}`;
  }

  private partial(set: RuleSet): string {
    const { emitter } = this;
    const builder = set.kind === 'set' ? 'new H.SetBuilder()' : 'new H.PartialObject()';
    if (set.clauses.length >= MIN_INDEXED_CLAUSES) {
      const { functions, list } = this.split(set, ['w0', 'b'], (clause) => this.collect(set, clause));
      const loop = `const t=${list};for(let j=0;j<t.length;j++)T${set.index}[t[j]](w0,b);`;
      return `${functions}function c${set.index}(w0){const b=${builder};${loop}return b.build();}\n`;
    }
    emitter.begin();
    let code = '';
    for (const clause of set.clauses) code += this.collect(set, clause);
    return `function c${set.index}(w0){const q=w0.session;const b=${builder};${emitter.declarations()}${code}return b.build();}\n`;
  }

  private collect(set: RuleSet, clause: Clause): string {
    const { emitter } = this;
    const label = emitter.fresh('A');
    const value = emitter.atom(clause.value);
    let action = `if(b.add(${value}))q.grow();`;
    if (set.kind === 'object') {
      const method = clause.leafIsSet ? 'add' : 'put';
      action = `q.grow();b.${method}([${emitter.atoms(clause.keys)}],${value},${emitter.constant(clause.location)});`;
    }
    return `${label}:{${emitter.body(clause.steps, `break ${label};`, { action, stop: undefined })}}`;
  }

  lookup(lookup: Lookup): string {
    const { emitter } = this;
    const set = this.plan.sets[lookup.set] as RuleSet;
    emitter.begin();
    const keys = Array.from({ length: lookup.arity }, (_, index) => `s${index}`);
    let code = '';
    for (const clause of lookup.clauses) {
      if (set.kind !== 'set') {
        code += this.collect(set, clause);
        continue;
      }
      const label = emitter.fresh('A');
      code += `${label}:{${emitter.body(clause.steps, `break ${label};`, { action: '', stop: 'return s0;' })}}`;
    }
    const declarations = withoutParameters(emitter.declarations(), keys);
    let result = 'undefined';
    let builder = '';
    if (set.kind !== 'set') {
      builder = 'const b=new H.PartialObject();';
      result = 'b.build()';
      for (const key of keys) result = `H.element(${result},${key})`;
    }
    const body = `function d${lookup.index}(${['w0', ...keys].join(',')}){const q=w0.session;${builder}${declarations}${code}return ${result};}\n`;
    return keys.length === 1 ? body + this.rememberingLookup(lookup, set) : body;
  }

  private rememberingLookup(lookup: Lookup, set: RuleSet): string {
    const i = lookup.index;
    const full = `if(w.stamps[${set.index}]===w.generation||w.hidden!==undefined)return E.lookup(w,${i},[k]);`;
    const find = `const m=w.lookupMemo(${i}),x=H.keyOf(k),n=m.get(x);if(n!==undefined||m.has(x))return n;`;
    const compute = `const q=w.session;if(++q.depth>q.maxDepth)q.enter();const v=d${i}(w,k);q.depth--;m.set(x,v);return v;`;
    return `function l${i}(w,k){${full}${find}${compute}}\n`;
  }
}

function withoutParameters(declarations: string, parameters: readonly string[]): string {
  if (declarations === '') return '';
  const names = declarations
    .slice(4, -1)
    .split(',')
    .filter((name) => !parameters.includes(name));
  return names.length === 0 ? '' : `let ${names.join(',')};`;
}

/** The name other rules call a definition by; none for a lookup with several keys. */
const setName = (set: RuleSet): string => `${set.kind === 'function' ? 'f' : 'r'}${set.index}`;
const lookupNames = (lookup: Lookup): readonly string[] => (lookup.arity === 1 ? [`l${lookup.index}`] : []);

function generateModule(
  plan: Plan,
  { sets, lookups }: Definitions,
): { readonly source: string; readonly constants: unknown[] } {
  const constants: unknown[] = [];
  const emitter = new Emitter(constants, true);
  const writer = new SetWriter(emitter, plan);
  let code = '';
  for (const set of sets) code += writer.set(set);
  for (const lookup of lookups) code += writer.lookup(lookup);
  const own = new Set([...sets.map(setName), ...lookups.flatMap(lookupNames)]);
  const others = [...emitter.called].filter((name) => !own.has(name));
  const values = [sets.map((set) => `c${set.index}`), lookups.map((lookup) => `d${lookup.index}`)];
  const result = `return {sets:[${values[0]}],lookups:[${values[1]}],linked:{${[...own]}}};`;
  return { source: `"use strict";\nconst {${others}}=L;\n${code}${result}`, constants };
}

/** What generated code calls when definitions are closures. */
function linkClosures(engine: Engine, { sets, lookups }: Definitions, linked: Linked): void {
  for (const set of sets) {
    const { index, kind } = set;
    const at = (set.clauses[0] ?? set.fallback)?.location ?? NOWHERE;
    linked[setName(set)] =
      kind === 'function'
        ? (world, ...args) => engine.call(world, index, args, at)
        : (world) => engine.rule(world, index);
  }
  for (const lookup of lookups) {
    for (const name of lookupNames(lookup)) linked[name] = (world, ...keys) => engine.lookup(world, lookup.index, keys);
  }
}

/** Compiles the definitions to JavaScript. */
function generate(engine: Engine, definitions: Definitions, linked: Linked): void {
  const { sets, lookups } = definitions;
  if (sets.length + lookups.length === 0) return;
  let module: GeneratedModule;
  try {
    const { source, constants } = generateModule(engine.plan, definitions);
    module = new Function('E', 'K', 'H', 'L', source)(engine, constants, RUNTIME, linked) as GeneratedModule;
  } catch (error) {
    // Thousands of nested loops are more than the platform's parser takes.
    if (!(error instanceof RangeError || error instanceof SyntaxError)) throw error;
    compileWithClosures(engine, definitions);
    linkClosures(engine, definitions, linked);
    return;
  }
  for (const [each, set] of sets.entries()) {
    engine.sets[set.index] = compiledSet(set, module.sets[each] as SetFunction);
    engine.remembersCalls[set.index] = isWorthRemembering(set);
  }
  for (const [each, lookup] of lookups.entries()) {
    engine.lookups[lookup.index] = compiledLookup(module.lookups[each] as SetFunction);
  }
  Object.assign(linked, module.linked);
}

/** Compiles rule sets and lookups to JavaScript, when a query first reaches them. */
export function generatedBackEnd(engine: Engine): BackEnd {
  const linked: Linked = Object.create(null) as Linked;
  const compile = (steps: readonly Step[]): void =>
    compileDemanded(engine, steps, (definitions) => generate(engine, definitions, linked));
  return {
    name: 'generated',
    compile,
    query: (plan) => {
      compile(plan.steps);
      return generatedQuery(engine, plan);
    },
  };
}

function compiledSet(set: RuleSet, code: SetFunction): CompiledSet {
  const isFunction = set.kind === 'function';
  return {
    value: (world) => (isFunction ? undefined : code(world)),
    call: (world, args) => (isFunction ? code(world, ...args) : undefined),
  };
}

function compiledLookup(code: SetFunction): CompiledLookup {
  return { find: (world, keys) => code(world, ...keys) };
}

function generatedQuery(engine: Engine, plan: QueryPlan): QueryCode {
  const direct = plan.bindings.length === 1 ? directQuery(engine, plan) : undefined;
  if (direct !== undefined) return direct;
  const constants: unknown[] = [];
  const emitter = new Emitter(constants, false);
  emitter.begin();
  const values = emitter.atoms(plan.bindings.map((binding) => binding.value));
  const code = emitter.body(plan.steps, 'break Q;', { action: `if(visit([${values}]))`, stop: 'return;' });
  const source = `"use strict";return (w0,visit)=>{const q=w0.session;${emitter.declarations()}Q:{${code}}};`;
  type Run = (world: World, visit: (values: readonly Value[]) => boolean) => void;
  const run = new Function('E', 'K', 'H', source)(engine, constants, RUNTIME) as Run;
  return {
    first: (world) => {
      let found: Value | undefined;
      run(world, (row) => {
        found = row[0];
        return true;
      });
      return found;
    },
    each: (world, visit) =>
      run(world, (row) => {
        visit(row);
        return false;
      }),
  };
}
