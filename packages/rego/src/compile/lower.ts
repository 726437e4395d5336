/**
 * From ordered bodies to steps. Because every body is already ordered for safety, it is known here
 * which variables are bound: an equality becomes an assignment, a comparison or a destructuring, a
 * reference becomes lookups and loops, never a unification. What a `data` reference reaches (rules,
 * base documents, or both) is decided here as well.
 *
 * Over 500 lines: one walk over expressions and terms with the state they share.
 */
import type { Body, Expression, Location, Term } from '../syntax/ast.js';
import { isComprehension, operatorName } from '../syntax/ast.js';
import { entriesOf, isArray, isObject, isSet, keyOf, makeObject, makeSet, type Value } from '../values/index.js';
import { lowerWith } from './lower-with.js';
import { isEquality } from './model.js';
import type { Atom, Clause, Comparison, ConstOp, Op, Step } from './plan.js';
import type { PlanBuilder } from './plan-builder.js';
import type { TreeNode } from './rule-tree.js';
import { inLiteralOrder } from './term-order.js';
import { isConstant } from './type-environment.js';
import { sameKey, varsOf } from './walk.js';

const COMPARISONS: ReadonlySet<string> = new Set(['equal', 'neq', 'lt', 'lte', 'gt', 'gte']);
const TRUE: Atom = { op: 'const', value: true };

export class LoweringError extends Error {}

/** A pair still to be made equal. */
interface Pending {
  readonly left: Term;
  readonly right: Term;
}

/** Where a reference stands on its way from `data`. */
type Cursor = { readonly node: TreeNode | undefined; readonly path: readonly Value[] };

export class Lowerer {
  readonly builder: PlanBuilder;
  slots = 0;
  worlds = 1;
  world = 0;
  private steps: Step[] = [];
  private bound = new Map<string, Atom>();
  private assigned = new Map<string, number>();
  /** By slot or constant: the elements or keys of a literal that has more than constants, in the order OPA goes through them. */
  private readonly literals = new Map<number | Value, readonly Atom[]>();
  /** The metadata of the rule being lowered, for `rego.metadata`. */
  metadata: () => { readonly chain: Value; readonly rule: Value } = () => ({ chain: [], rule: {} });

  constructor(builder: PlanBuilder) {
    this.builder = builder;
  }

  newSlot(): number {
    this.slots += 1;
    return this.slots - 1;
  }

  emit(step: Step): void {
    this.steps.push(step);
  }

  local(slot: number): Atom {
    return { op: 'local', slot };
  }

  /** Runs `action` collecting its steps apart; variables bound inside stay inside. */
  nested<T>(action: () => T): { readonly steps: readonly Step[]; readonly result: T } {
    const { steps, bound, world } = this;
    this.steps = [];
    this.bound = new Map(bound);
    const result = action();
    const inner = this.steps;
    this.steps = steps;
    this.bound = bound;
    this.world = world;
    return { steps: inner, result };
  }

  isBound(name: string): boolean {
    return this.bound.has(name);
  }

  binding(name: string): Atom | undefined {
    return this.bound.get(name);
  }

  bind(name: string, atom: Atom): void {
    const slot = this.assigned.get(name);
    if (slot === undefined) {
      this.bound.set(name, atom);
      return;
    }
    this.emit({ step: 'let', slot, value: atom });
    this.bound.set(name, this.local(slot));
  }

  /** Stores an operation's value, failing when undefined. */
  store(value: Op, at?: Location): Atom {
    if (value.op === 'const' || value.op === 'local') return value;
    const slot = this.newSlot();
    this.emit(at === undefined ? { step: 'let', slot, value } : { step: 'let', slot, value, at });
    return this.local(slot);
  }

  /** Closes the clause: its slots and worlds are counted now. */
  clause(parts: Omit<Clause, 'slots' | 'worlds'>): Clause {
    return { ...parts, slots: this.slots, worlds: this.worlds };
  }

  body(body: Body): void {
    let shared: { modifiers: Expression['with']; world: number } | undefined;
    for (const expression of body) {
      if (expression.with.length === 0) {
        this.expression(expression);
        continue;
      }
      const outer = this.world;
      if (shared === undefined || shared.modifiers !== expression.with) {
        shared = { modifiers: expression.with, world: lowerWith(this, expression.with) };
      }
      this.world = shared.world;
      this.expression(expression);
      this.world = outer;
    }
  }

  private expression(expression: Expression): void {
    const at = expression.location;
    if (expression.negated) {
      const hoisted = this.hoistExpression(expression);
      const { steps } = this.nested(() => this.positive(hoisted));
      this.emit({ step: 'not', steps, at });
      return;
    }
    this.positive(expression);
  }

  /**
   * The references a negated expression reads as arguments or indexes are evaluated before the
   * negation, as OPA's RewriteDynamicTerms has it: where one is undefined, `not` fails too.
   */
  private hoistExpression(expression: Expression): Expression {
    if (expression.kind === 'term') return { ...expression, term: this.hoistOperand(expression.term) };
    if (expression.kind !== 'call') return expression;
    // `==` is `=` by now in OPA: its operands stay inside the negation.
    const isEqual = expression.args.length === 2 && ['eq', 'equal'].includes(operatorName(expression.operator) ?? '');
    const hoist = (term: Term): Term => (isEqual ? this.hoistOperand(term) : this.hoistTerm(term));
    return { ...expression, args: expression.args.map(hoist) };
  }

  private hoistOperand(term: Term): Term {
    if (isComprehension(term)) return term;
    if (term.kind !== 'ref') return this.hoistTerm(term);
    return { ...term, terms: term.terms.map((part, index) => (index === 0 ? part : this.hoistTerm(part))) };
  }

  private hoistTerm(term: Term): Term {
    const each = (child: Term): Term => this.hoistTerm(child);
    switch (term.kind) {
      case 'array':
      case 'set':
        return { ...term, items: term.items.map(each) };
      case 'object':
        return { ...term, entries: term.entries.map(([key, value]) => [each(key), each(value)] as const) };
      case 'ref':
      case 'array-comprehension':
      case 'set-comprehension':
      case 'object-comprehension': {
        const name = `~hoisted${this.slots}`;
        this.bound.set(name, this.atom(term));
        return { kind: 'var', name, location: term.location };
      }
      default:
        return term;
    }
  }

  private positive(expression: Expression): void {
    const at = expression.location;
    switch (expression.kind) {
      case 'term':
        this.emit({ step: 'test', value: this.operation(expression.term), at });
        return;
      case 'call':
        this.call(expression);
        return;
      case 'not': {
        const { steps } = this.nested(() => this.body(expression.body));
        this.emit({ step: 'not', steps, at });
        return;
      }
      case 'and': {
        for (const body of [expression.left, expression.right]) {
          const { steps } = this.nested(() => this.body(body));
          this.emit({ step: 'some', branches: [steps], at });
        }
        return;
      }
      case 'or': {
        const branches = [expression.left, expression.right].map((body) => this.nested(() => this.body(body)).steps);
        this.emit({ step: 'some', branches, at });
        return;
      }
      case 'every': {
        const from = this.atom(expression.domain);
        const key = expression.key === undefined ? -1 : this.newSlot();
        const value = this.newSlot();
        const { steps } = this.nested(() => {
          if (expression.key !== undefined) this.bound.set(expression.key.name, this.local(key));
          this.bound.set(expression.value.name, this.local(value));
          this.body(expression.body);
        });
        this.emit({ step: 'every', from, key, value, steps, at });
        return;
      }
      case 'some':
        return;
    }
  }

  private call(expression: Expression & { kind: 'call' }): void {
    const { args, operator, location } = expression;
    const [left, right] = args;
    if (isEquality(expression) && left !== undefined && right !== undefined) {
      this.unify(left, right, location);
      return;
    }
    const name = operatorName(operator) ?? '';
    const isPlainComparison = name === 'equal' && args.length === 2 && left !== undefined && right !== undefined;
    if (isPlainComparison && this.comparedWithComprehension(left, right, location)) return;
    const arity = this.builder.arityOf(operator) ?? args.length;
    const inputs = this.atoms(args.slice(0, arity));
    const output = args[arity];
    const builtin = this.builder.builtin(name);
    const isRelation = builtin?.relation === true;
    const value = this.callOperation(operator, name, inputs, location);
    if (isRelation) {
      const slot = this.newSlot();
      this.emit({ step: 'relation', from: value, value: slot, at: location });
      if (output !== undefined) this.match(output, this.local(slot), location);
      return;
    }
    if (output === undefined) {
      if (value.op === 'compare' && value.by === 'equal')
        this.emit({ step: 'equal', left: value.left, right: value.right, at: location });
      else this.emit({ step: 'test', value, at: location });
      return;
    }
    this.match(output, this.store(value, location), location);
  }

  /** Evaluates terms, first those that bind what others read: `foo == xs[foo]`. */
  private atoms(terms: readonly Term[]): readonly Atom[] {
    const atoms: (Atom | undefined)[] = terms.map((term) => (this.isSource(term) ? this.atom(term) : undefined));
    return terms.map((term, index) => atoms[index] ?? this.atom(term));
  }

  private callOperation(operator: Term, name: string, args: readonly Atom[], at: Location): Op {
    const { world } = this;
    const [first = TRUE, second = TRUE, third = TRUE] = args;
    if (COMPARISONS.has(name)) return { op: 'compare', world, by: name as Comparison, left: first, right: second, at };
    if (name === 'internal.member_2') return { op: 'member', key: undefined, value: first, of: second };
    if (name === 'internal.member_3') return { op: 'member', key: first, value: second, of: third };
    if (name === 'rego.metadata.chain') return { op: 'const', value: this.metadata().chain };
    if (name === 'rego.metadata.rule') return { op: 'const', value: this.metadata().rule };
    const set = this.builder.functionSet(operator);
    if (set !== undefined) return { op: 'call', world, set, args, at };
    const builtin = this.builder.builtin(name);
    if (builtin === undefined) throw new LoweringError(`undefined function ${name}`);
    return { op: 'builtin', world, builtin, args, at };
  }

  /** Whether every variable a term reads is bound. */
  private isReady(term: Term): boolean {
    for (const name of varsOf(term, { skipClosures: true, skipCallHead: true })) {
      if (name !== 'data' && name !== 'input' && !this.bound.has(name)) return false;
    }
    return true;
  }

  /** Whether the term can be evaluated, binding what its references leave open. */
  private isSource(term: Term): boolean {
    if (term.kind === 'var') return this.bound.has(term.name);
    if (term.kind === 'ref') {
      const [head] = term.terms;
      return head?.kind !== 'var' || head.name === 'data' || head.name === 'input' || this.bound.has(head.name);
    }
    if (term.kind === 'array' || term.kind === 'set') return term.items.every((item) => this.isSource(item));
    if (term.kind === 'object') return term.entries.every(([key, value]) => this.isSource(key) && this.isSource(value));
    return true;
  }

  unify(left: Term, right: Term, at: Location): void {
    let pending: Pending[] = [{ left, right }];
    while (pending.length > 0) {
      const later: Pending[] = [];
      for (const pair of pending) this.unifyPair(pair, later, at);
      if (later.length === pending.length && !this.progressed(pending, later)) {
        throw new LoweringError('variables cannot be bound');
      }
      pending = later;
    }
  }

  private progressed(before: readonly Pending[], after: readonly Pending[]): boolean {
    return after.some((pair, index) => pair !== before[index]);
  }

  private unifyPair(pair: Pending, later: Pending[], at: Location): void {
    const { left, right } = pair;
    if (left.kind === 'array' && right.kind === 'array') {
      if (left.items.length !== right.items.length) this.emit({ step: 'fail', at });
      else if (!(this.isReady(left) && this.isReady(right))) {
        for (const [index, item] of left.items.entries()) later.push({ left: item, right: right.items[index] as Term });
        return;
      }
    }
    if (left.kind === 'object' && right.kind === 'object' && !this.isReady(left) && !this.isReady(right)) {
      this.unifyObjects(left, right, later, at);
      return;
    }
    if (this.isReady(left) && this.isReady(right)) {
      if (this.comparedWithComprehension(left, right, at)) return;
      this.emit({ step: 'equal', left: this.operation(left), right: this.operation(right), at });
    } else if (this.isSource(right) && (left.kind !== 'ref' || this.isReady(right))) {
      this.match(left, this.atom(right), at);
    } else if (this.isSource(left)) this.match(right, this.atom(left), at);
    else later.push(pair);
  }

  /** An object comprehension is evaluated only beside an object: OPA meets its conflicts only then. */
  private comparedWithComprehension(left: Term, right: Term, at: Location): boolean {
    const [closure, other] = left.kind === 'object-comprehension' ? [left, right] : [right, left];
    if (closure.kind !== 'object-comprehension' || isComprehension(other)) return false;
    const value = this.atom(other);
    this.emit({ step: 'object-shape', value, size: -1, at });
    this.emit({ step: 'equal', left: value, right: this.operation(closure), at });
    return true;
  }

  private unifyObjects(
    left: Term & { kind: 'object' },
    right: Term & { kind: 'object' },
    later: Pending[],
    at: Location,
  ): void {
    if (left.entries.length !== right.entries.length) {
      this.emit({ step: 'fail', at });
      return;
    }
    for (const [key, value] of left.entries) {
      const other = right.entries.find(([candidate]) => sameKey(key, candidate));
      if (other === undefined) this.emit({ step: 'fail', at });
      else later.push({ left: value, right: other[1] });
    }
  }

  /** Makes a pattern equal to a value, binding its open variables. */
  match(pattern: Term, value: Atom, at: Location): void {
    if (pattern.kind === 'var' && !this.bound.has(pattern.name)) {
      this.bind(pattern.name, value);
      return;
    }
    if (this.isReady(pattern)) {
      this.emit({ step: 'equal', left: this.operation(pattern), right: value, at });
      return;
    }
    if (pattern.kind === 'array') {
      this.emit({ step: 'array-shape', value, size: pattern.items.length, at });
      for (const [index, item] of pattern.items.entries()) {
        if (item.kind === 'var' && item.name.startsWith('$')) continue;
        const element = this.store({ op: 'get', from: value, key: { op: 'const', value: index } });
        this.match(item, element, at);
      }
      return;
    }
    if (pattern.kind === 'object') {
      this.emit({ step: 'object-shape', value, size: pattern.entries.length, at });
      for (const [key, item] of pattern.entries) {
        const element = this.store({ op: 'get', from: value, key: this.atom(key) });
        this.match(item, element, at);
      }
      return;
    }
    this.emit({ step: 'equal', left: this.atom(pattern), right: value, at });
  }

  /** Evaluates a term to an atom, emitting what is needed before. */
  atom(term: Term): Atom {
    if (term.kind !== 'set' && term.kind !== 'object') return this.store(this.operation(term), term.location);
    const keys: Atom[] = [];
    const atom = this.store(term.kind === 'set' ? this.set(term, keys) : this.object(term, keys), term.location);
    const isOpen = term.kind === 'set' ? !isConstant(term) : term.entries.some(([key]) => !isConstant(key));
    if (isOpen && keys.length > 1) this.literals.set(atom.op === 'local' ? atom.slot : (atom as ConstOp).value, keys);
    return atom;
  }

  /** The operation whose value the term is; loops for its open variables are emitted first. */
  operation(term: Term): Op {
    switch (term.kind) {
      case 'scalar':
        return { op: 'const', value: term.value };
      case 'var': {
        const atom = this.bound.get(term.name);
        if (atom === undefined) throw new LoweringError(`var ${term.name} is not bound`);
        return atom;
      }
      case 'ref':
        return this.reference(term);
      case 'array': {
        const items = term.items.map((item) => this.atom(item));
        const values = constantsOf(items);
        return values === undefined ? { op: 'array', items } : { op: 'const', value: values };
      }
      case 'set':
        return this.set(term, []);
      case 'object':
        return this.object(term, []);
      case 'array-comprehension':
      case 'set-comprehension': {
        const { steps, result } = this.nested(() => {
          this.body(term.body);
          return this.atom(term.term);
        });
        return { op: 'comprehension', of: term.kind === 'array-comprehension' ? 'array' : 'set', steps, item: result };
      }
      case 'object-comprehension': {
        const { steps, result } = this.nested(() => {
          this.body(term.body);
          return [this.atom(term.key), this.atom(term.value)] as const;
        });
        return { op: 'object-comprehension', steps, key: result[0], value: result[1], at: term.key.location };
      }
      default:
        throw new LoweringError(`unexpected ${term.kind}`);
    }
  }

  /** Puts the elements, in OPA's order, into `items`. */
  private set(term: Term & { kind: 'set' }, items: Atom[]): Op {
    for (const item of inLiteralOrder(term.items, (each) => each)) items.push(this.atom(item));
    const values = constantsOf(items);
    return values === undefined ? { op: 'set', items } : { op: 'const', value: makeSet(values) };
  }

  /**
   * Where a variable turns out to be a key that is written out, the variable's value counts: OPA puts keys in in the order of terms,
   * constants first. Only in a literal that is looked into the first counts. Puts the keys, in that order, into `keys`.
   */
  private object(term: Term & { kind: 'object' }, keys: Atom[]): Op {
    const values: Atom[] = [];
    for (const [key, value] of inLiteralOrder(term.entries, ([each]) => each)) {
      keys.push(this.atom(key));
      values.push(this.atom(value));
    }
    const constantKeys = constantsOf(keys);
    const constantValues = constantsOf(values);
    if (constantKeys !== undefined && constantValues !== undefined && distinct(constantKeys)) {
      return {
        op: 'const',
        value: makeObject(constantKeys.map((key, index) => [key, constantValues[index] as Value])),
      };
    }
    const entries = keys.map((key, index) => [key, values[index] as Atom] as const);
    return { op: 'object', entries: term.isHead === true ? entries.reverse() : entries, at: term.location };
  }

  private reference(term: Term & { kind: 'ref' }): Op {
    const [head, ...rest] = term.terms;
    if (head === undefined) throw new LoweringError('empty reference');
    if (head.kind === 'var' && head.name === 'input' && !this.bound.has('input')) {
      return this.lookups({ op: 'input', world: this.world }, rest);
    }
    if (head.kind === 'var' && head.name === 'data' && !this.bound.has('data')) {
      return this.document({ node: this.builder.tree.root, path: [] }, rest);
    }
    return this.lookups(this.operation(head), rest);
  }

  /** Steps into a value: a lookup for what is bound, a loop for what is not. */
  private lookups(from: Op, terms: readonly Term[]): Op {
    let current = from;
    for (const term of terms) {
      if (this.isReady(term) || term.kind === 'ref') {
        current = { op: 'get', from: current, key: this.atom(term) };
        continue;
      }
      const literal = current.op === 'local' || current.op === 'const' ? this.literalOf(current) : undefined;
      if (literal !== undefined) {
        current = this.literalStep(current, literal, term);
        continue;
      }
      const value = this.newSlot();
      const isWildcard = term.kind === 'var' && term.name.startsWith('$');
      const key = isWildcard ? -1 : this.newSlot();
      this.emit({ step: 'iterate', from: current, key, value, at: term.location });
      if (!isWildcard) this.match(term, this.local(key), term.location);
      current = this.local(value);
    }
    return current;
  }

  private literalOf(atom: Atom): readonly Atom[] | undefined {
    return this.literals.get(atom.op === 'local' ? atom.slot : atom.value);
  }

  /** A loop over a literal in the order of its terms: `keys` are the elements of a set or the keys of an object. */
  private literalStep(from: Op, keys: readonly Atom[], term: Term): Op {
    const key = this.newSlot();
    this.emit({ step: 'iterate', from: { op: 'array', items: keys }, key: -1, value: key, at: term.location });
    if (term.kind !== 'var' || !term.name.startsWith('$')) this.match(term, this.local(key), term.location);
    return { op: 'get', from, key: this.local(key) };
  }

  /** A reference from `data` on: through packages, into rules or base documents. */
  private document(cursor: Cursor, terms: readonly Term[]): Op {
    const [term, ...rest] = terms;
    const { node, path } = cursor;
    const { world } = this;
    if (node === undefined) return this.baseDocument(path, terms);
    if (node.rules.length > 0) return this.ruleDocument(node, terms);
    if (term === undefined) return { op: 'extent', world, extent: node.extent };
    const key = this.constantKey(term);
    if (key !== undefined) {
      const child = node.child(key);
      return this.document({ node: child, path: [...path, key] }, rest);
    }
    return this.branches(node, path, term, rest);
  }

  private constantKey(term: Term): Value | undefined {
    if (term.kind === 'scalar') return term.value;
    if (term.kind !== 'var') return undefined;
    const atom = this.bound.get(term.name);
    return atom?.op === 'const' ? atom.value : undefined;
  }

  private baseDocument(path: readonly Value[], terms: readonly Term[]): Op {
    let end = 0;
    const full = [...path];
    for (const term of terms) {
      const key = this.constantKey(term);
      if (key === undefined) break;
      full.push(key);
      end += 1;
    }
    const { index, length } = this.builder.nearestBasePath(full);
    let document: Op = { op: 'base', world: this.world, path: index };
    for (const key of full.slice(length)) document = { op: 'get', from: document, key: { op: 'const', value: key } };
    return this.lookups(document, terms.slice(end));
  }

  private ruleDocument(node: TreeNode, terms: readonly Term[]): Op {
    const { world } = this;
    const set = this.builder.set(node.ruleSet);
    if (set.kind === 'function') {
      this.emit({ step: 'fail' });
      return TRUE;
    }
    const isPartial = set.kind === 'set' || set.kind === 'object';
    const limit = isPartial ? this.builder.keyCount(node) : 0;
    const keys: Atom[] = [];
    for (const term of terms.slice(0, limit)) {
      if (!this.isReady(term) && term.kind !== 'ref') break;
      keys.push(this.atom(term));
    }
    if (keys.length === 0) return this.lookups({ op: 'rule', world, set: set.index }, terms);
    const lookup = this.builder.lookup(node, keys.length);
    return this.lookups({ op: 'lookup', world, lookup, keys }, terms.slice(keys.length));
  }

  /** A variable step between packages: one branch for each child, one for what only the base has. */
  private branches(node: TreeNode, path: readonly Value[], term: Term, rest: readonly Term[]): Op {
    const result = this.newSlot();
    const open = new Set<string>();
    for (const part of [term, ...rest]) {
      for (const name of varsOf(part, { skipClosures: true, skipRefHead: true }))
        if (!this.bound.has(name)) open.add(name);
    }
    const ready = this.isReady(term) || term.kind === 'ref' ? this.atom(term) : undefined;
    const slots = new Map<string, number>();
    for (const name of open) slots.set(name, this.newSlot());
    const outerAssigned = this.assigned;
    this.assigned = new Map([...outerAssigned, ...slots]);
    const branches: (readonly Step[])[] = [];
    const children = [...node.children.values()];
    for (const child of children) {
      const branch = this.nested(() => {
        const key: Atom = { op: 'const', value: child.key };
        if (ready === undefined) this.match(term, key, term.location);
        else this.emit({ step: 'equal', left: ready, right: key });
        const value = this.document({ node: child, path: [...path, child.key] }, rest);
        this.emit({ step: 'let', slot: result, value });
      });
      branches.push(branch.steps);
    }
    const keys = children.map((child) => child.key);
    const base = this.nested(() => {
      const document: Op = { op: 'base', world: this.world, path: this.builder.basePath(path) };
      let value: Op;
      if (ready === undefined) {
        const key = this.newSlot();
        const element = this.newSlot();
        this.emit({ step: 'iterate', from: document, key, value: element });
        this.emit({ step: 'not-key', value: this.local(key), keys });
        this.match(term, this.local(key), term.location);
        value = this.local(element);
      } else {
        this.emit({ step: 'not-key', value: ready, keys });
        value = { op: 'get', from: document, key: ready };
      }
      this.emit({ step: 'let', slot: result, value: this.lookups(value, rest) });
    });
    branches.push(base.steps);
    this.assigned = outerAssigned;
    this.emit({ step: 'choice', branches, at: term.location });
    for (const [name, slot] of slots) this.bind(name, this.local(slot));
    return this.local(result);
  }
}

/** Collections a constant may have inside of it: what is larger is made when it is needed, within the budget of the evaluation. */
const MAX_CONSTANT_WEIGHT = 100_000;
const weights = new WeakMap<object, number>();

function weightOf(value: Value): number {
  if (typeof value !== 'object' || value === null) return 0;
  let weight = weights.get(value);
  if (weight !== undefined) return weight;
  weight = 1;
  if (isArray(value) || isSet(value)) for (const member of value.values()) weight += weightOf(member);
  else if (isObject(value)) for (const [key, member] of entriesOf(value)) weight += weightOf(key) + weightOf(member);
  weights.set(value, weight);
  return weight;
}

/** The values, if all are known and they are not too much to put into one. */
function constantsOf(atoms: readonly Atom[]): readonly Value[] | undefined {
  const values: Value[] = [];
  let weight = 0;
  for (const atom of atoms) {
    if (atom.op !== 'const') return undefined;
    values.push(atom.value);
    weight += weightOf(atom.value);
  }
  return weight > MAX_CONSTANT_WEIGHT ? undefined : values;
}

function distinct(keys: readonly Value[]): boolean {
  return new Set(keys.map(keyOf)).size === keys.length;
}
