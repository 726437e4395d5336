/**
 * Partial evaluation of a query to Rego again, as `opa eval --partial` does it: what is known is evaluated, rules are written out in
 * place of references to them, what depends on unknown documents is saved. Rules that have a default, and whole sets and objects, become
 * support rules in a package `partial`. Where something cannot be written out (`else`, `with`, `every` over unknowns) the expression is
 * saved as it stands, which is always right: the original policies are then needed, too.
 */

import type { WorkRule } from '../compile/model.js';
import type { TreeNode } from '../compile/rule-tree.js';
import { Hoister } from '../compile/type-check.js';
import { type Body, type EveryExpression, type Expression, NOWHERE, type Term, type VarTerm } from '../syntax/ast.js';

import type { Residual, ResidualOptions, SupportRule } from './residual.js';
import {
  emptyOf,
  isBindable,
  isMismatch,
  isNegatable,
  mayWriteOut,
  pairsOf,
  placed,
  positiveBody,
  renamedExpression,
  renamedInside,
  renamedTerm,
  renamedVariable,
  savedEvery,
} from './rules.js';
import { simplify } from './simplify.js';
import {
  equation,
  freeVariables,
  hasClosure,
  isConstantTerm,
  isDocument,
  normalized,
  refInto,
  type Substitution,
  sidesOf,
  substitute,
  substituteTerm,
  termExpression,
  termOf,
  variableTerm,
} from './terms.js';
import { underWith, type WithSupport } from './under-with.js';
import { isPrefixOf, type RuleSite, Unknowns } from './unknowns.js';

interface State {
  readonly known: Substitution;
  readonly saved: readonly Expression[];
}

type Continue = (state: State) => undefined;

const MAX_NEGATED = 16;
const MAX_UNROLLED = 16;
const VALUE = 'value~known';

export class ResidualEvaluator {
  private readonly options: ResidualOptions;
  private live: ReadonlySet<string> = new Set();
  private readonly unknown: Unknowns;
  private readonly bodies = new Map<WorkRule, Body>();
  private readonly support: SupportRule[] = [];
  /** By path: whether any support rule came of it. */
  private readonly supported = new Map<string, boolean>();
  private fresh = 0;
  private ways = 0;

  constructor(options: ResidualOptions) {
    this.options = options;
    this.unknown = new Unknowns(options.compiled, options.unknowns);
  }

  /** `body`: compiled and in order. `live`: variables the query names. Errors: `Error` when there are too many ways. */
  query(body: Body, live: readonly string[]): Residual {
    const queries: (readonly Expression[])[] = [];
    this.live = new Set(live);
    this.run(this.hoist(body), 0, { known: new Map(), saved: [] }, (state) => {
      const bound = live.flatMap((name) => {
        const value = substituteTerm(variableTerm(name), state.known);
        return value.kind === 'var' && value.name === name ? [] : [equation(variableTerm(name), value)];
      });
      queries.push(this.finished(state, bound, new Set(live)));
    });
    return { queries, support: this.support };
  }

  private finished(state: State, added: readonly Expression[], live: ReadonlySet<string>): readonly Expression[] {
    const saved = state.saved.map((expression) => placed(substitute(expression, state.known)));
    return simplify([...saved, ...added], live, this.options.arityOf);
  }

  private readonly freshVariable = (): VarTerm => {
    this.fresh += 1;
    return { kind: 'var', name: `value~${this.fresh}`, location: NOWHERE };
  };

  private hoist(body: Body): Body {
    return new Hoister(this.options.compiled.context).body(body).map(normalized);
  }

  private run(body: Body, at: number, state: State, next: Continue): undefined {
    const expression = body[at];
    if (expression === undefined) {
      this.ways += 1;
      if (this.ways > this.options.maxWays)
        throw new Error(`partial evaluation gave up after ${this.options.maxWays} ways through the rules`);
      next(state);
      return;
    }
    this.step(substitute(expression, state.known), state, (after) => this.run(body, at + 1, after, next));
  }

  private step(expression: Expression, state: State, next: Continue): undefined {
    if (!this.unknown.reaches(expression) && this.concretely(expression, state, next)) return;
    if (expression.with.length > 0) {
      const left = underWith(expression, this.withSupport);
      return left && next({ known: state.known, saved: [...state.saved, ...left] });
    }
    if (expression.negated || expression.kind === 'not') return this.negation(expression, state, next);
    const sides = sidesOf(expression);
    if (sides !== undefined) return this.unify(sides[0], sides[1], state, next);
    if (expression.kind === 'term') return this.truth(expression.term, state, next);
    if (expression.kind === 'call') return this.call(expression, state, next);
    if (expression.kind === 'every') return this.every(expression, state, next);
    this.save(expression, state, next);
  }

  private save(expression: Expression, state: State, next: Continue): undefined {
    next({ known: state.known, saved: [...state.saved, expression] });
  }

  private bind(name: string, term: Term, state: State, next: Continue): undefined {
    next({ known: new Map([...state.known, [name, term]]), saved: state.saved });
  }

  /** Variables that stand for what is not known yet. */
  private openVariables(state: State): Set<string> {
    const open = new Set<string>();
    for (const saved of state.saved) for (const name of freeVariables(substitute(saved, state.known))) open.add(name);
    for (const term of state.known.values()) {
      for (const name of freeVariables(substituteTerm(term, state.known))) open.add(name);
    }
    return open;
  }

  /** Evaluates an expression without unknown documents; false when variables in it are not known. */
  private concretely(expression: Expression, state: State, next: Continue): boolean {
    const names = [...freeVariables(expression)];
    const sides = sidesOf(expression);
    const isPlain = sides?.every((side) => side.kind === 'var' || isConstantTerm(side)) === true;
    if (isPlain && expression.with.length === 0) return false;
    if (names.length > 0 && (hasClosure(expression) || expression.negated)) {
      const open = this.openVariables(state);
      if (names.some((name) => open.has(name))) return false;
    }
    const rows = this.options.solve([expression], names);
    if (rows === undefined) return false;
    for (const row of rows) {
      const known = new Map(state.known);
      for (const [name, value] of row) known.set(name, termOf(value));
      next({ known, saved: state.saved });
    }
    return true;
  }

  private unify(left: Term, right: Term, state: State, next: Continue): undefined {
    const [a, b] = [this.evaluated(left, state), this.evaluated(right, state)];
    if (a === undefined || b === undefined) return;
    for (const [ref, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const node = ref.kind === 'ref' ? this.unknown.rulesAt(ref.terms) : undefined;
      if (ref.kind === 'ref' && node !== undefined) return this.reference(ref.terms, node, other, state, next);
    }
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      if (one.kind !== 'var' || isDocument(one.name)) continue;
      if (other.kind === 'var' && other.name === one.name) return next(state);
      // Variables of the query keep their names.
      if (this.live.has(one.name) && other.kind === 'var' && !this.live.has(other.name)) continue;
      if (isBindable(other)) return this.bind(one.name, other, state, next);
    }
    if (isConstantTerm(a) && isConstantTerm(b)) {
      if ((this.options.solve([equation(a, b)], [])?.length ?? 0) > 0) next(state);
      return;
    }
    if (a.kind === 'array' && b.kind === 'array') {
      if (a.items.length !== b.items.length) return;
      return this.unifyAll(a.items, b.items, 0, state, next);
    }
    if (isMismatch(a, b)) return;
    this.save(equation(a, b), state, next);
  }

  /** A reference to what is known as its value; undefined when it has none. Other terms stay. */
  private evaluated(term: Term, state: State): Term | undefined {
    const own = substituteTerm(term, state.known);
    if (own.kind !== 'ref' || freeVariables(own).size > 0 || this.unknown.reaches(termExpression(own))) return own;
    const [row] = this.options.solve([equation(variableTerm(VALUE), own)], [VALUE]) ?? [];
    const value = row?.get(VALUE);
    return value === undefined ? undefined : termOf(value);
  }

  private unifyAll(a: readonly Term[], b: readonly Term[], at: number, state: State, next: Continue): undefined {
    const [one, other] = [a[at], b[at]];
    if (one === undefined || other === undefined) return next(state);
    this.unify(one, other, state, (after) => this.unifyAll(a, b, at + 1, after, next));
  }

  /** `reference = other` */
  private reference(
    terms: readonly Term[],
    { node, depth }: RuleSite,
    other: Term,
    state: State,
    next: Continue,
  ): undefined {
    const { rules } = node;
    const asIs = (): undefined => this.save(equation({ kind: 'ref', terms, location: NOWHERE }, other), state, next);
    if (!mayWriteOut(node) || rules.some(({ args }) => args !== undefined)) return asIs();
    const rest = terms.slice(depth);
    const byDefault = rules.find(({ isDefault }) => isDefault)?.value;
    const needsDefault =
      byDefault !== undefined &&
      !(isConstantTerm(other) && isConstantTerm(byDefault) && !this.sameConstant(byDefault, other));
    const isWhole = rules.some((rule) => rule.kind === 'multi' || rule.ref.length > depth) && rest.length === 0;
    if (needsDefault || isWhole || this.isKept(terms.slice(0, depth))) {
      const supported = this.supportFor(node, terms.slice(0, depth));
      if (supported !== undefined) this.save(equation(refInto(supported, rest), other), state, next);
      else if (isWhole) this.unify(emptyOf(rules), other, state, next);
      return;
    }
    for (const rule of rules) if (!rule.isDefault) this.writeOut(rule, terms, depth, other, state, next);
  }

  private sameConstant(a: Term, b: Term): boolean {
    return (this.options.solve([equation(a, b)], [])?.length ?? 0) > 0;
  }

  private isKept(terms: readonly Term[]): boolean {
    return this.options.isShallow || this.options.kept.some((kept) => isPrefixOf(kept, terms));
  }

  /** The body of a rule, then its value beside `other`. */
  private writeOut(
    rule: WorkRule,
    terms: readonly Term[],
    depth: number,
    other: Term,
    state: State,
    next: Continue,
  ): undefined {
    const { body, head } = this.instance(rule);
    const steps = terms.slice(head.ref.length);
    const [element, ...below] = steps;
    const isSet = rule.kind === 'multi';
    if (isSet && (element === undefined || head.key === undefined)) return;
    // What the head says comes first, so that the body knows it.
    const wanted = isSet && element !== undefined ? [element] : [];
    const own = isSet && head.key !== undefined ? [head.key] : [];
    const pattern = [...head.ref.slice(depth), ...own];
    this.unifyAll(pattern, [...terms.slice(depth, head.ref.length), ...wanted], 0, state, (met) =>
      this.run(body, 0, met, (after) => {
        const value = isSet ? (element ?? head.value) : head.value;
        return this.unify(refInto(substituteTerm(value, after.known), isSet ? below : steps), other, after, next);
      }),
    );
    return;
  }

  /** A rule with variables of its own. */
  private instance(rule: WorkRule): {
    readonly body: Body;
    readonly head: {
      readonly ref: readonly Term[];
      readonly key: Term | undefined;
      readonly value: Term;
      readonly args: readonly Term[];
    };
  } {
    this.fresh += 1;
    const id = this.fresh;
    const renamed = (term: Term): Term | undefined => renamedVariable(term, id);
    const each = (term: Term): Term => renamedTerm(term, renamed, id);
    let body = this.bodies.get(rule);
    if (body === undefined) {
      body = this.hoist(rule.body);
      this.bodies.set(rule, body);
    }
    return {
      body: body.map((expression) => renamedExpression(expression, renamed, id)),
      head: {
        ref: rule.ref.map(each),
        key: rule.key && each(rule.key),
        value: each(rule.value ?? termOf(true)),
        args: (rule.args ?? []).map(each),
      },
    };
  }

  /** A term that must be neither undefined nor false. */
  private truth(term: Term, state: State, next: Continue): undefined {
    const node = term.kind === 'ref' ? this.unknown.rulesAt(term.terms) : undefined;
    if (term.kind === 'ref' && node !== undefined && mayWriteOut(node.node)) {
      const rest = term.terms.slice(node.depth);
      const { rules } = node.node;
      const byDefault = rules.find(({ isDefault }) => isDefault)?.value;
      const isComplete = rules.every(
        (rule) => rule.kind === 'single' && rule.ref.length === node.depth && rule.args === undefined,
      );
      if (isComplete && byDefault === undefined && !this.isKept(term.terms.slice(0, node.depth))) {
        for (const rule of rules) {
          if (rule.isDefault) continue;
          const { body, head } = this.instance(rule);
          this.run(body, 0, state, (after) =>
            this.truth(refInto(substituteTerm(head.value, after.known), rest), after, next),
          );
        }
        return;
      }
      const supported = (): Term | undefined => this.supportFor(node.node, term.terms.slice(0, node.depth));
      if (isComplete || rest.length === 0) {
        const made = supported();
        if (made !== undefined) this.save(termExpression(refInto(made, rest)), state, next);
        else if (!isComplete) next(state);
        return;
      }
      const value = this.freshVariable();
      return this.reference(term.terms, node, value, state, (after) =>
        this.truth(substituteTerm(value, after.known), after, next),
      );
    }
    if (isConstantTerm(term)) {
      if (!(term.kind === 'scalar' && term.value === false)) next(state);
      return;
    }
    this.save(termExpression(term), state, next);
  }

  /** Over a known, small domain the body stands once for each element. */
  private every(expression: EveryExpression, state: State, next: Continue): undefined {
    const pairs = pairsOf(expression.domain);
    if (pairs === undefined || pairs.length > MAX_UNROLLED) {
      const saved = savedEvery(expression, (body) => this.hoist(body));
      return this.save(saved, state, next);
    }
    return this.unroll(expression, pairs, 0, state, next);
  }

  private unroll(
    expression: EveryExpression,
    pairs: readonly (readonly [Term, Term])[],
    at: number,
    state: State,
    next: Continue,
  ): undefined {
    const pair = pairs[at];
    if (pair === undefined) return next(state);
    this.fresh += 1;
    const { key, value, body } = expression;
    const own = new Map([[value.name, pair[1]]]);
    if (key !== undefined) own.set(key.name, pair[0]);
    const outer = this.openVariables(state);
    const renamed = body.map((each) => renamedInside(substitute(each, own), outer, this.fresh));
    return this.run(this.hoist(renamed), 0, state, (after) => this.unroll(expression, pairs, at + 1, after, next));
  }

  private call(expression: Expression & { kind: 'call' }, state: State, next: Continue): undefined {
    const { operator, args } = expression;
    const node = operator.kind === 'ref' ? this.unknown.rulesAt(operator.terms) : undefined;
    const rules = node?.node.rules ?? this.unknown.functionAt(operator)?.rules;
    const isPlain = rules?.every((rule) => !rule.isDefault && rule.otherwise.length === 0) === true;
    if (rules === undefined || !isPlain || (operator.kind === 'ref' && this.isKept(operator.terms)))
      return this.save(expression, state, next);
    for (const rule of rules) {
      const { body, head } = this.instance(rule);
      this.unifyAll(head.args, args.slice(0, head.args.length), 0, state, (matched) =>
        this.run(body, 0, matched, (after) => {
          const output = args[head.args.length];
          if (output !== undefined) this.unify(head.value, output, after, next);
          else this.truth(substituteTerm(head.value, after.known), after, next);
        }),
      );
    }
  }

  private negation(expression: Expression, state: State, next: Continue): undefined {
    const inside = positiveBody(expression);
    const outer = this.openVariables(state);
    const bodies: (readonly Expression[])[] = [];
    this.run(this.hoist(inside), 0, { known: state.known, saved: [] }, (after) => {
      const still = [...outer].flatMap((name) => {
        const value = substituteTerm(variableTerm(name), after.known);
        return value.kind === 'var' && value.name === name ? [] : [equation(variableTerm(name), value)];
      });
      bodies.push(this.finished(after, still, outer));
    });
    if (bodies.length === 0) return next(state);
    if (bodies.some((body) => body.length === 0)) return;
    if (
      bodies.reduce((size, body) => size * body.length, 1) <= MAX_NEGATED &&
      bodies.every((body) => isNegatable(body, outer))
    )
      return this.complements(bodies, 0, state, next);
    this.save(this.negatedSupport(bodies, outer), state, next);
  }

  /** One negated expression of every body. */
  private complements(bodies: readonly (readonly Expression[])[], at: number, state: State, next: Continue): undefined {
    const body = bodies[at];
    if (body === undefined) return next(state);
    for (const expression of body) {
      this.save({ ...expression, negated: !expression.negated }, state, (after) =>
        this.complements(bodies, at + 1, after, next),
      );
    }
  }

  private negatedSupport(bodies: readonly (readonly Expression[])[], outer: ReadonlySet<string>): Expression {
    this.fresh += 1;
    const name = `__not${this.fresh}__`;
    const used = new Set(bodies.flatMap((body) => [...freeVariables(body)]));
    const args = [...used].filter((each) => outer.has(each)).sort();
    for (const body of bodies) {
      const shape = { isDefault: false, key: undefined, value: termOf(true), body };
      const own = args.length === 0 ? undefined : args.map(variableTerm);
      this.support.push({ ...shape, path: ['partial'], ref: [variableTerm(name)], args: own });
    }
    const ref: Term = {
      kind: 'ref',
      terms: [variableTerm('data'), termOf('partial'), termOf(name)],
      location: NOWHERE,
    };
    const term: Expression =
      args.length === 0
        ? termExpression(ref)
        : { kind: 'call', operator: ref, args: args.map(variableTerm), negated: false, with: [], location: NOWHERE };
    return { ...term, negated: true };
  }

  /** The reference to the support rules that stand for a document; undefined when none came of it. */
  private supportFor(node: TreeNode, terms: readonly Term[]): Term | undefined {
    const path = node.path.map(String);
    const id = JSON.stringify(path);
    if (!this.supported.has(id)) {
      this.supported.set(id, true);
      let any = false;
      for (const rule of node.rules) any = this.supportRule(rule) || any;
      this.supported.set(id, any);
    }
    if (this.supported.get(id) !== true) return undefined;
    return { kind: 'ref', terms: [variableTerm('data'), termOf('partial'), ...terms.slice(1)], location: NOWHERE };
  }

  private readonly withSupport: WithSupport = {
    covers: (target) => this.unknown.covers(target),
    variable: this.freshVariable,
    documentFor: (term) => {
      const site = term.kind === 'ref' ? this.unknown.rulesAt(term.terms) : undefined;
      if (term.kind !== 'ref' || site === undefined || !mayWriteOut(site.node)) return term;
      const { rules } = site.node;
      if (rules.some(({ args }) => args !== undefined)) return term;
      const rest = term.terms.slice(site.depth);
      const supported = this.supportFor(site.node, term.terms.slice(0, site.depth));
      if (supported !== undefined) return refInto(supported, rest);
      const isWhole = rules.some((rule) => rule.kind === 'multi' || rule.ref.length > site.depth) && rest.length === 0;
      return isWhole ? emptyOf(rules) : undefined;
    },
  };

  private supportRule(rule: WorkRule): boolean {
    const { body, head } = this.instance(rule);
    const packagePath = rule.module.source.package.path;
    let any = false;
    this.run(body, 0, { known: new Map(), saved: [] }, (state) => {
      any = true;
      const each = (term: Term): Term => substituteTerm(term, state.known);
      const ref = head.ref.slice(1 + packagePath.length).map(each);
      const key = head.key && each(head.key);
      const value = rule.kind === 'multi' ? undefined : each(head.value);
      const live = new Set(
        [...ref, key, value].flatMap((term) => (term === undefined ? [] : [...freeVariables(term)])),
      );
      const [name] = ref;
      const named = name?.kind === 'scalar' ? [variableTerm(String(name.value)), ...ref.slice(1)] : ref;
      this.support.push({
        path: ['partial', ...packagePath],
        isDefault: rule.isDefault,
        ref: named,
        args: undefined,
        key,
        value,
        body: this.finished(state, [], live),
      });
    });
    return any;
  }
}
