/**
 * Stage "safety": orders every body so that variables are bound before they are read, and reports
 * those that nothing binds (`rego_unsafe_var_error`). The order found here is the order of
 * evaluation. Follows OPA's reorderBodyForSafety.
 *
 * Over 500 lines: the ordering and what each kind of expression reads and binds, which it asks in turn.
 */
import type { Body, Expression, Location, Term } from '../syntax/ast.js';
import { isComprehension } from '../syntax/ast.js';
import { type CompileContext, isEquality, report, type WorkRule, writtenName } from './model.js';
import {
  BINDABLE_VARS,
  bodyVars,
  expressionVars,
  mapEntry,
  mapItems,
  SAFETY_VARS,
  sameKey,
  termVars,
  type VarOptions,
  varsOf,
  walkExpression,
  withParts,
} from './walk.js';

/** Arguments a function takes; undefined for a name that is none. */
export type ArityOf = (operator: Term) => number | undefined;

type Names = Set<string>;
/** What is bound; a set, or a view of sets that are not copied for it. */
type Known = Pick<ReadonlySet<string>, 'has'>;
type Unsafe = Map<Expression, Names>;

const NO_NAMES: ReadonlySet<string> = new Set();

function isSubset(a: ReadonlySet<string>, b: Known): boolean {
  for (const item of a) if (!b.has(item)) return false;
  return true;
}

function isReferenceSafe(term: Term, safe: Known): boolean {
  if (term.kind !== 'ref') return false;
  const [head] = term.terms;
  if (head === undefined) return false;
  if (head.kind === 'var') return safe.has(head.name);
  return isSubset(varsOf(head, SAFETY_VARS), safe);
}

/** Whether OPA has a comprehension bind the variables of a pattern: which side it is on makes a difference. */
function fits(pattern: Term & { kind: 'array' | 'object' }, source: Term, isLeft: boolean): boolean {
  if (pattern.kind === 'array') return isLeft ? isComprehension(source) : source.kind === 'array-comprehension';
  return !isLeft && source.kind === 'object-comprehension';
}

/** Works out which variables an equality binds, given those known: OPA's Unify. */
class Unifier {
  readonly unified: Names = new Set();
  private readonly safe: Known;
  private readonly unknown = new Map<string, Names>();

  constructor(safe: Known) {
    this.safe = safe;
  }

  private isSafe(name: string): boolean {
    return this.safe.has(name) || this.unified.has(name);
  }

  unify(a: Term, b: Term): void {
    if (a.kind === 'var') this.unifyVar(a.name, b);
    else if (b.kind === 'var') this.unifyVar(b.name, a);
    else if (a.kind === 'array' && b.kind === 'array') {
      if (a.items.length !== b.items.length) return;
      for (const [index, item] of a.items.entries()) this.unify(item, b.items[index] as Term);
    } else if (a.kind === 'object' && b.kind === 'object') this.unifyObjects(a, b);
    else {
      this.unifyPattern(a, b, true);
      this.unifyPattern(b, a, false);
    }
  }

  private unifyObjects(a: Term & { kind: 'object' }, b: Term & { kind: 'object' }): void {
    if (a.entries.length !== b.entries.length) return;
    for (const [key, value] of a.entries) {
      const other = b.entries.find(([candidate]) => sameKey(key, candidate));
      if (other !== undefined) this.unify(value, other[1]);
    }
  }

  private unifyPattern(pattern: Term, source: Term, isLeft: boolean): void {
    if (pattern.kind !== 'array' && pattern.kind !== 'object') return;
    if (this.isEvaluated(source) ?? fits(pattern, source, isLeft)) this.markAll(pattern);
  }

  /** Whether a reference or a call can be evaluated; undefined for other terms. */
  private isEvaluated(term: Term): boolean | undefined {
    if (term.kind === 'ref') return isReferenceSafe(term, this.safe);
    return term.kind === 'call' ? isSubset(varsOf(term, SAFETY_VARS), this.safe) : undefined;
  }

  private unifyVar(name: string, other: Term): void {
    if (other.kind === 'var') {
      if (this.isSafe(other.name)) this.mark(name);
      else if (this.isSafe(name)) this.mark(other.name);
      else {
        this.depend(name, other.name);
        this.depend(other.name, name);
      }
    } else if (other.kind === 'array' || other.kind === 'object') this.unifyAll(name, other);
    else if (this.isEvaluated(other) ?? true) this.mark(name);
  }

  private unifyAll(name: string, term: Term): void {
    if (this.isSafe(name)) {
      this.markAll(term);
      return;
    }
    const missing = [...varsOf(term, BINDABLE_VARS)].filter((inner) => !this.isSafe(inner));
    if (missing.length === 0) this.mark(name);
    for (const inner of missing) this.depend(name, inner);
  }

  private depend(name: string, on: string): void {
    const names = this.unknown.get(name) ?? new Set<string>();
    names.add(on);
    this.unknown.set(name, names);
  }

  private markAll(term: Term): void {
    for (const name of varsOf(term, BINDABLE_VARS)) this.mark(name);
  }

  private mark(name: string): void {
    this.unified.add(name);
    const waiting = this.unknown.get(name);
    this.unknown.delete(name);
    for (const other of waiting ?? []) this.mark(other);
    for (const [other, on] of [...this.unknown]) {
      if (!on.delete(name) || on.size > 0) continue;
      this.mark(other);
    }
  }
}

function collectReferenceOutputs(node: Term | Expression, safe: Known, into: Names): void {
  if (node.kind === 'scalar' || node.kind === 'var') return;
  const visitor = {
    term: (term: Term): boolean => {
      if (isComprehension(term) || term.kind === 'template') return false;
      if (term.kind !== 'ref') return true;
      if (!isReferenceSafe(term, safe)) return false;
      termVars(term, { skipRefHead: true }, into);
      return true;
    },
  };
  if ('negated' in node) walkExpression(node, visitor);
  else walkExpression({ kind: 'term', term: node, negated: false, with: [], location: node.location }, visitor);
}

/** The variables `left = right` binds when those in `safe` are bound. Cost: that of the two terms, not of `safe`. */
export function outputsOfEquality(left: Term, right: Term, safe: ReadonlySet<string>, fromAssignment: boolean): Names {
  const found = new Set<string>();
  collectReferenceOutputs(left, safe, found);
  collectReferenceOutputs(right, safe, found);
  // The left side of `:=` is only bound, never read.
  const targets = fromAssignment ? varsOf(left) : NO_NAMES;
  const basis = { has: (name: string): boolean => !targets.has(name) && (safe.has(name) || found.has(name)) };
  const unifier = new Unifier(basis);
  unifier.unify(left, right);
  const outputs = unifier.unified;
  for (const name of found) if (!targets.has(name)) outputs.add(name);
  for (const name of [...outputs]) if (safe.has(name)) outputs.delete(name);
  return outputs;
}

/** Indexes, smallest first; one that is in already is not added again. */
class MinQueue {
  private readonly heap: number[];
  private readonly members: Set<number>;

  constructor(items: readonly number[]) {
    this.heap = [...items].sort((a, b) => a - b);
    this.members = new Set(items);
  }

  add(item: number): void {
    if (this.members.has(item)) return;
    this.members.add(item);
    const { heap } = this;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((heap[parent] as number) <= item) break;
      heap[at] = heap[parent] as number;
      at = parent;
    }
    heap[at] = item;
  }

  take(): number | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return undefined;
    this.members.delete(first);
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as number) < (heap[child] as number)) child += 1;
      if ((heap[child] as number) >= last) break;
      heap[at] = heap[child] as number;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

export class SafetyChecker {
  private readonly arity: ArityOf;
  private readonly options: VarOptions;

  constructor(arity: ArityOf) {
    this.arity = arity;
    this.options = { ...SAFETY_VARS, custom: (expression, into) => this.promote(expression, into) };
  }

  /** Implicit operand bodies read the enclosing body's variables. */
  private promote(expression: Expression, into: Names): boolean {
    const add = (body: Body, explicit: boolean): void => {
      if (!explicit) for (const name of this.unboundInOperand(body)) into.add(name);
    };
    if (expression.kind === 'not') {
      add(expression.body, expression.explicit);
      return true;
    }
    if (expression.kind !== 'and' && expression.kind !== 'or') return false;
    add(expression.left, expression.explicitLeft);
    add(expression.right, expression.explicitRight);
    return true;
  }

  /** Variables of an implicit body that the body itself neither binds nor shares between expressions. */
  private unboundInOperand(body: Body): Names {
    const occurrences = new Map<string, number>();
    for (const expression of body) {
      for (const name of varsOf(expression, SAFETY_VARS)) occurrences.set(name, (occurrences.get(name) ?? 0) + 1);
    }
    if (body.length === 1) return new Set(occurrences.keys());
    const safe = new Set(['data', 'input', ...occurrences.keys()]);
    for (const expression of body) {
      if (expression.kind !== 'call' || !isEquality(expression)) continue;
      for (const side of expression.args) if (side.kind === 'var') safe.delete(side.name);
    }
    const bound = new Set<string>();
    for (let changed = true; changed; ) {
      changed = false;
      for (const expression of body) {
        if (expression.kind !== 'call' || !isEquality(expression)) continue;
        for (const name of this.outputs(expression, safe)) {
          if (bound.has(name)) continue;
          bound.add(name);
          safe.add(name);
          changed = true;
        }
      }
    }
    for (const expression of body) {
      if (expression.kind !== 'call' || isEquality(expression)) continue;
      const arity = this.arity(expression.operator);
      if (arity === undefined) continue;
      for (const arg of expression.args.slice(arity)) termVars(arg, { ...BINDABLE_VARS, skipSets: true }, bound);
    }
    const result = new Set<string>();
    for (const [name, count] of occurrences) if (!bound.has(name) || count === 1) result.add(name);
    return result;
  }

  private outputs(expression: Expression, safe: ReadonlySet<string>): Names {
    if (expression.negated || expression.kind === 'not' || expression.kind === 'and' || expression.kind === 'or')
      return new Set();
    for (const modifier of expression.with) {
      const names = new Set<string>();
      const only: Expression = {
        kind: 'term',
        term: { kind: 'scalar', value: true, location: modifier.location },
        negated: false,
        with: [modifier],
        location: modifier.location,
      };
      expressionVars(only, SAFETY_VARS, names);
      if (!isSubset(names, safe)) return new Set();
    }
    if (expression.kind === 'every') {
      const into = new Set<string>();
      collectReferenceOutputs(expression.domain, safe, into);
      return into;
    }
    if (expression.kind !== 'call') {
      const into = new Set<string>();
      collectReferenceOutputs(expression, safe, into);
      return into;
    }
    const [left, right] = expression.args;
    if (isEquality(expression) && left !== undefined && right !== undefined) {
      return outputsOfEquality(left, right, safe, expression.infix === ':=');
    }
    const arity = this.arity(expression.operator);
    if (arity === undefined) return new Set();
    const into = new Set<string>();
    for (const arg of expression.args) collectReferenceOutputs(arg, safe, into);
    if (arity >= expression.args.length) return into;
    const inputs = new Set<string>();
    const options = { ...BINDABLE_VARS, skipSets: true };
    for (const arg of expression.args.slice(0, arity)) termVars(arg, options, inputs);
    for (const name of inputs) if (!into.has(name) && !safe.has(name)) return new Set();
    for (const arg of expression.args.slice(arity)) termVars(arg, options, into);
    return into;
  }

  /** What a body binds when those in `safe` are bound. */
  outputsOfBody(body: Body, safe: ReadonlySet<string>): Names {
    const bound = new Set(safe);
    for (const expression of body) for (const name of this.outputs(expression, bound)) bound.add(name);
    return bound;
  }

  /** Orders a body given the variables bound outside; what stays unsafe is added to `unsafe`. */
  order(body: Body, globals: ReadonlySet<string>, unsafe: Unsafe): Body {
    const names = new Set<string>();
    const safe = new Set<string>();
    const read = new Map<Expression, ReadonlySet<string>>();
    const missing = new Map<Expression, Names>();
    for (const expression of body) {
      const own = new Set<string>();
      expressionVars(expression, this.options, own);
      read.set(expression, own);
      const open = new Set<string>();
      for (const name of own) {
        names.add(name);
        if (globals.has(name)) safe.add(name);
        else open.add(name);
      }
      missing.set(expression, open);
    }
    const ordered = this.schedule(body, names, globals, safe, missing);
    for (const [expression, vars] of missing) if (vars.size > 0) merge(unsafe, expression, vars);
    const visible = new Set(globals);
    const result: Expression[] = [];
    for (const expression of ordered) {
      result.push(this.closures(expression, visible, unsafe));
      for (const name of read.get(expression) ?? NO_NAMES) visible.add(name);
    }
    if (ordered.length === body.length) return result;
    const taken = new Set(ordered);
    return [...result, ...body.filter((expression) => !taken.has(expression))];
  }

  /**
   * Passes over the body in its order, taking each expression as soon as it is safe. Only those are
   * looked at again of whose variables one has become bound since.
   */
  private schedule(
    body: Body,
    names: Names,
    globals: ReadonlySet<string>,
    safe: Names,
    missing: Map<Expression, Names>,
  ): Expression[] {
    const ordered: Expression[] = [];
    const closureVars = body.map((expression) => {
      const inside = varsInClosures(expression);
      if (inside.size === 0) return NO_NAMES;
      return new Set([...inside].filter((name) => names.has(name) && !globals.has(name)));
    });
    const waiting = new Map<string, number[]>();
    const wait = (name: string, index: number): void => {
      const known = waiting.get(name);
      if (known === undefined) waiting.set(name, [index]);
      else known.push(index);
    };
    for (const [index, expression] of body.entries()) {
      for (const name of closureVars[index] ?? NO_NAMES) wait(name, index);
      for (const name of missing.get(expression) ?? NO_NAMES) wait(name, index);
    }
    const isDone = new Array<boolean>(body.length).fill(false);
    const take = (index: number): Names | undefined => {
      const expression = body[index] as Expression;
      const outputs = this.outputs(expression, safe);
      const closed = closureVars[index] ?? NO_NAMES;
      // OPA never gets to an expression that closes over just what it would bind itself.
      if (closed.size > 0 && closed.size === outputs.size && isSubset(closed, outputs)) return undefined;
      const needs = missing.get(expression) ?? new Set<string>();
      for (const name of closed) if (!safe.has(name)) needs.add(name);
      for (const name of [...needs]) if (outputs.has(name) || safe.has(name)) needs.delete(name);
      if (needs.size > 0) {
        missing.set(expression, needs);
        return undefined;
      }
      missing.delete(expression);
      return outputs;
    };
    let pass: readonly number[] = [...body.keys()];
    while (pass.length > 0) {
      const queue = new MinQueue(pass);
      const later = new Set<number>();
      for (let index = queue.take(); index !== undefined; index = queue.take()) {
        if (isDone[index]) continue;
        const outputs = take(index);
        if (outputs === undefined) continue;
        isDone[index] = true;
        ordered.push(body[index] as Expression);
        for (const name of outputs) {
          if (safe.has(name)) continue;
          safe.add(name);
          for (const other of waiting.get(name) ?? []) {
            if (isDone[other]) continue;
            if (other > index) queue.add(other);
            else later.add(other);
          }
        }
      }
      pass = [...later];
    }
    return ordered;
  }

  private closures(expression: Expression, visible: ReadonlySet<string>, unsafe: Unsafe): Expression {
    const nested = (body: Body, heads: readonly Term[], extra: ReadonlySet<string> = visible): Body => {
      if (heads.length > 0) {
        const known = new Set(extra);
        bodyVars(body, this.options, known);
        for (const head of heads) {
          const open = [...varsOf(head)].filter((name) => !known.has(name));
          if (open.length > 0) merge(unsafe, expression, new Set(open));
        }
      }
      const inner: Unsafe = new Map();
      const result = this.order(body, extra, inner);
      for (const [key, vars] of inner) merge(unsafe, key, vars);
      return inner.size === 0 ? result : body;
    };
    const term = (node: Term): Term => this.orderTerm(node, nested);
    const modifiers = mapItems(expression.with, (modifier) => withParts(modifier, { value: term(modifier.value) }));
    switch (expression.kind) {
      case 'term':
        return withParts(expression, { term: term(expression.term), with: modifiers });
      case 'call':
        return withParts(expression, { args: mapItems(expression.args, term), with: modifiers });
      case 'every': {
        const extra = new Set(visible);
        extra.add(expression.value.name);
        if (expression.key !== undefined) extra.add(expression.key.name);
        return withParts(expression, { body: nested(expression.body, [], extra), with: modifiers });
      }
      case 'not':
        return withParts(expression, { body: nested(expression.body, []), with: modifiers });
      case 'and':
      case 'or':
        return withParts(expression, {
          left: nested(expression.left, []),
          right: nested(expression.right, []),
          with: modifiers,
        });
      case 'some':
        return expression;
    }
  }

  private orderTerm(node: Term, nested: (body: Body, heads: readonly Term[]) => Body): Term {
    const each = (child: Term): Term => this.orderTerm(child, nested);
    switch (node.kind) {
      case 'array':
      case 'set':
        return withParts(node, { items: mapItems(node.items, each) });
      case 'object':
        return withParts(node, { entries: mapItems(node.entries, (entry) => mapEntry(entry, each)) });
      case 'ref':
        return withParts(node, { terms: mapItems(node.terms, each) });
      case 'array-comprehension':
      case 'set-comprehension':
        return withParts(node, { body: nested(node.body, [node.term]) });
      case 'object-comprehension':
        return withParts(node, { body: nested(node.body, [node.key, node.value]) });
      default:
        return node;
    }
  }
}

function merge(unsafe: Unsafe, expression: Expression, vars: ReadonlySet<string>): void {
  const known = unsafe.get(expression) ?? new Set<string>();
  for (const name of vars) known.add(name);
  unsafe.set(expression, known);
}

function varsInClosures(expression: Expression): ReadonlySet<string> {
  let found: Names | undefined;
  const names = (): Names => {
    found ??= new Set();
    return found;
  };
  walkExpression(expression, {
    term: (term) => {
      if (!isComprehension(term)) return true;
      termVars(term, {}, names());
      return false;
    },
    expression: (inner) => {
      if (inner.kind === 'every') bodyVars(inner.body, {}, names());
      else if (inner.kind === 'not') bodyVars(inner.body, {}, names());
      else if (inner.kind === 'and' || inner.kind === 'or') {
        bodyVars(inner.left, {}, names());
        bodyVars(inner.right, {}, names());
      } else return undefined;
      return false;
    },
  });
  return found ?? NO_NAMES;
}

const KEYWORD_HINTS = new Set(['in', 'every', 'contains', 'if', 'not', 'and', 'or']);

/** Turns what stayed unsafe into errors, as OPA words them. */
export function reportUnsafe(context: Pick<CompileContext, 'errors'>, unsafe: Unsafe, scope: string): void {
  const assigned = new Set<string>();
  for (const expression of unsafe.keys()) {
    const [left] = expression.kind === 'call' && expression.infix === ':=' ? expression.args : [];
    if (left !== undefined) for (const name of varsOf(left)) assigned.add(name);
  }
  // A variable is reported once, where it is first met.
  const places = new Map<string, Location>();
  const byPlace = [...unsafe].sort(([a], [b]) => compareLocations(a.location, b.location));
  for (const [{ location }, vars] of byPlace)
    for (const name of vars) if (!places.has(name)) places.set(name, location);
  const written = [...places].filter(([name]) => !isTemporary(name));
  const hasOther = written.some(([name]) => !assigned.has(name));
  let count = 0;
  for (const [name, location] of written) {
    if (hasOther && assigned.has(name)) continue;
    const shown = shownName(name);
    const hint = KEYWORD_HINTS.has(shown)
      ? ` (hint: \`import future.keywords.${shown}\` to import a future keyword)`
      : '';
    report(context, 'rego_unsafe_var_error', location, `var ${shown} is unsafe${scope}${hint}`);
    count += 1;
  }
  if (count > 0) return;
  const reported = new Set<string>();
  for (const [{ location }, vars] of byPlace) {
    const fresh = [...vars].filter((name) => isTemporary(name) && !reported.has(name));
    if (fresh.length === 0) continue;
    for (const name of fresh) reported.add(name);
    report(context, 'rego_unsafe_var_error', location, `expression is unsafe${scope}`);
  }
}

function compareLocations(a: Location, b: Location): number {
  return a.row - b.row || a.col - b.col;
}

/** A name no author wrote; a wildcard is one an author did write. */
function isTemporary(name: string): boolean {
  return name.startsWith('~') || name.startsWith('$~');
}

function shownName(name: string): string {
  return name.startsWith('$') ? '_' : writtenName(name);
}

function headVars(rule: WorkRule): Names {
  const into = new Set<string>();
  for (const term of rule.ref.slice(1)) termVars(term, {}, into);
  if (rule.key !== undefined) termVars(rule.key, {}, into);
  if (rule.value !== undefined) termVars(rule.value, {}, into);
  for (const name of ['data', 'input']) into.delete(name);
  return into;
}

function argumentVars(rule: WorkRule): Names {
  const into = new Set<string>();
  for (const arg of rule.args ?? []) termVars(arg, {}, into);
  return into;
}

/** A head's variables must come from its arguments or its body. */
export function checkHead(context: CompileContext, rule: WorkRule): void {
  const vars = headVars(rule);
  if (vars.size === 0) return;
  const args = argumentVars(rule);
  const known = varsOf(rule.body, SAFETY_VARS);
  for (const name of vars) {
    if (args.has(name) || known.has(name) || isTemporary(name)) continue;
    report(context, 'rego_unsafe_var_error', rule.source.head.location, `var ${shownName(name)} is unsafe`);
  }
}

/** Checks and orders a rule's body. */
export function orderRule(context: CompileContext, checker: SafetyChecker, rule: WorkRule): void {
  const unsafe: Unsafe = new Map();
  const globals = new Set([...argumentVars(rule), 'data', 'input']);
  rule.body = checker.order(rule.body, globals, unsafe);
  if (unsafe.size > 0) reportUnsafe(context, unsafe, '');
}
