/**
 * Makes what partial evaluation has saved shorter: a variable that only stands for a reference or for the value of a call is written
 * out where it is used. Nothing changes what must be defined: what is used nowhere stays.
 */
import { walkExpression } from '../compile/walk.js';
import type { Expression, Term } from '../syntax/ast.js';
import { NOWHERE, operatorName } from '../syntax/ast.js';
import { freeVariables, hasClosure, isDocument, sidesOf, substitute } from './terms.js';

/** How many arguments a function has; undefined when it is not known. */
export type ArityOf = (operator: Term) => number | undefined;

interface Definition {
  readonly name: string;
  readonly value: Term;
}

/** What an expression says a variable stands for. */
function definitionIn(expression: Expression, live: ReadonlySet<string>, arityOf: ArityOf): Definition | undefined {
  if (expression.with.length > 0 || expression.negated || expression.kind !== 'call') return undefined;
  const sides = sidesOf(expression);
  if (sides !== undefined) {
    for (const [left, right] of [sides, [sides[1], sides[0]]] as const) {
      if (left.kind !== 'var' || live.has(left.name) || isDocument(left.name)) continue;
      if (right.kind === 'ref' || right.kind === 'call' || (right.kind === 'var' && !isDocument(right.name)))
        return { name: left.name, value: right };
    }
    return undefined;
  }
  const { operator, args } = expression;
  const output = args.at(-1);
  if (output?.kind !== 'var' || live.has(output.name) || arityOf(operator) !== args.length - 1) return undefined;
  const name = operatorName(operator);
  if (name === undefined || name === 'walk') return undefined;
  return { name: output.name, value: { kind: 'call', operator, args: args.slice(0, -1), location: NOWHERE } };
}

/** Whether a term may stand where the variable does. */
function mayStandIn({ name, value }: Definition, expression: Expression): boolean {
  if (!freeVariables(expression).has(name)) return true;
  // A variable has one value, of a reference with variables each place could take another.
  const isOpen = freeVariables(value).size > 0;
  if (expression.negated || hasClosure(expression) || expression.with.length > 0)
    return !isOpen && value.kind === 'ref';
  let isAllowed = true;
  walkExpression(expression, {
    term: (term) => {
      if (term.kind !== 'ref') return true;
      const at = term.terms.findIndex((each) => each.kind === 'var' && each.name === name);
      if (at > 0 || (at === 0 && value.kind !== 'ref')) isAllowed = false;
      return true;
    },
  });
  return isAllowed;
}

/** `live` variables keep their names. */
export function simplify(
  body: readonly Expression[],
  live: ReadonlySet<string>,
  arityOf: ArityOf,
): readonly Expression[] {
  let current = body;
  for (let at = 0; at < current.length; ) {
    const expression = current[at] as Expression;
    const definition = definitionIn(expression, live, arityOf);
    const others = current.filter((each) => each !== expression);
    const uses = others.filter((each) => definition !== undefined && freeVariables(each).has(definition.name));
    const isSafe =
      definition !== undefined &&
      uses.length > 0 &&
      !freeVariables(definition.value).has(definition.name) &&
      (uses.length === 1 || freeVariables(definition.value).size === 0 || definition.value.kind === 'var') &&
      countUses(uses, definition.name) <= (freeVariables(definition.value).size === 0 ? Number.POSITIVE_INFINITY : 1) &&
      uses.every((each) => mayStandIn(definition, each));
    if (!isSafe || definition === undefined) {
      at += 1;
      continue;
    }
    const known = new Map([[definition.name, definition.value]]);
    current = others.map((each) => (uses.includes(each) ? substitute(each, known) : each));
  }
  const seen = new Set<string>();
  return current.filter((expression) => {
    const sides = sidesOf(expression);
    if (sides === undefined || expression.with.length > 0) return true;
    const key = JSON.stringify(sides, withoutPlaces);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

const withoutPlaces = (key: string, value: unknown): unknown => {
  if (key === 'location') return undefined;
  return typeof value === 'bigint' ? String(value) : value;
};

function countUses(uses: readonly Expression[], name: string): number {
  let count = 0;
  for (const expression of uses) {
    walkExpression(expression, {
      term: (term) => {
        if (term.kind === 'var' && term.name === name) count += 1;
        return true;
      },
    });
  }
  return count;
}
