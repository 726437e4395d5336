/** Terms during partial evaluation: putting in what is known of variables, fresh names, values written as terms. */
import { mapExpression, mapTerm, varsOf, walkExpression } from '../compile/walk.js';
import { type Expression, isComprehension, NOWHERE, operatorName, type Term } from '../syntax/ast.js';
import { entriesOf, equal, isArray, isObject, isSet, type Value } from '../values/index.js';

/** What is known of variables. A term may name variables of which something is known, too. */
export type Substitution = ReadonlyMap<string, Term>;

export function substituteTerm(term: Term, known: Substitution): Term {
  if (known.size === 0) return term;
  return mapTerm(term, {
    term: (each) => {
      if (each.kind === 'var') {
        const value = known.get(each.name);
        return value === undefined ? each : substituteTerm(value, known);
      }
      return each.kind === 'ref' ? flattened(each, known) : undefined;
    },
  });
}

/** A reference whose head is known to be a reference is one reference. */
function flattened(ref: Term & { kind: 'ref' }, known: Substitution): Term {
  const [head, ...steps] = ref.terms.map((each) => substituteTerm(each, known));
  if (head === undefined) return ref;
  return refInto(head, steps);
}

function partOf(term: Term, key: Value): Term | undefined {
  if (term.kind === 'array') return typeof key === 'number' ? term.items[key] : undefined;
  if (term.kind !== 'object') return undefined;
  return term.entries.find(([each]) => each.kind === 'scalar' && equal(each.value, key))?.[1];
}

/** A reference from a term; a constant gives its part at once. */
export function refInto(head: Term, steps: readonly Term[]): Term {
  const [first, ...others] = steps;
  if (first === undefined) return head;
  const part = isConstantTerm(head) && first.kind === 'scalar' ? partOf(head, first.value) : undefined;
  if (part !== undefined) return refInto(part, others);
  const terms = head.kind === 'ref' ? [...head.terms, ...steps] : [head, ...steps];
  return { kind: 'ref', terms, location: NOWHERE };
}

export function substitute(expression: Expression, known: Substitution): Expression {
  if (known.size === 0) return expression;
  return mapExpression(expression, { term: (each) => (isLeaf(each) ? substituteTerm(each, known) : undefined) });
}

const isLeaf = ({ kind }: Term): boolean => kind === 'var' || kind === 'ref';

/** A constant as a term. */
export function termOf(value: Value): Term {
  if (isArray(value)) return { kind: 'array', items: value.map(termOf), location: NOWHERE };
  if (isSet(value)) return { kind: 'set', items: [...value].map(termOf), location: NOWHERE };
  if (isObject(value)) {
    const entries = [...entriesOf(value)].map(([key, each]) => [termOf(key), termOf(each)] as const);
    return { kind: 'object', entries, location: NOWHERE };
  }
  return { kind: 'scalar', value, location: NOWHERE };
}

export const variableTerm = (name: string): Term => ({ kind: 'var', name, location: NOWHERE });

export const isDocument = (name: string): boolean => name === 'data' || name === 'input';

/** The variables under a node, without the documents and the names of functions. */
export function freeVariables(node: Term | Expression | readonly Expression[]): Set<string> {
  const names = varsOf(node, { skipCallHead: true });
  names.delete('data');
  names.delete('input');
  return names;
}

export const isConstantTerm = (term: Term): boolean => {
  if (term.kind === 'array' || term.kind === 'set') return term.items.every(isConstantTerm);
  if (term.kind === 'object') return term.entries.every((entry) => entry.every(isConstantTerm));
  return term.kind === 'scalar';
};

/** Whether something in it has a scope of its own: a comprehension, a body. */
export function hasClosure(expression: Expression): boolean {
  if (expression.kind !== 'term' && expression.kind !== 'call') return true;
  let found = false;
  walkExpression(expression, {
    term: (term) => {
      if (isComprehension(term) || term.kind === 'template') found = true;
      return !found;
    },
  });
  return found;
}

/** Every reference and every bare document under an expression, functions called included. */
export function referencesOf(expression: Expression): readonly (readonly Term[])[] {
  const found: (readonly Term[])[] = [];
  const inRef = new Set<Term>();
  const term = (each: Term): true => {
    if (each.kind === 'ref') {
      found.push(each.terms);
      if (each.terms[0] !== undefined) inRef.add(each.terms[0]);
    } else if (each.kind === 'var' && isDocument(each.name) && !inRef.has(each)) found.push([each]);
    return true;
  };
  walkExpression(expression, { term });
  return found.filter(([head]) => head?.kind === 'var' && isDocument(head.name));
}

/** `left = right`. */
export function equation(left: Term, right: Term): Expression {
  const operator: Term = { kind: 'ref', terms: [variableTerm('eq')], location: NOWHERE };
  return { kind: 'call', operator, args: [left, right], infix: '=', negated: false, with: [], location: NOWHERE };
}

export const termExpression = (term: Term): Expression => ({
  kind: 'term',
  term,
  negated: false,
  with: [],
  location: NOWHERE,
});

/** The two sides of a positive equality. */
export function sidesOf(expression: Expression): readonly [Term, Term] | undefined {
  if (expression.kind !== 'call' || expression.negated || expression.args.length !== 2) return undefined;
  const name = operatorName(expression.operator);
  return name === 'eq' || name === 'equal' || name === 'assign' ? (expression.args as [Term, Term]) : undefined;
}

/** `a == b` says no more than `a = b` once all is in order. */
export function normalized(expression: Expression): Expression {
  const sides = expression.kind === 'call' ? operatorName(expression.operator) : undefined;
  if (expression.kind !== 'call' || expression.args.length !== 2) return expression;
  const isAssignment = sides === 'assign' || (sides === 'eq' && expression.infix === ':=');
  if (sides !== 'equal' && !isAssignment) return expression;
  const [left, right] = expression.args as readonly [Term, Term];
  return { ...(equation(left, right) as typeof expression), negated: expression.negated, with: expression.with };
}
