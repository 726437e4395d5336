/**
 * Builds the plan: numbers rule sets, extents, base paths and lookups. Rules are lowered when something that is asked reaches them: of a
 * large policy most is never asked at one place (tests, other applications' packages), and lowering is a third of compiling.
 */
import type { Builtin } from '../builtins/builtin.js';
import type { Term } from '../syntax/ast.js';
import { operatorName } from '../syntax/ast.js';
import { equal, keyOf, sortValues, type Value } from '../values/index.js';
import type { RuleMetadata } from './annotations.js';
import { Lowerer } from './lower.js';
import type { WorkRule } from './model.js';
import type { Optimizer } from './optimize.js';
import type { Atom, Clause, Definitions, Extent, Lookup, Plan, RuleSet, RuleSetKind, Step } from './plan.js';
import { visitReferences } from './reach.js';
import { formatRef, isGroundRef, type RuleTree, type TreeNode } from './rule-tree.js';

/** Documents that are looked up once for each state of the data. */
const maxBasePathsBesideRules = 10_000;

export class PlanBuilder implements Plan {
  readonly tree: RuleTree;
  readonly sets: RuleSet[] = [];
  readonly lookups: Lookup[] = [];
  readonly extents: Extent[] = [];
  readonly basePaths: (readonly Value[])[] = [];
  private readonly builtins: ReadonlyMap<string, Builtin>;
  private readonly metadata: (rule: WorkRule) => RuleMetadata;
  private readonly nodes: TreeNode[] = [];
  private readonly basePathIndex = new Map<string, number>();
  private readonly maxBasePaths: number;
  private readonly lookupIndex = new Map<string, number>();
  /** What has been demanded, by index, and what of it by the last demand. */
  private readonly demanded = { sets: new Set<number>(), lookups: new Set<number>(), extents: new Set<number>() };
  private last: { readonly of: Set<number>; readonly index: number }[] = [];
  /** Rule sets as lowered, before the optimiser, while a demand is being met. */
  private readonly asLowered = new Map<number, RuleSet>();
  private optimizer: Optimizer | undefined;
  private groups = 0;

  constructor(tree: RuleTree, builtins: ReadonlyMap<string, Builtin>, metadata: (rule: WorkRule) => RuleMetadata) {
    this.tree = tree;
    this.builtins = builtins;
    this.metadata = metadata;
    this.number(tree.root);
    this.maxBasePaths = this.basePaths.length + maxBasePathsBesideRules;
  }

  /** To be called before anything is demanded. */
  improveWith(optimizer: Optimizer): void {
    this.optimizer = optimizer;
  }

  demand(steps: readonly Step[]): Definitions {
    this.last = [];
    try {
      return this.reach(steps);
    } catch (error) {
      this.forget();
      throw error;
    } finally {
      this.asLowered.clear();
    }
  }

  forget(): void {
    for (const { of, index } of this.last) of.delete(index);
    this.last = [];
  }

  private isNew(of: Set<number>, index: number): boolean {
    if (of.has(index)) return false;
    of.add(index);
    this.last.push({ of, index });
    return true;
  }

  private reach(steps: readonly Step[]): Definitions {
    const made: { sets: RuleSet[]; lookups: Lookup[] } = { sets: [], lookups: [] };
    const waiting: (readonly Step[])[] = [steps];
    const later = (clauses: readonly Clause[]): void => {
      for (const clause of clauses) for (const each of [clause, ...clause.otherwise]) waiting.push(each.steps);
    };
    const set = (index: number): void => {
      if (!this.isNew(this.demanded.sets, index)) return;
      const defined = this.define(index);
      made.sets.push(defined);
      later(defined.clauses);
      if (defined.fallback !== undefined) later([defined.fallback]);
    };
    const lookup = (index: number): void => {
      if (!this.isNew(this.demanded.lookups, index)) return;
      const defined = this.defineLookup(index);
      made.lookups.push(defined);
      later(defined.clauses);
    };
    const extent = (index: number): void => {
      if (index < 0 || !this.isNew(this.demanded.extents, index)) return;
      for (const child of this.extents[index]?.children ?? []) {
        if (child.set >= 0) set(child.set);
        else extent(child.extent);
      }
    };
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop())
      visitReferences(next, { set, lookup, extent });
    return made;
  }

  private define(index: number): RuleSet {
    const { clauses, fallback, isUniform } = this.lowered(index);
    const set = this.set(index);
    set.clauses = clauses.map((clause) => this.improved(clause));
    set.fallback = fallback && this.improved(fallback);
    set.isUniform = isUniform;
    return set;
  }

  private defineLookup(index: number): Lookup {
    const lookup = this.lookups[index] as Lookup;
    const node = this.nodes[lookup.set] as TreeNode;
    lookup.clauses = node.rules.map((rule) => this.improved(this.lowerPartial(rule, node, lookup.arity)));
    return lookup;
  }

  private improved(clause: Clause): Clause {
    return this.optimizer?.rewrite(clause) ?? clause;
  }

  /** A rule set as its rules have it, before the optimiser. */
  lowered(index: number): RuleSet {
    const known = this.asLowered.get(index);
    if (known !== undefined) return known;
    const set = this.lowerSet(this.set(index), this.nodes[index] as TreeNode);
    this.asLowered.set(index, set);
    return set;
  }

  /** The rules of a rule set. */
  rulesOf(index: number): readonly WorkRule[] {
    return this.nodes[index]?.rules ?? [];
  }

  private number(node: TreeNode): void {
    // A rule with variables in its reference takes in the rules below it: they define parts of the
    // same document.
    if (node.rules.some((rule) => !isGroundRef(rule.ref))) {
      for (const below of node.descendants()) {
        node.rules.push(...below.rules);
        below.rules.length = 0;
      }
      node.children.clear();
    }
    for (const child of node.children.values()) this.number(child);
    if (node.rules.length > 0) {
      node.ruleSet = this.sets.length;
      this.nodes.push(node);
      this.sets.push(this.newSet(node));
      return;
    }
    node.extent = this.extents.length;
    const keys = sortValues([...node.children.values()].map((child) => child.key));
    const children = keys
      .filter((key) => !(node === this.tree.root && key === 'system'))
      .map((key) => {
        const child = node.children.get(keyOf(key)) as TreeNode;
        return { key, set: child.ruleSet, extent: child.extent };
      });
    this.extents.push({ index: node.extent, basePath: this.basePath(node.path), children });
  }

  private newSet(node: TreeNode): RuleSet {
    const [first] = node.rules as [WorkRule];
    let kind: RuleSetKind = 'complete';
    if (node.isFunction || first.args !== undefined) kind = 'function';
    else if (!node.rules.every((rule) => isGroundRef(rule.ref))) kind = 'object';
    else if (first.kind === 'multi') kind = 'set';
    return {
      index: node.ruleSet,
      path: node.path,
      name: formatRef(first.ref),
      kind,
      arity: first.args?.length ?? 0,
      clauses: [],
      fallback: undefined,
      isUniform: false,
      basePath: this.basePath(node.path),
    };
  }

  basePath(path: readonly Value[]): number {
    const id = basePathId(path);
    const known = this.basePathIndex.get(id);
    if (known !== undefined) return known;
    this.basePaths.push(path);
    this.basePathIndex.set(id, this.basePaths.length - 1);
    return this.basePaths.length - 1;
  }

  /**
   * The number of a path, or of the longest part of its beginning that has one, and that part's length: whoever asks for ever new
   * documents does not make the plan grow for ever.
   */
  nearestBasePath(path: readonly Value[]): { readonly index: number; readonly length: number } {
    if (this.basePaths.length < this.maxBasePaths) return { index: this.basePath(path), length: path.length };
    for (let length = path.length; length > 0; length -= 1) {
      const index = this.basePathIndex.get(basePathId(path.slice(0, length)));
      if (index !== undefined) return { index, length };
    }
    return { index: this.basePath([]), length: 0 };
  }

  /** A number for what a comprehension keeps (`World.group`). */
  newGroup(): number {
    this.groups += 1;
    return this.groups - 1;
  }

  set(index: number): RuleSet {
    return this.sets[index] as RuleSet;
  }

  builtin(name: string): Builtin | undefined {
    return this.builtins.get(name);
  }

  /** The function's rule set when the operator is a reference to one. */
  functionSet(operator: Term): number | undefined {
    if (operator.kind !== 'ref') return undefined;
    const [head, ...rest] = operator.terms;
    if (head?.kind !== 'var' || head.name !== 'data') return undefined;
    if (!rest.every((term) => term.kind === 'scalar')) return undefined;
    const node = this.tree.find(rest.map((term) => (term.kind === 'scalar' ? term.value : '')));
    return node !== undefined && node.ruleSet >= 0 && this.set(node.ruleSet).kind === 'function'
      ? node.ruleSet
      : undefined;
  }

  arityOf(operator: Term): number | undefined {
    const set = this.functionSet(operator);
    if (set !== undefined) return this.set(set).arity;
    return builtinArity(this.builtins, operatorName(operator) ?? '');
  }

  /** How many keys a partial rule set can be asked with. */
  keyCount(node: TreeNode): number {
    const skip = node.path.length + 1;
    return Math.max(...node.rules.map((rule) => rule.ref.length - skip + (rule.kind === 'multi' ? 1 : 0)));
  }

  lookup(node: TreeNode, arity: number): number {
    const id = `${node.ruleSet}:${arity}`;
    const known = this.lookupIndex.get(id);
    if (known !== undefined) return known;
    const lookup: Lookup = { index: this.lookups.length, set: node.ruleSet, arity, clauses: [] };
    this.lookupIndex.set(id, lookup.index);
    this.lookups.push(lookup);
    return lookup.index;
  }

  /** The clauses of a partial set with its member known, for the optimiser. */
  lookupClauses(set: number): readonly Clause[] {
    const node = this.nodes[set] as TreeNode;
    return node.rules.map((rule) => this.lowerPartial(rule, node, 1));
  }

  private lowerSet(set: RuleSet, node: TreeNode): RuleSet {
    const rules = node.rules.filter((rule) => !rule.isDefault);
    const fallback = node.rules.find((rule) => rule.isDefault);
    if (set.kind === 'set' || set.kind === 'object') {
      return { ...set, clauses: rules.map((rule) => this.lowerPartial(rule, node, 0)) };
    }
    const clauses = rules.map((rule) => this.lowerRule(rule));
    return { ...set, clauses, fallback: fallback && this.lowerRule(fallback), isUniform: isUniform(clauses) };
  }

  private lowerer(rule: WorkRule): Lowerer {
    const lowerer = new Lowerer(this);
    lowerer.metadata = () => this.metadata(rule);
    return lowerer;
  }

  private lowerRule(rule: WorkRule): Clause {
    const lowerer = this.lowerer(rule);
    const args = rule.args ?? [];
    for (let i = 0; i < args.length; i++) lowerer.newSlot();
    const { steps, result } = lowerer.nested(() => {
      for (const [index, arg] of args.entries()) lowerer.match(arg, lowerer.local(index), arg.location);
      lowerer.body(rule.body);
      return rule.value === undefined ? ({ op: 'const', value: true } as const) : lowerer.atom(rule.value);
    });
    const otherwise = rule.otherwise.map((branch) => this.lowerRule(branch));
    return lowerer.clause({
      steps,
      value: result,
      keys: [],
      leafIsSet: false,
      otherwise,
      location: rule.source.head.location,
    });
  }

  private lowerPartial(rule: WorkRule, node: TreeNode, arity: number): Clause {
    const lowerer = this.lowerer(rule);
    for (let i = 0; i < arity; i++) lowerer.newSlot();
    const heads = rule.ref.slice(node.path.length + 1);
    const asked = rule.kind === 'multi' && rule.key !== undefined ? [...heads, rule.key] : heads;
    const { steps, result } = lowerer.nested(() => {
      for (let i = 0; i < Math.min(arity, asked.length); i++) {
        const head = asked[i] as Term;
        if (isPattern(head)) lowerer.match(head, lowerer.local(i), head.location);
      }
      lowerer.body(rule.body);
      for (let i = 0; i < Math.min(arity, asked.length); i++) {
        const head = asked[i] as Term;
        if (!isPattern(head)) lowerer.match(head, lowerer.local(i), head.location);
      }
      const keys: Atom[] = heads.map((head) => lowerer.atom(head));
      const element = rule.kind === 'multi' ? rule.key : rule.value;
      const value: Atom = element === undefined ? { op: 'const', value: true } : lowerer.atom(element);
      return { keys, value };
    });
    const { value, keys } = result;
    const leafIsSet = rule.kind === 'multi';
    return lowerer.clause({ steps, value, keys, leafIsSet, otherwise: [], location: rule.source.head.location });
  }
}

/** Whether a value tells the term's variables: not so in a set. */
function isPattern(term: Term): boolean {
  if (term.kind === 'scalar' || term.kind === 'var') return true;
  if (term.kind === 'array') return term.items.every(isPattern);
  return term.kind === 'object' && term.entries.every(([key, value]) => key.kind === 'scalar' && isPattern(value));
}

/** Every clause gives the same constant. */
function isUniform(clauses: readonly Clause[]): boolean {
  const values = clauses.flatMap((clause) => [clause, ...clause.otherwise]).map((clause) => clause.value);
  const [first] = values;
  if (first?.op !== 'const') return false;
  return values.every((value) => value.op === 'const' && equal(value.value, first.value));
}

const OWN_ARITIES: Readonly<Record<string, number>> = {
  eq: 2,
  'internal.member_2': 2,
  'internal.member_3': 3,
  'internal.template_string': 1,
  'rego.metadata.chain': 0,
  'rego.metadata.rule': 0,
};

export function builtinArity(builtins: ReadonlyMap<string, Builtin>, name: string): number | undefined {
  return OWN_ARITIES[name] ?? builtins.get(name)?.args.length;
}

const basePathId = (path: readonly Value[]): string =>
  path.map((key) => `${typeof key}:${String(keyOf(key))}`).join('\u0001');
