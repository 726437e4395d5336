/** Walking and mapping the tree: the variables under a node, references, calls, closures. */
import type { Body, Expression, Term, With } from '../syntax/ast.js';
import { isComprehension } from '../syntax/ast.js';
import { keyOf } from '../values/index.js';

export interface VarOptions {
  /** Do not enter comprehensions, `not`/`and`/`or` bodies, templates, nor the body of `every`. */
  readonly skipClosures?: boolean;
  /** Do not count the first term of references. */
  readonly skipRefHead?: boolean;
  /** Do not count the function of calls nor the root of `with` targets. */
  readonly skipCallHead?: boolean;
  readonly skipObjectKeys?: boolean;
  readonly skipSets?: boolean;
  /** Called on expressions before anything else: true means handled. */
  readonly custom?: (expression: Expression, into: Set<string>) => boolean;
}

/** What OPA's safety checks count as the variables of an expression. */
export const SAFETY_VARS: VarOptions = { skipClosures: true, skipCallHead: true };
/** The variables unification can bind in a term. */
export const BINDABLE_VARS: VarOptions = { skipRefHead: true, skipObjectKeys: true, skipClosures: true };

export function termVars(term: Term, options: VarOptions, into: Set<string>): void {
  switch (term.kind) {
    case 'scalar':
      return;
    case 'var':
      into.add(term.name);
      return;
    case 'ref':
      for (let i = options.skipRefHead ? 1 : 0; i < term.terms.length; i++)
        termVars(term.terms[i] as Term, options, into);
      return;
    case 'array':
      for (const item of term.items) termVars(item, options, into);
      return;
    case 'set':
      if (!options.skipSets) for (const item of term.items) termVars(item, options, into);
      return;
    case 'object':
      for (const [key, value] of term.entries) {
        if (!options.skipObjectKeys) termVars(key, options, into);
        termVars(value, options, into);
      }
      return;
    case 'call':
      callVars(term.operator, term.args, options, into);
      return;
    case 'array-comprehension':
    case 'set-comprehension':
      if (options.skipClosures) return;
      termVars(term.term, options, into);
      bodyVars(term.body, options, into);
      return;
    case 'object-comprehension':
      if (options.skipClosures) return;
      termVars(term.key, options, into);
      termVars(term.value, options, into);
      bodyVars(term.body, options, into);
      return;
    case 'template':
      if (options.skipClosures) return;
      for (const part of term.parts) {
        if ('negated' in part) expressionVars(part, options, into);
        else termVars(part, options, into);
      }
      return;
  }
}

function callVars(operator: Term, args: readonly Term[], options: VarOptions, into: Set<string>): void {
  if (!options.skipCallHead) termVars(operator, options, into);
  else if (operator.kind === 'ref') for (const term of operator.terms.slice(1)) termVars(term, options, into);
  for (const arg of args) termVars(arg, options, into);
}

function withVars(modifier: With, options: VarOptions, into: Set<string>): void {
  if (!options.skipCallHead) {
    termVars(modifier.target, options, into);
    termVars(modifier.value, options, into);
    return;
  }
  const { target, value } = modifier;
  if (target.kind === 'ref') for (const term of target.terms.slice(1)) termVars(term, options, into);
  if (value.kind === 'ref') for (const term of value.terms.slice(1)) termVars(term, options, into);
  else termVars(value, options, into);
}

export function expressionVars(expression: Expression, options: VarOptions, into: Set<string>): void {
  const closed = options.skipClosures === true;
  if (options.custom?.(expression, into) !== true) {
    switch (expression.kind) {
      case 'term':
        termVars(expression.term, options, into);
        break;
      case 'call':
        callVars(expression.operator, expression.args, options, into);
        break;
      case 'some':
        for (const symbol of expression.symbols) termVars(symbol, options, into);
        break;
      case 'every':
        termVars(expression.domain, options, into);
        if (closed) return;
        if (expression.key !== undefined) into.add(expression.key.name);
        into.add(expression.value.name);
        bodyVars(expression.body, options, into);
        break;
      case 'not':
        if (!closed) bodyVars(expression.body, options, into);
        break;
      case 'and':
      case 'or':
        if (!closed) {
          bodyVars(expression.left, options, into);
          bodyVars(expression.right, options, into);
        }
        break;
    }
  }
  for (const modifier of expression.with) withVars(modifier, options, into);
}

export function bodyVars(body: Body, options: VarOptions, into: Set<string>): void {
  for (const expression of body) expressionVars(expression, options, into);
}

export function varsOf(node: Term | Expression | Body, options: VarOptions = {}): Set<string> {
  const into = new Set<string>();
  if (Array.isArray(node)) bodyVars(node as Body, options, into);
  else if ('negated' in (node as object)) expressionVars(node as Expression, options, into);
  else termVars(node as Term, options, into);
  return into;
}

/** Calls `visit` on every term under the node, parents first; `false` keeps out of a term's children. */
export interface Visitor {
  readonly term?: (term: Term) => boolean | undefined;
  readonly expression?: (expression: Expression) => boolean | undefined;
}

/** Nothing is below a leaf: a visitor of expressions alone has no use for it. */
function walkTerms(terms: readonly Term[], visitor: Visitor): void {
  const wantsLeaves = visitor.term !== undefined;
  for (let i = 0; i < terms.length; i++) {
    const term = terms[i] as Term;
    if (wantsLeaves || (term.kind !== 'scalar' && term.kind !== 'var')) walkTerm(term, visitor);
  }
}

export function walkTerm(term: Term, visitor: Visitor): void {
  if (visitor.term?.(term) === false) return;
  switch (term.kind) {
    case 'ref':
      walkTerms(term.terms, visitor);
      return;
    case 'array':
    case 'set':
      walkTerms(term.items, visitor);
      return;
    case 'object':
      for (const [key, value] of term.entries) {
        walkTerm(key, visitor);
        walkTerm(value, visitor);
      }
      return;
    case 'call':
      walkTerm(term.operator, visitor);
      walkTerms(term.args, visitor);
      return;
    case 'array-comprehension':
    case 'set-comprehension':
      walkTerm(term.term, visitor);
      walkBody(term.body, visitor);
      return;
    case 'object-comprehension':
      walkTerm(term.key, visitor);
      walkTerm(term.value, visitor);
      walkBody(term.body, visitor);
      return;
    case 'template':
      for (const part of term.parts) {
        if ('negated' in part) walkExpression(part, visitor);
        else walkTerm(part, visitor);
      }
      return;
    default:
      return;
  }
}

export function walkExpression(expression: Expression, visitor: Visitor): void {
  if (visitor.expression?.(expression) === false) return;
  switch (expression.kind) {
    case 'term':
      walkTerm(expression.term, visitor);
      break;
    case 'call':
      walkTerm(expression.operator, visitor);
      walkTerms(expression.args, visitor);
      break;
    case 'some':
      walkTerms(expression.symbols, visitor);
      break;
    case 'every':
      walkTerm(expression.domain, visitor);
      walkBody(expression.body, visitor);
      break;
    case 'not':
      walkBody(expression.body, visitor);
      break;
    case 'and':
    case 'or':
      walkBody(expression.left, visitor);
      walkBody(expression.right, visitor);
      break;
  }
  for (const modifier of expression.with) {
    walkTerm(modifier.target, visitor);
    walkTerm(modifier.value, visitor);
  }
}

export function walkBody(body: Body, visitor: Visitor): void {
  for (const expression of body) walkExpression(expression, visitor);
}

/** How to rebuild a tree: each function is given a node and returns its replacement. */
export interface Mapper {
  /** Returning undefined means: rebuild from mapped children. */
  readonly term: (term: Term) => Term | undefined;
  readonly body?: (body: Body) => Body;
}

/** The list itself when nothing in it changes: what stages leave alone is shared. */
export function mapItems<T>(items: readonly T[], map: (item: T) => T): readonly T[] {
  let result: T[] | undefined;
  for (let i = 0; i < items.length; i++) {
    const item = items[i] as T;
    const mapped = map(item);
    if (result !== undefined) result.push(mapped);
    else if (mapped !== item) {
      result = items.slice(0, i);
      result.push(mapped);
    }
  }
  return result ?? items;
}

/** The node itself when the parts are what it has. */
export function withParts<N extends object>(node: N, parts: Partial<N>): N {
  for (const key in parts) if (parts[key] !== node[key]) return { ...node, ...parts };
  return node;
}

export function mapTerm(term: Term, mapper: Mapper): Term {
  const replaced = mapper.term(term);
  if (replaced !== undefined) return replaced;
  if (term.kind === 'scalar' || term.kind === 'var') return term;
  const each = (child: Term): Term => mapTerm(child, mapper);
  switch (term.kind) {
    case 'ref': {
      const terms = mapItems(term.terms, each);
      return terms === term.terms ? term : { ...term, terms };
    }
    case 'array':
    case 'set':
      return withParts(term, { items: mapItems(term.items, each) });
    case 'object': {
      const entries = mapItems(term.entries, (entry) => mapEntry(entry, each));
      if (entries === term.entries) return term;
      const { written: _written, ...own } = term;
      return { ...own, entries };
    }
    case 'call':
      return withParts(term, { operator: each(term.operator), args: mapItems(term.args, each) });
    case 'array-comprehension':
    case 'set-comprehension':
      return withParts(term, { term: each(term.term), body: mapBody(term.body, mapper) });
    case 'object-comprehension':
      return withParts(term, { key: each(term.key), value: each(term.value), body: mapBody(term.body, mapper) });
    case 'template': {
      const part = (one: Term | Expression): Term | Expression =>
        'negated' in one ? mapExpression(one, mapper) : each(one);
      return withParts(term, { parts: mapItems(term.parts, part) });
    }
    default:
      return term;
  }
}

export function mapEntry(entry: readonly [Term, Term], each: (term: Term) => Term): readonly [Term, Term] {
  const [key, value] = [each(entry[0]), each(entry[1])];
  return key === entry[0] && value === entry[1] ? entry : [key, value];
}

export function mapBody(body: Body, mapper: Mapper): Body {
  if (mapper.body !== undefined) return mapper.body(body);
  return mapItems(body, (expression) => mapExpression(expression, mapper));
}

export function mapModifiers(modifiers: readonly With[], each: (term: Term) => Term): readonly With[] {
  if (modifiers.length === 0) return modifiers;
  return mapItems(modifiers, (modifier) =>
    withParts(modifier, { target: each(modifier.target), value: each(modifier.value) }),
  );
}

export function mapExpression(expression: Expression, mapper: Mapper): Expression {
  const each = (child: Term): Term => mapTerm(child, mapper);
  const modifiers = mapModifiers(expression.with, each);
  switch (expression.kind) {
    case 'term': {
      const term = each(expression.term);
      const isSame = term === expression.term && modifiers === expression.with;
      return isSame ? expression : { ...expression, term, with: modifiers };
    }
    case 'call': {
      const operator = each(expression.operator);
      const args = mapItems(expression.args, each);
      const isSame = operator === expression.operator && args === expression.args && modifiers === expression.with;
      return isSame ? expression : { ...expression, operator, args, with: modifiers };
    }
    case 'some':
      return withParts(expression, { symbols: mapItems(expression.symbols, each), with: modifiers });
    case 'every':
      return withParts(expression, {
        domain: each(expression.domain),
        body: mapBody(expression.body, mapper),
        with: modifiers,
      });
    case 'not':
      return withParts(expression, { body: mapBody(expression.body, mapper), with: modifiers });
    case 'and':
    case 'or':
      return withParts(expression, {
        left: mapBody(expression.left, mapper),
        right: mapBody(expression.right, mapper),
        with: modifiers,
      });
  }
}

/** Whether two keys of object patterns are the same constant or the same variable. */
export function sameKey(a: Term, b: Term): boolean {
  if (a.kind === 'var') return b.kind === 'var' && a.name === b.name;
  return a.kind === 'scalar' && b.kind === 'scalar' && keyOf(a.value) === keyOf(b.value);
}

/** Whether evaluating the term means more than reading variables and building collections. */
export function requiresEvaluation(term: Term): boolean {
  let found = false;
  walkTerm(term, {
    term: (child) => {
      if (child.kind === 'ref' || child.kind === 'call' || child.kind === 'template' || isComprehension(child)) {
        found = true;
      }
      return !found;
    },
  });
  return found;
}
