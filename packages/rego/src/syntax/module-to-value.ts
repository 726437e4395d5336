/** The JSON form of a module, as `opa parse --format json` and `rego.parse_module` give it. */
import type { Value } from '../values/index.js';
import { makeSet } from '../values/index.js';
import type { Body, Expression, Head, Module, Rule, Term } from './ast.js';
import { parseModuleSource } from './parser.js';

type Fields = Record<string, Value>;

/** By the node of a number: how it was written. */
export const writtenNumbers = new WeakMap<object, string>();

function typed(type: string, value: Value): Value {
  return { type, value };
}

function termsToValue(terms: readonly Term[]): Value {
  return terms.map(termToValue);
}

function operatorTerm(operator: Term): Term {
  return operator.kind === 'ref' ? operator : { kind: 'ref', terms: [operator], location: operator.location };
}

export function termToValue(term: Term): Value {
  switch (term.kind) {
    case 'scalar': {
      if (term.value === null) return { type: 'null', value: null };
      const node = typed(typeof term.value === 'object' ? 'number' : typeof term.value, term.value);
      if (term.text !== undefined) writtenNumbers.set(node as object, term.text);
      return node;
    }
    case 'var':
      return typed('var', term.name);
    case 'ref':
      return typed('ref', termsToValue(term.terms));
    case 'array':
      return typed('array', termsToValue(term.items));
    case 'set':
      return typed('set', [...makeSet(term.items.map(termToValue))]);
    case 'object':
      return typed(
        'object',
        (term.written ?? term.entries).map(([key, value]) => [termToValue(key), termToValue(value)]),
      );
    case 'call':
      return typed('call', termsToValue([operatorTerm(term.operator), ...term.args]));
    case 'array-comprehension':
      return typed('arraycomprehension', { term: termToValue(term.term), body: bodyToValue(term.body) });
    case 'set-comprehension':
      return typed('setcomprehension', { term: termToValue(term.term), body: bodyToValue(term.body) });
    case 'object-comprehension':
      return typed('objectcomprehension', {
        key: termToValue(term.key),
        value: termToValue(term.value),
        body: bodyToValue(term.body),
      });
    case 'template': {
      const parts = term.parts.map(templatePart);
      // Go's nil slice.
      return typed('templatestring', { parts: parts.length === 0 ? null : parts, multi_line: term.raw });
    }
  }
}

/** A constant is a part of the text. */
function templatePart(part: Term | Expression): Value {
  if (!('negated' in part)) return termToValue(part);
  const isConstant = part.kind === 'term' && part.term.kind === 'scalar' && part.with.length === 0 && !part.negated;
  return isConstant ? termToValue(part.term) : expressionToValue(part, 0);
}

function expressionTerms(expression: Expression): Value {
  switch (expression.kind) {
    case 'term':
      return termToValue(expression.term);
    case 'call':
      return termsToValue([operatorTerm(expression.operator), ...expression.args]);
    case 'some':
      return { symbols: termsToValue(expression.symbols) };
    case 'every':
      return {
        key: expression.key === undefined ? null : termToValue(expression.key),
        value: termToValue(expression.value),
        domain: termToValue(expression.domain),
        body: bodyToValue(expression.body),
      };
    case 'not':
      return { type: 'not', body: bodyToValue(expression.body), explicit_body: expression.explicit };
    case 'and':
    case 'or':
      return {
        type: expression.kind,
        lhs: bodyToValue(expression.left),
        rhs: bodyToValue(expression.right),
        ...(expression.explicitLeft ? { explicit_lhs: true } : {}),
        ...(expression.explicitRight ? { explicit_rhs: true } : {}),
      };
  }
}

function expressionToValue(expression: Expression, index: number): Value {
  const fields: Fields = { index, terms: expressionTerms(expression) };
  if (expression.generated === true) fields['generated'] = true;
  if (expression.negated) fields['negated'] = true;
  if (expression.with.length > 0) {
    fields['with'] = expression.with.map(({ target, value }) => ({
      target: termToValue(target),
      value: termToValue(value),
    }));
  }
  return fields;
}

/** A body as a value, without places. */
export function bodyToValue(body: Body): Value {
  return body.map(expressionToValue);
}

/** `if` may belong to the rule whose `else` this is. */
function headToValue(head: Head, hasIf: boolean): Value {
  const fields: Fields = {};
  const [name, second] = head.ref;
  if (name?.kind === 'var' && (head.ref.length === 1 || isNamed(head, hasIf))) fields['name'] = name.name;
  if (head.args !== undefined) fields['args'] = termsToValue(head.args);
  if (head.key !== undefined) fields['key'] = termToValue(head.key);
  else if (second !== undefined && isKeyed(head, hasIf)) fields['key'] = termToValue(second);
  if (head.value !== undefined) fields['value'] = termToValue(head.value);
  if (head.assign) fields['assign'] = true;
  fields['ref'] = termsToValue(head.ref);
  return fields;
}

/** OPA still names heads of two steps as it did when there were no longer ones. */
function isNamed({ ref, key, args, generatedValue }: Head, hasIf: boolean): boolean {
  if (ref.length !== 2 || key !== undefined) return false;
  return hasIf ? !generatedValue : args === undefined;
}

function isKeyed({ ref, args }: Head, hasIf: boolean): boolean {
  return ref.length === 2 && args === undefined && (!hasIf || ref[1]?.kind !== 'scalar');
}

function ruleToValue(rule: Rule): Value {
  const hasIf = rule.head.keywords.includes('if');
  const fields: Fields = { head: headToValue(rule.head, hasIf), body: bodyToValue(rule.body) };
  if (rule.default) fields['default'] = true;
  let otherwise: Value | undefined;
  for (const branch of [...rule.otherwise].reverse()) {
    const inner: Fields = { head: headToValue(branch.head, hasIf), body: bodyToValue(branch.body) };
    if (otherwise !== undefined) inner['else'] = otherwise;
    otherwise = inner;
  }
  if (otherwise !== undefined) fields['else'] = otherwise;
  return fields;
}

function pathToValue(path: readonly string[]): Value {
  return path.map((part, index) => typed(index === 0 ? 'var' : 'string', part));
}

/** The module as a value. */
export function syntaxToValue(module: Module): Value {
  const fields: Fields = { package: { path: pathToValue(['data', ...module.package.path]) } };
  if (module.imports.length > 0) {
    fields['imports'] = module.imports.map((statement) => {
      const path = typed('ref', pathToValue(statement.path));
      return statement.alias === undefined ? { path } : { path, alias: statement.alias };
    });
  }
  if (module.rules.length > 0) fields['rules'] = module.rules.map(ruleToValue);
  return fields;
}

/** Parses a module and gives its value. Errors: `RegoErrors`. */
export function moduleToValue(filename: string, text: string): Value {
  return syntaxToValue(parseModuleSource(filename, text));
}
