/**
 * Stage "locals": every variable declared by `:=`, `some`, `every` or as an argument gets a name of
 * its own, so that later stages need no scopes; redeclarations are refused (OPA's RewriteLocalVars).
 *
 * Over 500 lines: one walk over expressions and terms with the scopes they share.
 */
import type { Steps } from '../steps.js';
import type { Body, CallExpression, Expression, Location, Term, VarTerm, With } from '../syntax/ast.js';
import { isComprehension } from '../syntax/ast.js';
import {
  type CompileContext,
  equality,
  isGenerated,
  report,
  reportLater,
  variable,
  type WorkRule,
  writtenName,
} from './model.js';
import { outputsOfEquality } from './safety.js';
import { BINDABLE_VARS, type Mapper, mapBody, mapItems, mapTerm, termVars, varsOf, withParts } from './walk.js';

type Occurrence = 'new' | 'argument' | 'seen' | 'assigned' | 'declared';

interface Scope {
  readonly names: Map<string, string>;
  readonly occurrences: Map<string, Occurrence>;
  readonly counts: Map<string, number>;
}

function newScope(): Scope {
  return { names: new Map(), occurrences: new Map(), counts: new Map() };
}

const REASONS: Readonly<Partial<Record<Occurrence, (name: string) => string>>> = {
  seen: (name) => `var ${name} referenced above`,
  assigned: (name) => `var ${name} assigned above`,
  declared: (name) => `var ${name} declared above`,
  argument: (name) => `arg ${name} redeclared`,
};

class RenameError extends Error {}

function rootName(term: Term): string | undefined {
  const head = term.kind === 'ref' && term.terms.length === 1 ? term.terms[0] : undefined;
  return head?.kind === 'var' && (head.name === 'input' || head.name === 'data') ? head.name : undefined;
}

export class LocalRenamer {
  private readonly context: Pick<CompileContext, 'errors' | 'recoverable' | 'names' | 'strict' | 'warnings'>;
  private readonly scopes: Scope[];

  constructor(
    context: Pick<CompileContext, 'errors' | 'recoverable' | 'names' | 'strict' | 'warnings'>,
    scopes: Scope[] = [newScope()],
  ) {
    this.context = context;
    this.scopes = scopes;
  }

  /** A renamer that starts from copies of this one's scopes: for `else` branches. */
  fork(): LocalRenamer {
    const copies = this.scopes.map((scope) => ({
      names: new Map(scope.names),
      occurrences: new Map(scope.occurrences),
      counts: new Map(scope.counts),
    }));
    return new LocalRenamer(this.context, copies);
  }

  /** Where the rule's errors begin: beside any of them, unused variables are not worth a word. */
  private errorsBefore: number | undefined;

  get outermost(): ReadonlyMap<string, string> {
    return this.scopes[0]?.names ?? new Map();
  }

  countOf(name: string): number {
    return this.scopes[0]?.counts.get(name) ?? 0;
  }

  private top(): Scope {
    const scope = this.scopes.at(-1);
    if (scope === undefined) throw new Error('no scope');
    return scope;
  }

  private insert(name: string, to: string, occurrence: Occurrence): void {
    const scope = this.top();
    scope.names.set(name, to);
    scope.occurrences.set(name, occurrence);
    scope.counts.set(name, 1);
  }

  private declared(name: string): string | undefined {
    for (let i = this.scopes.length - 1; i >= 0; i--) {
      const to = this.scopes[i]?.names.get(name);
      if (to !== undefined) return to;
    }
    return undefined;
  }

  private isDeclaredSomewhere(name: string): boolean {
    for (let i = this.scopes.length - 1; i >= 0; i--) {
      const occurrence = this.scopes[i]?.occurrences.get(name);
      if (occurrence !== undefined) return occurrence !== 'seen';
    }
    return false;
  }

  private see(name: string): void {
    for (let i = this.scopes.length - 1; i >= 0; i--) {
      const counts = this.scopes[i]?.counts;
      const count = counts?.get(name);
      if (counts === undefined || count === undefined) continue;
      counts.set(name, count + 1);
      return;
    }
    this.top().counts.set(name, 1);
  }

  private declare(name: string, occurrence: Occurrence): string {
    const reason = REASONS[this.top().occurrences.get(name) ?? 'new'];
    if (reason !== undefined) throw new RenameError(reason(name));
    const to = this.context.names.fresh(name);
    this.insert(name, to, occurrence);
    return to;
  }

  /** Declares the variables of a function's arguments. */
  argument(term: Term): Term {
    switch (term.kind) {
      case 'var': {
        const known = this.declared(term.name);
        if (known !== undefined) this.see(term.name);
        else this.insert(term.name, this.context.names.fresh(term.name), 'argument');
        return { ...term, name: this.declared(term.name) ?? term.name };
      }
      case 'array':
        return { ...term, items: term.items.map((item) => this.argument(item)) };
      case 'object':
        return { ...term, entries: term.entries.map(([key, value]) => [key, this.argument(value)] as const) };
      case 'ref':
        // Even `input` and `data`: OPA takes them for arguments too, and finds them unsafe.
        return { ...term, terms: term.terms.map((part) => this.argument(part)) };
      case 'call':
        this.error(term.location, 'rule arguments cannot contain calls');
        return term;
      default:
        return term;
    }
  }

  private error(location: Location, message: string): void {
    report(this.context, 'rego_compile_error', location, message);
  }

  private attempt<T>(location: Location, action: () => T): T | undefined {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof RenameError)) throw error;
      this.error(location, error.message);
      return undefined;
    }
  }

  private scoped<T>(action: () => T): T {
    this.scopes.push(newScope());
    const result = action();
    this.scopes.pop();
    return result;
  }

  private readonly mapper: Mapper = { term: (child) => this.replace(child), body: (body) => this.body(body) };

  readonly term = (term: Term): Term => mapTerm(term, this.mapper);

  private replace(term: Term): Term | undefined {
    switch (term.kind) {
      case 'var': {
        const to = this.declared(term.name);
        if (to === undefined) {
          if (!this.top().occurrences.has(term.name)) this.insert(term.name, term.name, 'seen');
          return term;
        }
        this.see(term.name);
        return to === term.name ? term : { ...term, name: to };
      }
      case 'ref': {
        const root = rootName(term);
        if (root === undefined) return undefined;
        if (!this.isDeclaredSomewhere(root)) return term;
        return variable(this.declared(root) ?? root, term.location);
      }
      case 'call': {
        this.checkShadowedFunction(term.operator, term.location);
        return undefined;
      }
      case 'array-comprehension':
      case 'set-comprehension':
        return this.scoped(() => {
          const body = this.body(term.body, termNames(term.term));
          return { ...term, body, term: this.term(term.term) };
        });
      case 'object-comprehension':
        return this.scoped(() => {
          const body = this.body(term.body, new Set([...termNames(term.key), ...termNames(term.value)]));
          return { ...term, body, key: this.term(term.key), value: this.term(term.value) };
        });
      case 'template':
        return {
          ...term,
          parts: term.parts.map((part) => ('negated' in part ? this.plain(part) : part)),
        };
      default:
        return undefined;
    }
  }

  private checkShadowedFunction(operator: Term, location: Location): void {
    const isShadowed = (term: Term): boolean => {
      if (term.kind === 'scalar') return false;
      if (term.kind === 'var') return (this.declared(term.name) ?? term.name) !== term.name;
      if (term.kind === 'ref') return term.terms.some(isShadowed);
      return [...varsOf(term)].some((name) => (this.declared(name) ?? name) !== name);
    };
    if (isShadowed(operator)) this.error(location, `called function ${writtenOperator(operator)} shadowed`);
  }

  body(body: Body, used: ReadonlySet<string> = new Set()): Body {
    const result: Expression[] = [];
    this.errorsBefore ??= this.context.errors.length;
    for (const expression of body) {
      const renamed = this.expression(expression);
      if (renamed !== undefined) result.push(renamed);
    }
    if (result.length === 0) {
      const location = body[0]?.location ?? { file: '', row: 0, col: 0, offset: 0, end: 0 };
      result.push({
        kind: 'term',
        term: { kind: 'scalar', value: true, location },
        negated: false,
        with: [],
        location,
      });
    }
    if (this.context.errors.length === this.errorsBefore) {
      this.checkUnusedAssigned(body, used);
      this.checkUnusedDeclared(body, result, used);
    }
    return result;
  }

  private checkUnusedAssigned(body: Body, used: ReadonlySet<string>): void {
    if (!this.context.strict) return;
    const scope = this.top();
    for (const [name, occurrence] of scope.occurrences) {
      if (occurrence !== 'assigned' || isGenerated(name) || used.has(name)) continue;
      if ((scope.counts.get(name) ?? 0) > 1) continue;
      const at = body.find((expression) => expression.kind === 'call' && varsOf(expression).has(name)) ?? body[0];
      if (at !== undefined) reportLater(this.context, 'rego_compile_error', at.location, `assigned var ${name} unused`);
    }
  }

  private checkUnusedDeclared(body: Body, renamed: Body, used: ReadonlySet<string>): void {
    const scope = this.top();
    let present: Set<string> | undefined;
    for (const [name, occurrence] of scope.occurrences) {
      if (occurrence !== 'declared' || isGenerated(name) || used.has(name)) continue;
      present ??= varsOf(renamed);
      if (present.has(scope.names.get(name) ?? name)) continue;
      const at = body.find((expression) => expression.kind === 'some' && varsOf(expression).has(name)) ?? body[0];
      if (at !== undefined) reportLater(this.context, 'rego_compile_error', at.location, `declared var ${name} unused`);
    }
  }

  private modifiers(modifiers: readonly With[]): readonly With[] {
    if (modifiers.length === 0) return modifiers;
    return modifiers.map((modifier) => {
      // `with input as` means the document even where a variable shadows it.
      const root = rootName(modifier.target);
      let target = root === undefined ? this.term(modifier.target) : modifier.target;
      const original = modifier.target;
      if (target.kind === 'ref' && original.kind === 'ref' && original.terms[0]?.kind === 'var') {
        const { name } = original.terms[0];
        if (name === 'input') target = { ...target, terms: [original.terms[0], ...target.terms.slice(1)] };
      }
      return { ...modifier, target, value: this.term(modifier.value) };
    });
  }

  private expression(expression: Expression): Expression | undefined {
    switch (expression.kind) {
      case 'call':
        return expression.infix === ':=' ? this.assignment(expression) : this.plain(expression);
      case 'some':
        return this.some(expression);
      case 'every':
        return this.every(expression);
      case 'not':
        return this.not(expression);
      case 'and':
      case 'or':
        return this.logical(expression);
      case 'term':
        return this.plain(expression);
    }
  }

  private plain(expression: Expression): Expression {
    const each = this.term;
    switch (expression.kind) {
      case 'term':
        return withParts(expression, { term: each(expression.term), with: this.modifiers(expression.with) });
      case 'call': {
        const operator = this.operator(expression.operator);
        return withParts(expression, {
          operator,
          args: mapItems(expression.args, each),
          with: this.modifiers(expression.with),
        });
      }
      default:
        return this.expression(expression) ?? expression;
    }
  }

  /** A function's name is not a variable; an index in it may be. */
  private operator(operator: Term): Term {
    if (operator.kind !== 'ref') return operator;
    const [head, ...rest] = operator.terms;
    if (head === undefined) return operator;
    const to = head.kind === 'var' ? this.declared(head.name) : undefined;
    const first = head.kind === 'var' && to !== undefined && to !== head.name ? { ...head, name: to } : head;
    const steps = mapItems(rest, this.term);
    return first === head && steps === rest ? operator : { ...operator, terms: [first, ...steps] };
  }

  private assignment(expression: CallExpression): Expression {
    const { location } = expression;
    if (expression.negated) {
      this.error(location, 'cannot assign vars inside negated expression');
      return expression;
    }
    const [left, right] = expression.args;
    if (left === undefined || right === undefined) return expression;
    const value = this.term(right);
    const modifiers = expression.with.map((modifier) => ({ ...modifier, value: this.term(modifier.value) }));
    const target = this.assignTarget(left);
    const operator = equality(left, right, undefined, location);
    return {
      ...expression,
      operator: operator.kind === 'call' ? operator.operator : expression.operator,
      args: [target, value],
      with: modifiers,
    };
  }

  private assignTarget(term: Term): Term {
    const root = rootName(term);
    if (term.kind === 'var' || root !== undefined) {
      const name = root ?? (term as VarTerm).name;
      const to = this.attempt(term.location, () => this.declare(name, 'assigned'));
      return to === undefined ? term : variable(to, term.location);
    }
    if (term.kind === 'array') return { ...term, items: term.items.map((item) => this.assignTarget(item)) };
    if (term.kind === 'object') {
      return { ...term, entries: term.entries.map(([key, value]) => [key, this.assignTarget(value)] as const) };
    }
    this.error(term.location, `cannot assign to ${kindName(term)}`);
    return term;
  }

  private some(expression: Expression & { kind: 'some' }): Expression | undefined {
    const [first] = expression.symbols;
    if (first?.kind !== 'call') {
      for (const symbol of expression.symbols) {
        if (symbol.kind !== 'var') continue;
        this.attempt(expression.location, () => this.declare(symbol.name, 'declared'));
      }
      return undefined;
    }
    const hasKey = first.args.length === 3;
    const key = hasKey ? (first.args[0] as Term) : variable(`$${this.context.names.fresh()}`, expression.location);
    const value = first.args[hasKey ? 1 : 0] as Term;
    const container = first.args[hasKey ? 2 : 1] as Term;
    const bound = new Set<string>();
    termVars(key, BINDABLE_VARS, bound);
    termVars(value, BINDABLE_VARS, bound);
    const domain = varsOf(container, { skipClosures: true });
    for (const name of [...bound].sort()) {
      if (isGenerated(name) || !domain.has(name)) continue;
      this.error(expression.location, `var ${name} assigned before`);
      return expression;
    }
    const terms = container.kind === 'ref' ? [...container.terms, key] : [container, key];
    const member: Term = { kind: 'ref', terms, location: container.location };
    const rewritten: Expression = { ...equality(value, member, expression, expression.location), generated: false };
    for (const name of [...outputsOfEquality(value, member, varsOf(container), false)].sort()) {
      if (name.startsWith('~') || name.startsWith('$~')) continue;
      const to = this.attempt(expression.location, () => this.declare(name, 'declared'));
      if (to === undefined) return expression;
    }
    return this.plain(rewritten);
  }

  private every(expression: Expression & { kind: 'every' }): Expression {
    const domain = this.term(expression.domain);
    return this.scoped(() => {
      const rename = (term: VarTerm | undefined): VarTerm | undefined => {
        if (term === undefined || term.name.startsWith('$')) return term;
        const to = this.attempt(expression.location, () => this.declare(term.name, 'declared'));
        return to === undefined ? term : { ...term, name: to };
      };
      const key = rename(expression.key);
      const value = rename(expression.value) ?? expression.value;
      const body = this.body(expression.body).map((inner) => this.readingItself(inner));
      return { ...expression, key, value, domain, body, with: this.modifiers(expression.with) };
    });
  }

  /** In the body of an `every` OPA renames twice: `x := [x]` with a global `x` reads what it assigns. */
  private readingItself(expression: Expression): Expression {
    const [left, right] = expression.kind === 'call' && expression.infix === ':=' ? expression.args : [];
    if (expression.kind !== 'call' || left === undefined || right === undefined) return expression;
    return { ...expression, args: [left, this.term(right)] };
  }

  private not(expression: Expression & { kind: 'not' }): Expression {
    if (expression.explicit) {
      return this.scoped(() => {
        const body = this.body(expression.body);
        return { ...expression, body, with: this.modifiers(expression.with) };
      });
    }
    const body = this.implicit(expression.body, 'cannot assign vars inside negated expression');
    return { ...expression, body, with: this.modifiers(expression.with) };
  }

  private logical(expression: Expression & { kind: 'and' | 'or' }): Expression {
    const message = `cannot assign vars inside \`${expression.kind}\` operand`;
    const operand = (body: Body, explicit: boolean): Body =>
      explicit ? this.scoped(() => this.body(body)) : this.implicit(body, message);
    const left = operand(expression.left, expression.explicitLeft);
    const right = operand(expression.right, expression.explicitRight);
    return { ...expression, left, right, with: this.modifiers(expression.with) };
  }

  /** A body without braces declares nothing. */
  private implicit(body: Body, message: string): Body {
    return body.map((expression) => {
      if (expression.kind === 'call' && expression.infix === ':=') {
        this.error(expression.location, message);
        return expression;
      }
      return this.expression(expression) ?? expression;
    });
  }
}

function termNames(term: Term): Set<string> {
  return varsOf(term);
}

function kindName(term: Term): string {
  if (term.kind === 'scalar') {
    if (term.value === null) return 'null';
    return typeof term.value === 'object' ? 'number' : typeof term.value;
  }
  return isComprehension(term) ? term.kind.replace('-', '') : term.kind;
}

function writtenOperator(operator: Term): string {
  if (operator.kind === 'var') return writtenName(operator.name);
  if (operator.kind !== 'ref') return '';
  return operator.terms
    .map((term) => (term.kind === 'var' ? writtenName(term.name) : term.kind === 'scalar' ? String(term.value) : '_'))
    .join('.');
}

function substitute(term: Term, names: ReadonlyMap<string, string>): Term {
  if (term.kind === 'scalar') return term;
  return mapTerm(term, {
    term: (child) => {
      if (child.kind === 'var') return { ...child, name: names.get(child.name) ?? child.name };
      const root = rootName(child);
      const to = root === undefined ? undefined : names.get(root);
      return to === undefined || to === root ? undefined : variable(to, child.location);
    },
    body: (body) =>
      mapBody(body, {
        term: (child) => substitute(child, names),
      }),
  });
}

function renameHeadClosures(context: CompileContext, term: Term): Term {
  if (term.kind === 'scalar' || term.kind === 'var') return term;
  return mapTerm(term, {
    term: (child) => {
      if (!isComprehension(child) && child.kind !== 'template') return undefined;
      return new LocalRenamer(context).term(child);
    },
  });
}

function renameBranch(context: CompileContext, rule: WorkRule, renamer: LocalRenamer): void {
  const head = (term: Term | undefined): Term | undefined => term && renameHeadClosures(context, term);
  rule.key = head(rule.key);
  rule.value = head(rule.value);
  rule.args = rule.args?.map((term) => renameHeadClosures(context, term));
  rule.ref = rule.ref.map((term) => (term.kind === 'scalar' ? term : renameHeadClosures(context, term)));
  const used = new Set<string>();
  for (const term of rule.ref.slice(1)) if (term.kind !== 'scalar') termVars(term, {}, used);
  if (rule.key !== undefined) termVars(rule.key, {}, used);
  if (rule.value !== undefined) termVars(rule.value, {}, used);
  rule.body = renamer.body(rule.body, used);
  const names = renamer.outermost;
  rule.args = rule.args?.map((arg) => substitute(arg, names));
  rule.ref = rule.ref.map((term, index) => (index === 0 || term.kind === 'scalar' ? term : substitute(term, names)));
  rule.key = rule.key && substitute(rule.key, names);
  rule.value = rule.value && substitute(rule.value, names);
}

/** Renames the variables of every rule, a step a rule. */
export function* renameLocals(context: CompileContext): Steps<void> {
  for (const module of context.modules) {
    for (const rule of module.rules) {
      yield;
      const shared = new LocalRenamer(context);
      const original = rule.args ?? [];
      for (const arg of original) shared.argument(arg);
      const unused = new Set<string>();
      for (const arg of original) termVars(arg, {}, unused);
      for (const branch of [rule, ...rule.otherwise]) {
        // Without `else` nobody else has the scopes.
        const renamer = rule.otherwise.length === 0 ? shared : shared.fork();
        const valueNames = branch.value === undefined ? new Set<string>() : varsOf(branch.value);
        renameBranch(context, branch, renamer);
        for (const name of [...unused]) if (valueNames.has(name) || renamer.countOf(name) > 1) unused.delete(name);
      }
      if (!context.strict || rule.isDefault) continue;
      for (const name of unused) {
        if (isGenerated(name)) continue;
        const message = `unused argument ${name}. (hint: use _ (wildcard variable) instead)`;
        reportLater(context, 'rego_compile_error', rule.source.head.location, message);
      }
    }
  }
}
