/**
 * Expressions under `with`: the modifiers stay, and the rules the expression reads become support rules, which read what is put in place
 * when they are asked. That needs all of what is replaced to be unknown input, and what replaces it to be known; else the expression stays.
 */
import type { Expression, Term } from '../syntax/ast.js';
import { equation, isConstantTerm, sidesOf, termExpression } from './terms.js';

export interface WithSupport {
  /** Whether everything below a reference is unknown. */
  covers(target: readonly Term[]): boolean;
  /** What stands for a document made by rules; undefined when it has no value, the term itself when it is none. */
  documentFor(term: Term): Term | undefined;
  /** A new variable. */
  variable(): Term;
}

const termsOf = (target: Term): readonly Term[] => (target.kind === 'ref' ? target.terms : [target]);

/** What is left of the expression, all of which must hold; undefined when it cannot. */
export function underWith(expression: Expression, support: WithSupport): readonly Expression[] | undefined {
  const isKept = expression.with.some(({ target, value }) => {
    const [head] = termsOf(target);
    const isInput = head?.kind === 'var' && head.name === 'input';
    return !isInput || !support.covers(termsOf(target)) || !isConstantTerm(value);
  });
  if (isKept) return [expression];
  const modified = (inner: Expression): Expression => ({ ...inner, with: expression.with });
  if (expression.kind === 'term' && expression.term.kind === 'ref') {
    const document = support.documentFor(expression.term);
    if (expression.negated) return document === undefined ? [] : [{ ...expression, term: document }];
    if (document === undefined) return undefined;
    const value = support.variable();
    return [modified(equation(document, value)), modified(termExpression(value))];
  }
  const sides = sidesOf(expression);
  if (sides === undefined) return [expression];
  const [left, right] = sides.map((side) => support.documentFor(side));
  if (left === undefined || right === undefined) return undefined;
  if (left === sides[0] && right === sides[1]) return [expression];
  return [modified(right === sides[1] ? equation(left, right) : equation(right, left))];
}
