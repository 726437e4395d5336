/** Rules and expressions as partial evaluation takes them apart: variables of their own, what may be written out, what can be negated. */
import type { WorkRule } from '../compile/model.js';
import type { TreeNode } from '../compile/rule-tree.js';
import { type Mapper, mapExpression, mapTerm } from '../compile/walk.js';
import { type Body, type EveryExpression, type Expression, NOWHERE, operatorName, type Term } from '../syntax/ast.js';
import { freeVariables, isConstantTerm, isDocument, normalized, termExpression, termOf } from './terms.js';

export function renamedVariable(term: Term, id: number): Term | undefined {
  if (term.kind === 'var') return isDocument(term.name) ? term : { ...term, name: `${term.name}#${id}` };
  if (term.kind !== 'call') return undefined;
  // The name of a export function is no variable.
  const args = term.args.map((arg) => mapTerm(arg, { term: (each) => renamedVariable(each, id) }));
  return { ...term, args };
}

type Rename = (term: Term) => Term | undefined;

const renaming = (term: Rename, id: number): Mapper => ({
  term,
  body: (body) => body.map((each) => renamedExpression(each, term, id)),
});

export const renamedTerm = (term: Term, rename: Rename, id: number): Term => mapTerm(term, renaming(rename, id));

export const renamedExpression = (expression: Expression, rename: Rename, id: number): Expression =>
  renamedEvery(mapExpression(expression, renaming(rename, id)), id);

/** As it is saved: what stages made of it is nobody's concern any more. */
export function placed(expression: Expression): Expression {
  const { generated: _generated, ...own } = normalized(expression);
  return own;
}

/** What `mapExpression` leaves alone: the variables `every` declares, and the names of functions. */
function renamedEvery(expression: Expression, id: number): Expression {
  if (expression.kind === 'call') return { ...expression, operator: originalOperator(expression.operator) };
  if (expression.kind !== 'every') return expression;
  const rename = <T extends { readonly name: string }>(one: T): T => ({ ...one, name: `${one.name}#${id}` });
  const { key, value } = expression;
  return { ...expression, key: key && rename(key), value: rename(value) };
}

function originalOperator(operator: Term): Term {
  const original = (name: string): string => name.replace(/#\d+$/, '');
  if (operator.kind === 'var') return { ...operator, name: original(operator.name) };
  if (operator.kind !== 'ref') return operator;
  const [head, ...rest] = operator.terms;
  return head?.kind === 'var' ? { ...operator, terms: [{ ...head, name: original(head.name) }, ...rest] } : operator;
}

export const headExpressions = ({ key, value, ref, args = [] }: WorkRule): readonly Expression[] =>
  [key, value, ...ref.slice(1), ...args].flatMap((term) => (term === undefined ? [] : [termExpression(term)]));

/** Whether the rules at a node can be written out at all: no order among them, nothing below. */
export const mayWriteOut = ({ rules, children }: TreeNode): boolean =>
  children.size === 0 && rules.every(({ otherwise }) => otherwise.length === 0);

export const emptyOf = (rules: readonly WorkRule[]): Term =>
  rules.some((rule) => rule.kind === 'multi' && rule.ref.every((term, index) => index === 0 || term.kind === 'scalar'))
    ? { kind: 'set', items: [], location: NOWHERE }
    : { kind: 'object', entries: [], location: NOWHERE };

/** What a variable can stand for without anything left to evaluate. */
export const isBindable = (term: Term): boolean => {
  if (term.kind === 'var') return !isDocument(term.name);
  if (term.kind === 'array') return term.items.every(isBindable);
  if (term.kind === 'object') return term.entries.every(([key, value]) => isBindable(key) && isBindable(value));
  if (term.kind === 'set') return term.items.every(isBindable);
  return term.kind === 'scalar';
};

const SHAPES = ['array', 'object', 'set', 'scalar'];

/** Two kinds of values that are never equal. */
export const isMismatch = (a: Term, b: Term): boolean =>
  a.kind !== b.kind && SHAPES.includes(a.kind) && SHAPES.includes(b.kind);

export function positiveBody(expression: Expression): Body {
  if (expression.kind === 'not') return expression.body;
  return [{ ...expression, negated: false, with: [] }];
}

/** As it is left: every reference of the body has its own expression, as in OPA (whose own key, unused, its compiler refuses). */
export function savedEvery(expression: EveryExpression, hoist: (body: Body) => Body): EveryExpression {
  const body = hoist(expression.body).map((each) => (each.kind === 'every' ? savedEvery(each, hoist) : each));
  return { ...expression, body };
}

/** What a negation leaves inside of it; references in anything else are evaluated before. */
const staysInside = (term: Term): boolean => term.kind === 'ref' || term.kind === 'var' || isConstantTerm(term);

/** Whether each expression may be negated where it stands: its variables are known there, and nothing in it is evaluated outside. */
export const isNegatable = (body: readonly Expression[], outer: ReadonlySet<string>): boolean =>
  body.every((expression) => {
    if (expression.with.length > 0 || ![...freeVariables(expression)].every((name) => outer.has(name))) return false;
    if (expression.kind === 'term') return staysInside(expression.term);
    if (expression.kind !== 'call') return false;
    const mayHaveReferences = operatorName(expression.operator) === 'eq';
    return expression.args.every((arg) => staysInside(arg) && (mayHaveReferences || arg.kind !== 'ref'));
  });

/** Gives the variables of an expression new names, but for those known outside. */
export function renamedInside(expression: Expression, outer: ReadonlySet<string>, id: number): Expression {
  const term = (each: Term): Term | undefined =>
    each.kind === 'var' && outer.has(each.name) ? each : renamedVariable(each, id);
  return renamedExpression(expression, term, id);
}

/** Keys and values of a collection written out. */
export function pairsOf(domain: Term): readonly (readonly [Term, Term])[] | undefined {
  if (!isConstantTerm(domain)) return undefined;
  if (domain.kind === 'array') return domain.items.map((item, index) => [termOf(index), item]);
  if (domain.kind === 'set') return domain.items.map((item) => [item, item]);
  return domain.kind === 'object' ? domain.entries : undefined;
}
