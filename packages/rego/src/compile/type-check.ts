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

class TypeChecker {
  private readonly context: Pick<CompileContext, 'errors' | 'builtins'>;

  constructor(context: Pick<CompileContext, 'errors' | 'builtins'>) {
    this.context = context;
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
    if (left.kind === 'array' && right.kind === 'array' && left.items.length === right.items.length) {
      for (const [index, item] of left.items.entries()) this.unify(item, right.items[index] as Term, environment, at);
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
    if (builtin === undefined || builtin.variadic !== undefined) return;
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
