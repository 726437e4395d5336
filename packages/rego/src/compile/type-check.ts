/**
 * Stage "types": expressions that can never succeed because of the types they bring together
 * (`rego_type_error`). Types are followed as far as literals, built-ins and variables show them; what
 * comes from `input`, `data` or a rule may be anything, so nothing valid is refused.
 */
import type { TypeDecl } from '../builtins/index.js';
import type { Body, Expression, Location, Term } from '../syntax/ast.js';
import { operatorName } from '../syntax/ast.js';
import { type TypeName, typeOf } from '../values/index.js';
import { allRules, type CompileContext, isEquality, report } from './model.js';
import { formatRef, isGroundRef, type TreeNode } from './rule-tree.js';

/** The types a term may have; undefined for any. */
type Types = ReadonlySet<TypeName> | undefined;
type Environment = Map<string, Types>;

const only = (name: TypeName): Types => new Set([name]);

function declaredTypes(declaration: TypeDecl | undefined): Types {
  if (declaration === undefined || declaration.type === 'function') return undefined;
  if (declaration.type !== 'any') return only(declaration.type);
  const names = new Set<TypeName>();
  for (const member of declaration.of ?? []) {
    const types = declaredTypes(member);
    if (types === undefined) return undefined;
    for (const name of types) names.add(name);
  }
  return names.size === 0 ? undefined : names;
}

function overlap(a: Types, b: Types): Types {
  if (a === undefined) return b;
  if (b === undefined) return a;
  return new Set([...a].filter((name) => b.has(name)));
}

function show(types: Types): string {
  if (types === undefined) return 'any';
  const names = [...types].sort();
  return names.length === 1 ? String(names[0]) : `any<${names.join(', ')}>`;
}

const COLLECTIONS: ReadonlySet<TypeName> = new Set(['array', 'object', 'set']);

const MAX_INFERENCE_DEPTH = 40;

type Context = Pick<CompileContext, 'errors' | 'builtins' | 'tree'>;

class TypeChecker {
  private readonly context: Context;
  private readonly ruleTypes: Map<TreeNode, Types>;
  /** Rules being inferred for one another; a long chain ends in `any`. */
  private readonly depth: number;

  constructor(context: Context, ruleTypes: Map<TreeNode, Types> = new Map(), depth = 0) {
    this.context = context;
    this.ruleTypes = ruleTypes;
    this.depth = depth;
  }

  /** The types of a rule's value, or of what a function returns. */
  private typesOfRules(node: TreeNode): Types {
    if (this.ruleTypes.has(node)) return this.ruleTypes.get(node);
    this.ruleTypes.set(node, undefined);
    const types = this.inferred(node);
    this.ruleTypes.set(node, types);
    return types;
  }

  private inferred(node: TreeNode): Types {
    if (node.rules.some((rule) => !isGroundRef(rule.ref))) return only('object');
    if (node.rules.some((rule) => rule.kind === 'multi')) return only('set');
    // What inference meets in a body is reported when that rule is checked itself.
    if (this.depth >= MAX_INFERENCE_DEPTH) return undefined;
    const silent = new TypeChecker({ ...this.context, errors: [] }, this.ruleTypes, this.depth + 1);
    const names = new Set<TypeName>();
    for (const rule of node.rules.flatMap((each) => [each, ...each.otherwise])) {
      const environment: Environment = new Map();
      silent.body(rule.body, environment);
      const types = rule.value === undefined ? only('boolean') : silent.typesOf(rule.value, environment);
      if (types === undefined) return undefined;
      for (const name of types) names.add(name);
    }
    return names;
  }

  private typesOfReference(term: Term & { kind: 'ref' }, environment: Environment): Types {
    const [head, ...rest] = term.terms;
    if (head === undefined) return undefined;
    for (const step of rest) this.typesOf(step, environment);
    if (head.kind === 'var' && head.name === 'data' && !environment.has('data'))
      return this.typesOfDocument(term, rest);
    if (head.kind === 'var' && head.name === 'input' && !environment.has('input')) return undefined;
    const types = this.typesOf(head, environment);
    return rest.length === 0 ? types : this.within(types, term);
  }

  private typesOfDocument(term: Term & { kind: 'ref' }, steps: readonly Term[]): Types {
    let node: TreeNode | undefined = this.context.tree.root;
    for (const [index, step] of steps.entries()) {
      if (step.kind !== 'scalar') return undefined;
      node = node.child(step.value);
      if (node === undefined) return undefined;
      if (node.rules.length === 0) continue;
      if (node.isFunction) return undefined;
      const types = this.typesOfRules(node);
      return index === steps.length - 1 ? types : this.within(types, term);
    }
    return undefined;
  }

  /** A step into something that has no elements is undefined for sure. */
  private within(types: Types, term: Term): Types {
    if (types !== undefined && ![...types].some((name) => COLLECTIONS.has(name))) {
      report(
        this.context,
        'rego_type_error',
        term.location,
        `undefined ref: ${term.kind === 'ref' ? formatRef(term.terms) : ''}`,
      );
    }
    return undefined;
  }

  private resultOf(operator: Term): Types {
    if (operator.kind !== 'ref') return undefined;
    const path = operator.terms.slice(1).map((term) => (term.kind === 'scalar' ? term.value : ''));
    const node = this.context.tree.find(path);
    return node === undefined || node.rules.length === 0 ? undefined : this.typesOfRules(node);
  }

  private typesOf(term: Term, environment: Environment): Types {
    switch (term.kind) {
      case 'scalar':
        return only(typeOf(term.value));
      case 'var':
        return environment.get(term.name);
      case 'array':
      case 'object':
      case 'set':
        this.inside(term, environment);
        return only(term.kind);
      case 'array-comprehension':
      case 'set-comprehension':
      case 'object-comprehension':
        this.body(term.body, new Map(environment));
        return only(term.kind.slice(0, term.kind.indexOf('-')) as TypeName);
      case 'ref':
        return this.typesOfReference(term, environment);
      default:
        return undefined;
    }
  }

  private inside(term: Term, environment: Environment): void {
    if (term.kind === 'array' || term.kind === 'set') for (const item of term.items) this.typesOf(item, environment);
    if (term.kind === 'object')
      for (const entry of term.entries) for (const part of entry) this.typesOf(part, environment);
  }

  private narrow(term: Term, types: Types, environment: Environment): void {
    if (term.kind === 'var' && types !== undefined) environment.set(term.name, types);
  }

  private unify(left: Term, right: Term, environment: Environment, at: Location): void {
    if (left.kind === 'array' && right.kind === 'array') {
      if (left.items.length !== right.items.length) report(this.context, 'rego_type_error', at, 'match error');
      for (const [index, item] of left.items.entries()) {
        const other = right.items[index];
        if (other !== undefined) this.unify(item, other, environment, at);
      }
      return;
    }
    const [a, b] = [this.typesOf(left, environment), this.typesOf(right, environment)];
    const both = overlap(a, b);
    if (both !== undefined && both.size === 0) {
      report(this.context, 'rego_type_error', at, `match error\n\tleft  : ${show(a)}\n\tright : ${show(b)}`);
      return;
    }
    this.narrow(left, both, environment);
    this.narrow(right, both, environment);
  }

  private call(expression: Expression & { kind: 'call' }, environment: Environment): void {
    const { args, location, operator } = expression;
    const [left, right] = args;
    const name = operatorName(operator) ?? '';
    const isEqual = (name === 'equal' && args.length === 2) || isEquality(expression);
    if (isEqual && left !== undefined && right !== undefined) {
      this.unify(left, right, environment, location);
      return;
    }
    const types = args.map((arg) => this.typesOf(arg, environment));
    const builtin = this.context.builtins.get(name);
    if (builtin?.variadic !== undefined) return;
    if (builtin === undefined) {
      this.functionCall(operator, args, types, environment, location);
      return;
    }
    const wanted = builtin.args.map(declaredTypes);
    const isWrong = wanted.some((want, index) => overlap(types[index], want)?.size === 0);
    if (isWrong) {
      const have = types.slice(0, wanted.length).map(show);
      const message = `${name}: invalid argument(s)\n\thave: (${[...have, '???'].join(', ')})\n\twant: (${wanted.map(show).join(', ')})`;
      report(this.context, 'rego_type_error', location, message);
      return;
    }
    const output = args[wanted.length];
    if (output === undefined || builtin.relation === true) return;
    const result = overlap(declaredTypes(builtin.result), types[wanted.length]);
    if (result?.size === 0) report(this.context, 'rego_type_error', location, `${name}: invalid argument(s)`);
    else this.narrow(output, result, environment);
  }

  private functionCall(
    operator: Term,
    args: readonly Term[],
    types: readonly Types[],
    environment: Environment,
    at: Location,
  ): void {
    if (operator.kind !== 'ref' || operator.terms[0]?.kind !== 'var' || operator.terms[0].name !== 'data') return;
    const node = this.context.tree.find(
      operator.terms.slice(1).map((term) => (term.kind === 'scalar' ? term.value : '')),
    );
    const output = args[node?.rules[0]?.args?.length ?? args.length];
    if (output === undefined) return;
    const result = overlap(this.resultOf(operator), types[args.length - 1]);
    if (result?.size === 0) report(this.context, 'rego_type_error', at, 'match error');
    else this.narrow(output, result, environment);
  }

  body(body: Body, environment: Environment): void {
    for (const expression of body) {
      // A replaced function may return anything.
      if (expression.with.some(({ target }) => target.kind !== 'ref' || !isDocument(target))) continue;
      this.expression(expression, expression.negated ? new Map(environment) : environment);
    }
  }

  private expression(expression: Expression, environment: Environment): void {
    switch (expression.kind) {
      case 'term':
        this.typesOf(expression.term, environment);
        return;
      case 'call':
        this.call(expression, environment);
        return;
      case 'every':
        this.body(expression.body, new Map(environment));
        return;
      case 'not':
        this.body(expression.body, new Map(environment));
        return;
      case 'and':
      case 'or':
        this.body(expression.left, new Map(environment));
        this.body(expression.right, new Map(environment));
        return;
      case 'some':
        return;
    }
  }
}

function isDocument(target: Term & { kind: 'ref' }): boolean {
  const [head] = target.terms;
  return head?.kind === 'var' && head.name === 'input';
}

export function checkTypes(context: CompileContext): void {
  const checker = new TypeChecker(context);
  for (const rule of allRules(context)) checker.body(rule.body, new Map());
}
