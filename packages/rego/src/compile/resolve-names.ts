/**
 * Stage "resolve": names of the package's rules and of imports become references from `data` or
 * `input`, except where a body declares a variable of that name (OPA's ResolveRefs).
 */

import type { Steps } from '../steps.js';
import type { Body, Expression, Module, Term } from '../syntax/ast.js';
import { isComprehension } from '../syntax/ast.js';
import { type CompileContext, report, text, variable, type WorkModule, type WorkRule } from './model.js';
import { type Mapper, mapItems, mapModifiers, mapTerm, termVars, walkExpression, withParts } from './walk.js';

/** What a name stands for: the path from the root. */
export interface Global {
  readonly path: readonly string[];
  used: boolean;
}
export type Globals = ReadonlyMap<string, Global>;

/** Variables `:=` and `some` declare in a body, not inside comprehensions. */
export function declaredVars(body: Body, into: Set<string> = new Set()): Set<string> {
  for (const expression of body) {
    walkExpression(expression, {
      term: (term) => !isComprehension(term),
      expression: (inner) => {
        collectDeclared(inner, into);
        return undefined;
      },
    });
  }
  return into;
}

function collectDeclared(expression: Expression, into: Set<string>): void {
  if (expression.kind === 'call' && expression.infix === ':=') {
    const [left] = expression.args;
    if (left !== undefined) termVars(left, {}, into);
  } else if (expression.kind === 'some') {
    for (const symbol of expression.symbols) {
      if (symbol.kind === 'var') into.add(symbol.name);
      else if (symbol.kind === 'call') for (const arg of symbol.args.slice(0, -1)) termVars(arg, {}, into);
    }
  }
}

class Resolver {
  private readonly globals: Globals;
  private readonly hidden: ReadonlySet<string>[] = [];

  constructor(globals: Globals) {
    this.globals = globals;
  }

  hide(names: ReadonlySet<string>): void {
    this.hidden.push(names);
  }

  unhide(): void {
    this.hidden.pop();
  }

  private lookup(name: string): Global | undefined {
    const global = this.globals.get(name);
    if (global === undefined || this.hidden.some((names) => names.has(name))) return undefined;
    global.used = true;
    return global;
  }

  private expand(name: string, at: Term): Term[] | undefined {
    const global = this.lookup(name);
    if (global === undefined) return undefined;
    const [root, ...rest] = global.path;
    return [variable(root ?? '', at.location), ...rest.map((part) => text(part, at.location))];
  }

  private readonly mapper: Mapper = {
    term: (child) => this.replace(child),
    body: (body) => this.body(body),
  };

  readonly term = (term: Term): Term => mapTerm(term, this.mapper);

  private replace(term: Term): Term | undefined {
    if (term.kind === 'var') {
      const terms = this.expand(term.name, term);
      return terms === undefined ? term : { kind: 'ref', terms, location: term.location };
    }
    if (term.kind === 'ref') {
      const [head] = term.terms;
      const own = head?.kind === 'var' ? this.expand(head.name, head) : undefined;
      const terms = mapItems(term.terms, (part) => (part === head && head.kind === 'var' ? part : this.term(part)));
      return own === undefined ? withParts(term, { terms }) : { ...term, terms: [...own, ...terms.slice(1)] };
    }
    if (term.kind === 'array-comprehension' || term.kind === 'set-comprehension') {
      this.hide(declaredVars(term.body));
      const result = withParts(term, { term: this.term(term.term), body: this.body(term.body) });
      this.unhide();
      return result;
    }
    if (term.kind === 'object-comprehension') {
      this.hide(declaredVars(term.body));
      const result = withParts(term, {
        key: this.term(term.key),
        value: this.term(term.value),
        body: this.body(term.body),
      });
      this.unhide();
      return result;
    }
    if (term.kind === 'template') {
      return {
        ...term,
        parts: term.parts.map((part) => ('negated' in part ? this.expression(part) : part)),
      };
    }
    return undefined;
  }

  body(body: Body): Body {
    return mapItems(body, this.expression);
  }

  readonly expression = (expression: Expression): Expression => {
    const each = this.term;
    const modifiers = mapModifiers(expression.with, each);
    switch (expression.kind) {
      case 'term':
        return withParts(expression, { term: this.term(expression.term), with: modifiers });
      case 'call': {
        const { operator, args } = expression;
        return withParts(expression, { operator: each(operator), args: mapItems(args, each), with: modifiers });
      }
      case 'some': {
        const symbol = (one: Term): Term => (one.kind === 'call' ? this.term(one) : one);
        return withParts(expression, { symbols: mapItems(expression.symbols, symbol), with: modifiers });
      }
      case 'every': {
        const names = new Set([expression.value.name]);
        if (expression.key !== undefined) names.add(expression.key.name);
        this.hide(names);
        const result = withParts(expression, {
          domain: this.term(expression.domain),
          body: this.body(expression.body),
          with: modifiers,
        });
        this.unhide();
        return result;
      }
      case 'not':
        return withParts(expression, { body: this.body(expression.body), with: modifiers });
      case 'and':
      case 'or': {
        const { left, right } = expression;
        return withParts(expression, { left: this.body(left), right: this.body(right), with: modifiers });
      }
    }
  };
}

/** The names a module's bodies can use: its package's rules and its imports. */
export function moduleGlobals(
  module: WorkModule,
  exports: ReadonlyMap<string, ReadonlySet<string>>,
): Map<string, Global> {
  const globals = new Map<string, Global>();
  const path = ['data', ...module.source.package.path];
  for (const name of exports.get(module.source.package.path.join('\u0000')) ?? []) {
    globals.set(name, { path: [...path, name], used: true });
  }
  for (const statement of module.source.imports) {
    if (statement.path[0] === 'future' || statement.path[0] === 'rego') continue;
    const name = statement.alias ?? statement.path.at(-1) ?? '';
    globals.set(name, { path: statement.path, used: false });
  }
  return globals;
}

function patternVars(term: Term, into: Set<string>): void {
  if (term.kind === 'var') into.add(term.name);
  else if (term.kind === 'array') for (const item of term.items) patternVars(item, into);
  else if (term.kind === 'object') for (const [, value] of term.entries) patternVars(value, into);
  else if (term.kind === 'ref') termVars(term, {}, into);
}

function resolveRule(context: CompileContext, rule: WorkRule, globals: Globals, isBranch: boolean): void {
  const names = new Set<string>();
  for (const arg of rule.args ?? []) {
    patternVars(arg, names);
    if (!isBranch && arg.kind === 'ref' && arg.terms.length === 1 && arg.terms[0]?.kind === 'var') {
      const message = `args must not shadow ${arg.terms[0].name} (use a different variable name)`;
      report(context, 'rego_compile_error', rule.location, message);
    }
  }
  const resolver = new Resolver(globals);
  resolver.hide(names);
  resolver.hide(declaredVars(rule.body));
  const skip = rule.module.source.package.path.length + 2;
  rule.ref = rule.ref.map((term, index) => (index < skip ? term : resolver.term(term)));
  rule.key = rule.key && resolver.term(rule.key);
  rule.value = rule.value && resolver.term(rule.value);
  rule.body = resolver.body(rule.body);
}

function packageExports(context: CompileContext): Map<string, Set<string>> {
  const exports = new Map<string, Set<string>>();
  for (const module of context.modules) {
    const key = module.source.package.path.join('\u0000');
    const names = exports.get(key) ?? new Set<string>();
    exports.set(key, names);
    for (const rule of module.rules) {
      const [name] = rule.source.head.ref;
      if (name?.kind === 'var') names.add(name.name);
    }
  }
  return exports;
}

/** What a query in a module of that package, with those imports, can name. */
export function queryGlobals(context: CompileContext, inside: Module): Globals {
  return moduleGlobals({ source: inside, rules: [] }, packageExports(context));
}

/** Resolves a query's names against a package's rules (queries may be asked as if inside one). */
export function resolveQuery(body: Body, globals: Globals): Body {
  const resolver = new Resolver(globals);
  resolver.hide(declaredVars(body));
  return resolver.body(body);
}

/** A step a rule. */
export function* resolveNames(context: CompileContext): Steps<void> {
  const exports = packageExports(context);
  for (const module of context.modules) {
    const globals = moduleGlobals(module, exports);
    for (const rule of module.rules) {
      resolveRule(context, rule, globals, false);
      for (const branch of rule.otherwise) resolveRule(context, branch, globals, true);
      yield;
    }
    checkUnusedImports(context, module, globals);
  }
}

function checkUnusedImports(context: CompileContext, module: WorkModule, globals: Globals): void {
  for (const statement of module.source.imports) {
    const name = statement.alias ?? statement.path.at(-1) ?? '';
    const global = globals.get(name);
    if (global === undefined || global.used || statement.path[0] === 'future' || statement.path[0] === 'rego') continue;
    const shown = `${statement.path.join('.')}${statement.alias === undefined ? '' : ` as ${statement.alias}`}`;
    const sink = { errors: context.strict ? context.recoverable : context.warnings };
    report(sink, 'rego_compile_error', statement.location, `import ${shown} unused`);
  }
}
