/**
 * Stage "types": expressions that can never succeed because of the types they bring together
 * (`rego_type_error`). Rules are typed in the order of their dependencies, so that what reads a rule
 * knows its type. A port of OPA's `v1/ast/check.go`: OPA checks bodies after hoisting references and
 * comprehensions out of calls, so the same is done here, on the fly.
 *
 * Over 500 lines: one check for each kind of expression and term, over one environment.
 */
import type { Steps } from '../steps.js';
import type { Body, CallExpression, Expression, Location, Term } from '../syntax/ast.js';
import { isComprehension, operatorName } from '../syntax/ast.js';
import type { Value } from '../values/index.js';
import { type CompileContext, equality, variable, type WorkRule, writtenName } from './model.js';
import { dependents, rulesReached } from './recursion.js';
import { declareSchemas, inputSchema } from './rule-schemas.js';
import { formatRef, groundPrefix, isGroundRef } from './rule-tree.js';
import { documentRoot, TypeEnvironment } from './type-environment.js';
import { argumentMessage, mismatch, type TypeProblem } from './type-messages.js';
import { ReferenceChecker } from './type-references.js';
import { unifies, unifyTerm, unifyTerms } from './type-unify.js';
import {
  ANY,
  type FunctionType,
  fromDeclaration,
  isNil,
  keysOf,
  type MaybeType,
  objectType,
  or,
  type Type,
  valuesOf,
} from './types.js';
import { walkExpression, walkTerm } from './walk.js';

type Closure = Term & { kind: 'array-comprehension' | 'set-comprehension' | 'object-comprehension' };

interface CheckedBody {
  readonly environment: TypeEnvironment;
  readonly errors: readonly TypeProblem[];
}

interface Remembered extends CheckedBody {
  readonly layer: object;
  readonly outer: readonly MaybeType[];
}

function isClosure(term: Term): term is Closure {
  return isComprehension(term);
}

/** The names a term may read from outside, in a fixed order. */
function namesIn(term: Term): readonly string[] {
  const names = new Set<string>();
  walkTerm(term, {
    term: (child) => {
      if (child.kind === 'var') names.add(child.name);
      return true;
    },
  });
  return [...names];
}

function constants(terms: readonly Term[]): readonly Value[] {
  return terms.map((term) => (term.kind === 'scalar' ? term.value : ''));
}

type Context = Pick<CompileContext, 'modules' | 'builtins' | 'tree' | 'names' | 'graph' | 'schemas' | 'metadata'>;

export class TypeChecker {
  /** Where the types of rules are. */
  readonly rules: TypeEnvironment;
  private readonly context: Context;
  private readonly declared = new Map<string, FunctionType>();
  private readonly remembered = new Map<Term, Remembered>();
  private readonly closureNames = new Map<Term, readonly string[]>();
  private readonly hoistedBodies = new Map<Body, Body>();
  private readonly bindsSchemas: boolean;
  private reverse: Map<WorkRule, Set<WorkRule>> | undefined;

  constructor(context: Context) {
    this.context = context;
    const hasAnnotations = context.modules.some(({ source }) => source.source.includes('METADATA'));
    this.bindsSchemas = context.schemas !== undefined && hasAnnotations;
    this.rules = new TypeEnvironment((term, environment) => {
      const checked = this.closure(term as Closure, environment);
      return checked.errors.length > 0 ? undefined : checked.environment;
    });
  }

  /** Checks a body; the environment returned knows its variables. */
  body(body: Body, outer: TypeEnvironment): CheckedBody {
    const environment = outer.wrap();
    const errors: TypeProblem[] = [];
    for (const expression of this.hoisted(body)) this.expression(expression, environment, errors);
    return { environment, errors };
  }

  private closure(term: Closure, environment: TypeEnvironment): CheckedBody {
    let names = this.closureNames.get(term);
    if (names === undefined) {
      names = namesIn(term);
      this.closureNames.set(term, names);
    }
    const outer = names.map((name) => environment.variable(name));
    const known = this.remembered.get(term);
    if (known?.layer === environment.layer && known.outer.every((type, index) => type === outer[index])) return known;
    const checked = { ...this.body(term.body, environment), layer: environment.layer, outer };
    this.remembered.set(term, checked);
    return checked;
  }

  private expression(expression: Expression, environment: TypeEnvironment, into: TypeProblem[]): void {
    const own = expression.with.length === 0 ? environment : this.modified(expression, environment);
    const closureErrors = this.closures(expression, own);
    into.push(...closureErrors);
    const referenceErrors: TypeProblem[] = [];
    this.references(expression, new ReferenceChecker(own), referenceErrors);
    into.push(...referenceErrors);
    const error = this.checkExpression(expression, own);
    if (error === undefined) return;
    if (error.isFromNil && (closureErrors.length > 0 || referenceErrors.length > 0)) return;
    into.push(error);
  }

  /** Errors in comprehensions; those of the last that has any. */
  private closures(expression: Expression, environment: TypeEnvironment): readonly TypeProblem[] {
    let result: readonly TypeProblem[] = [];
    walkExpression(expression, {
      term: (term) => {
        if (!isClosure(term)) return true;
        const { errors } = this.closure(term, environment);
        if (errors.length === 0) return true;
        result = errors;
        return false;
      },
    });
    return result;
  }

  private references(expression: Expression, checker: ReferenceChecker, into: TypeProblem[]): void {
    const term = (each: Term): boolean => {
      if (isClosure(each)) return false;
      if (each.kind !== 'ref') return true;
      const error = checker.check(each.terms);
      if (error !== undefined) into.push(error);
      // A reference used as a function is not looked into.
      return error === undefined || !error.message.startsWith('function');
    };
    const visitBody = (body: Body): void => {
      for (const each of this.hoisted(body)) this.references(each, checker, into);
    };
    switch (expression.kind) {
      case 'term':
        walkTerm(expression.term, { term });
        return;
      case 'call':
        for (const arg of expression.args) walkTerm(arg, { term });
        return;
      case 'not':
        visitBody(expression.body);
        return;
      case 'every':
        walkTerm(expression.domain, { term });
        visitBody(expression.body);
        break;
      case 'and':
      case 'or':
        visitBody(expression.left);
        visitBody(expression.right);
        break;
      case 'some':
        return;
    }
    for (const { target, value } of expression.with) {
      for (const each of [target, value]) {
        // OPA takes a function here for a value, though it may be replaced elsewhere.
        if (this.typeOfFunction(each, checker.environment)?.kind === 'function') {
          const message = `function ${showOperator(each)} used as reference, not called`;
          into.push({ location: each.location, message, isFromNil: false });
        } else walkTerm(each, { term });
      }
    }
  }

  private checkExpression(expression: Expression, environment: TypeEnvironment): TypeProblem | undefined {
    for (const { target, value, location } of expression.with) {
      const [wanted, given] = [this.typeOfFunction(target, environment), this.typeOfFunction(value, environment)];
      if (wanted?.kind !== 'function' || given?.kind !== 'function' || unifies(wanted, given)) continue;
      return { location, message: `${showOperator(target)}: arity mismatch`, isFromNil: given.args.some(isNil) };
    }
    if (expression.kind !== 'call') return undefined;
    const name = operatorName(expression.operator) ?? '';
    const { args, location } = expression;
    if ((name === 'eq' || name === 'equal') && args.length === 2) return this.equality(expression, environment);
    if (name === 'internal.member_2' || name === 'internal.member_3') {
      const error = this.membership(args, name === 'internal.member_3', environment, location);
      if (error !== undefined) return error;
    }
    return this.call(expression, name, environment);
  }

  private typeOfFunction(term: Term, environment: TypeEnvironment): MaybeType {
    const name = term.kind === 'ref' || term.kind === 'var' ? operatorName(term) : undefined;
    if (name !== undefined && documentRoot(term.kind === 'ref' ? term.terms[0] : term) === undefined) {
      const isLocal = environment.variable(name) !== undefined;
      const declared = isLocal ? undefined : this.declaration(name);
      if (declared !== undefined) return declared;
    }
    return environment.of(term);
  }

  private declaration(name: string): FunctionType | undefined {
    const known = this.declared.get(name);
    if (known !== undefined) return known;
    const builtin = this.context.builtins.get(name);
    if (builtin === undefined) return undefined;
    const made: FunctionType = {
      kind: 'function',
      args: builtin.args.map(fromDeclaration),
      result: builtin.result && fromDeclaration(builtin.result),
      variadic: builtin.variadic && fromDeclaration(builtin.variadic),
    };
    this.declared.set(name, made);
    return made;
  }

  private equality(expression: CallExpression, environment: TypeEnvironment): TypeProblem | undefined {
    const [left, right] = expression.args as readonly [Term, Term];
    const [a, b] = [environment.of(left), environment.of(right)];
    if (unifyTerms(environment, left, right)) return undefined;
    return mismatch(expression.location, a, b);
  }

  private membership(
    args: readonly Term[],
    hasKey: boolean,
    environment: TypeEnvironment,
    location: Location,
  ): TypeProblem | undefined {
    const arity = hasKey ? 3 : 2;
    const [collection, value] = [args[arity - 1], args[arity - 2]];
    if (collection === undefined || value === undefined) return undefined;
    const type = environment.of(collection);
    const values = valuesOf(type);
    if (values === undefined) return undefined;
    const operand = (term: Term, wanted: MaybeType): TypeProblem | undefined => {
      if (wanted === undefined || isNil(wanted)) return undefined;
      const have = environment.of(term);
      if ((isNil(have) || unifies(have, wanted)) && unifyTerm(environment, term, wanted, false)) return undefined;
      return mismatch(location, have, wanted);
    };
    const keyError = hasKey ? operand(args[0] as Term, keysOf(type)) : undefined;
    return keyError ?? operand(value, values);
  }

  private call(expression: CallExpression, name: string, environment: TypeEnvironment): TypeProblem | undefined {
    const { operator, args, location } = expression;
    const isData = operator.kind === 'ref' && documentRoot(operator.terms[0]) === 'data';
    const type = isData ? environment.of(operator) : this.declaration(name);
    if (type?.kind === 'any' && type.of.length === 0) return undefined;
    const shown = showOperator(operator);
    if (type?.kind !== 'function') return { location, message: `undefined function ${shown}`, isFromNil: false };
    const wanted = type.result === undefined ? type.args : [...type.args, type.result];
    const builtin = isData ? undefined : this.context.builtins.get(name);
    const wantedAt = (index: number): MaybeType => (index < wanted.length ? wanted[index] : type.variadic);
    const failure = (problem: string, have: readonly MaybeType[]): TypeProblem => {
      const message = argumentMessage({ operator: shown, problem, have, want: wanted, builtin });
      return { location, message, isFromNil: have.some(isNil) };
    };
    const before = args.map((arg) => environment.of(arg));
    if (args.length > wanted.length && type.variadic === undefined) return failure('too many arguments', before);
    if (args.length < type.args.length) return failure('too few arguments', before);
    for (const [index, arg] of args.entries()) {
      const have = before[index];
      if (have !== undefined && !isNil(have) && !unifies(have, wantedAt(index)))
        return failure('invalid argument(s)', before);
      if (!unifyTerm(environment, arg, wantedAt(index), false))
        return failure(
          'invalid argument(s)',
          args.map((each) => environment.of(each)),
        );
    }
    return undefined;
  }

  /** The environment of an expression whose `with` replaces documents. */
  private modified(expression: Expression, environment: TypeEnvironment): TypeEnvironment {
    let result = environment;
    const replaced: { target: Term & { kind: 'ref' }; type: Type }[] = [];
    for (const { target, value } of expression.with) {
      if (target.kind !== 'ref') continue;
      const type = this.typeOfFunction(target, environment);
      const isFunction = type?.kind === 'function';
      const dependent = this.dependentPaths(target, isFunction);
      if (dependent.length > 0) {
        result = result.wrapWith();
        for (const path of dependent) result.put('data', path, ANY);
      }
      if (isFunction || documentRoot(target.terms[0]) === undefined) continue;
      const given = type !== undefined && isGroundRef(target.terms) ? environment.of(value) : undefined;
      replaced.push({ target, type: (given === undefined ? undefined : or(type, given)) ?? ANY });
    }
    if (replaced.length === 0) return result;
    result = result.wrapWith();
    for (const { target, type } of replaced)
      result.put(documentRoot(target.terms[0]) ?? 'data', constants(groundPrefix(target.terms)), type);
    return result;
  }

  /** The paths of the rules a reference may reach and of all that depend on them. */
  private dependentPaths(target: Term & { kind: 'ref' }, isFunction: boolean): readonly (readonly Value[])[] {
    if (documentRoot(target.terms[0]) !== 'data') return [];
    this.reverse ??= dependents(this.context.graph);
    const seen = new Set(rulesReached(this.context.tree, target.terms));
    for (const rule of seen) for (const other of this.reverse.get(rule) ?? []) seen.add(other);
    const own = formatRef(target.terms);
    const paths: (readonly Value[])[] = [];
    for (const { ref } of seen) if (!isFunction || formatRef(ref) !== own) paths.push(constants(groundPrefix(ref)));
    return paths;
  }

  private hoisted(body: Body): Body {
    const known = this.hoistedBodies.get(body);
    if (known !== undefined) return known;
    const result = new Hoister(this.context).body(body);
    this.hoistedBodies.set(body, result);
    return result;
  }

  /** What is remembered of terms and bodies serves while one body is typed. */
  private forgetBodies(): void {
    this.hoistedBodies.clear();
    this.remembered.clear();
    this.closureNames.clear();
  }

  /** What is wrong with the types of a query. */
  query(body: Body): readonly TypeProblem[] {
    const { errors } = this.body(body, this.rules.wrap());
    this.forgetBodies();
    return errors;
  }

  /** Types a rule and remembers it for those that read it. */
  rule(rule: WorkRule): readonly TypeProblem[] {
    const path = constants(groundPrefix(rule.ref));
    const outer = this.rules.wrap();
    const unknownSchemas = this.bindsSchemas ? declareSchemas(this.context, rule, outer) : [];
    const { environment, errors } = this.body(rule.body, outer);
    this.forgetBodies();
    if (errors.length > 0) {
      this.rules.put('data', path, ANY);
      return [...unknownSchemas, ...errors];
    }
    const type = this.typeOfRule(rule, environment);
    if (type !== undefined) this.rules.insert(path, type);
    return unknownSchemas;
  }

  private typeOfRule(rule: WorkRule, environment: TypeEnvironment): MaybeType {
    const { args, key, value } = rule;
    const ofValue = (): MaybeType => (value === undefined ? { kind: 'boolean' } : environment.of(value));
    if (args !== undefined && args.length > 0) {
      for (const arg of args) {
        walkTerm(arg, {
          term: (term) => {
            if (term.kind === 'var' && environment.variable(term.name) === undefined) environment.set(term.name, ANY);
            return true;
          },
        });
      }
      return { kind: 'function', args: args.map((arg) => environment.of(arg)), result: ofValue(), variadic: undefined };
    }
    let type: MaybeType;
    if (rule.kind === 'multi') {
      const element = key === undefined ? undefined : environment.of(key);
      if (element === undefined) return undefined;
      type = { kind: 'set', of: element };
    } else type = ofValue();
    const dynamic = rule.ref.slice(groundPrefix(rule.ref).length + 1);
    for (const step of dynamic.reverse()) {
      const keyType = environment.of(step);
      if (type === undefined || keyType === undefined) return undefined;
      type = objectType([], { key: keyType, value: type });
    }
    return type;
  }
}

/** Moves references and comprehensions out of calls and indexes, as OPA's RewriteDynamicTerms does. */
export class Hoister {
  private readonly context: Pick<CompileContext, 'names'>;
  private into: Expression[] = [];
  private with: Expression['with'] = [];

  constructor(context: Pick<CompileContext, 'names'>) {
    this.context = context;
  }

  body(body: Body): Body {
    const outer = { into: this.into, with: this.with };
    const result: Expression[] = [];
    this.into = result;
    for (const expression of body) {
      this.with = expression.with;
      result.push(this.expression(expression));
    }
    this.into = outer.into;
    this.with = outer.with;
    return result;
  }

  private expression(expression: Expression): Expression {
    switch (expression.kind) {
      case 'term': {
        const term = this.operand(expression.term);
        return term === expression.term ? expression : { ...expression, term };
      }
      case 'call': {
        const name = operatorName(expression.operator);
        const isEqual = (name === 'eq' || name === 'equal') && expression.args.length === 2;
        let changed = false;
        const args = expression.args.map((arg) => {
          const hoisted = isEqual ? this.operand(arg) : this.term(arg);
          changed ||= hoisted !== arg;
          return hoisted;
        });
        return changed ? { ...expression, args } : expression;
      }
      case 'every': {
        const domain = this.term(expression.domain);
        return domain === expression.domain ? expression : { ...expression, domain };
      }
      default:
        return expression;
    }
  }

  /** A term that may stay where it is. */
  private operand(term: Term): Term {
    if (isClosure(term)) return term;
    return term.kind === 'ref' ? this.steps(term) : this.term(term);
  }

  private steps(term: Term & { kind: 'ref' }): Term & { kind: 'ref' } {
    let changed = false;
    const terms = term.terms.map((part, index) => {
      if (index === 0 || part.kind === 'scalar' || part.kind === 'var') return part;
      const hoisted = this.term(part);
      changed ||= hoisted !== part;
      return hoisted;
    });
    return changed ? { ...term, terms } : term;
  }

  private term(term: Term): Term {
    switch (term.kind) {
      case 'ref':
        return this.capture(this.steps(term));
      case 'array':
      case 'set': {
        const items = term.items.map((item) => this.term(item));
        return items.every((item, index) => item === term.items[index]) ? term : { ...term, items };
      }
      case 'object': {
        const entries = term.entries.map(([key, value]) => [this.term(key), this.term(value)] as const);
        const isSame = entries.every(
          ([key, value], i) => key === term.entries[i]?.[0] && value === term.entries[i]?.[1],
        );
        return isSame ? term : { ...term, entries };
      }
      default:
        return isClosure(term) ? this.capture(term) : term;
    }
  }

  private capture(term: Term): Term {
    const local = variable(this.context.names.fresh(), term.location);
    const made = equality(local, term, undefined, term.location);
    this.into.push(this.with.length === 0 ? made : { ...made, with: this.with });
    return local;
  }
}

function showOperator(operator: Term): string {
  if (operator.kind === 'ref') return formatRef(operator.terms);
  return operator.kind === 'var' ? writtenName(operator.name) : '';
}

/** The rules so that each comes after those it depends on. */
function inOrder(graph: Map<WorkRule, Set<WorkRule>>): readonly WorkRule[] {
  const sorted: WorkRule[] = [];
  const seen = new Set<WorkRule>();
  for (const start of graph.keys()) {
    if (seen.has(start)) continue;
    seen.add(start);
    const stack = [{ rule: start, next: (graph.get(start) ?? new Set<WorkRule>()).values() }];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const step = top.next.next();
      if (step.done === true) {
        sorted.push(top.rule);
        stack.pop();
      } else if (!seen.has(step.value)) {
        seen.add(step.value);
        stack.push({ rule: step.value, next: (graph.get(step.value) ?? new Set<WorkRule>()).values() });
      }
    }
  }
  return sorted;
}

function reportProblem({ errors }: Pick<CompileContext, 'errors'>, problem: TypeProblem): void {
  const { location, message, details } = problem;
  const { file, row, col } = location;
  const error = { code: 'rego_type_error', message, location: { file, row, col } } as const;
  errors.push(details === undefined ? error : { ...error, details });
}

/** A step a rule. */
export function* checkTypes(context: CompileContext): Steps<TypeChecker> {
  const checker = new TypeChecker(context);
  const input = inputSchema(context);
  if (input?.problem !== undefined) reportProblem(context, input.problem);
  if (input?.type !== undefined) checker.rules.put('input', [], input.type);
  for (const rule of inOrder(context.graph)) {
    for (const problem of checker.rule(rule)) reportProblem(context, problem);
    yield;
  }
  return checker;
}

/** Checks a query's body. */
export function checkBodyTypes(context: Pick<CompileContext, 'errors'>, checker: TypeChecker, body: Body): void {
  for (const problem of checker.query(body)) reportProblem(context, problem);
}
