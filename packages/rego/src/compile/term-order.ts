/**
 * OPA's order of terms. It shows where OPA goes through a set or an object that is written out with more than constants: in the order of
 * the terms, not of their values. By then it has put a local (`__local3__`) in the place of every reference, call, comprehension and
 * declared variable, so constants come first, then locals in the order they were made, then collections; values that turn out equal stay
 * apart and are met twice. OPA compares the names of locals as text, `__local10__` before `__local9__`, and counts them over all modules;
 * here they are in the order they are made.
 */
import type { Term } from '../syntax/ast.js';
import { compare, compareStrings } from '../values/index.js';

type Order = (a: Term, b: Term) => number;

const KINDS: readonly Term['kind'][] = [
  'scalar',
  'template',
  'var',
  'ref',
  'array',
  'object',
  'set',
  'array-comprehension',
  'object-comprehension',
  'set-comprehension',
  'call',
];

function compareLists(left: readonly Term[], right: readonly Term[], order: Order): number {
  for (const [index, item] of left.entries()) {
    const other = right[index];
    const found = other === undefined ? 1 : order(item, other);
    if (found !== 0) return found;
  }
  return left.length - right.length;
}

/** The parts of two terms of one kind; a comprehension has none. */
function compareParts(a: Term, b: Term, order: Order): number {
  const sorted = (items: readonly Term[]): readonly Term[] => [...items].sort(order);
  const flat = (entries: readonly (readonly [Term, Term])[]): readonly Term[] =>
    [...entries].sort(([left], [right]) => order(left, right)).flat();
  if (a.kind === 'array' && b.kind === 'array') return compareLists(a.items, b.items, order);
  if (a.kind === 'set' && b.kind === 'set') return compareLists(sorted(a.items), sorted(b.items), order);
  if (a.kind === 'object' && b.kind === 'object') return compareLists(flat(a.entries), flat(b.entries), order);
  if (a.kind === 'ref' && b.kind === 'ref') return compareLists(a.terms, b.terms, order);
  if (a.kind === 'call' && b.kind === 'call')
    return order(a.operator, b.operator) || compareLists(a.args, b.args, order);
  if (a.kind === 'scalar' && b.kind === 'scalar') return compare(a.value, b.value);
  return a.kind === 'var' && b.kind === 'var' ? compareVariables(a.name, b.name) : 0;
}

/** Declared variables, which are numbered, before those that are not. */
function compareVariables(a: string, b: string): number {
  const [left, right] = [a, b].map((name) => Number(name.split('~')[1] ?? Number.POSITIVE_INFINITY));
  return left === right ? compareStrings(a, b) : (left ?? 0) - (right ?? 0);
}

/** The order before references and calls are locals. */
export function compareTerms(a: Term, b: Term): number {
  return a.kind === b.kind ? compareParts(a, b, compareTerms) : KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind);
}

/** When OPA makes the local: with declared variables and calls, for references, for comprehensions; an undeclared variable is none. */
function stage(term: Term): number {
  if (term.kind === 'var') return term.name.includes('~') ? 0 : 3;
  return term.kind === 'ref' ? 1 : 2;
}

function rank({ kind }: Term): number {
  return kind === 'scalar' || kind === 'array' || kind === 'object' || kind === 'set' ? KINDS.indexOf(kind) : 1;
}

/** The order when they are. */
function compareRewritten(a: Term, b: Term): number {
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (rank(a) !== 1) return compareParts(a, b, compareRewritten);
  return stage(a) - stage(b) || (a.kind === b.kind ? compareParts(a, b, compareTerms) : 0);
}

/** What is made of the terms of a literal, in the order in which OPA goes through them. */
export function inLiteralOrder<T>(elements: readonly T[], termOf: (element: T) => Term): readonly T[] {
  return [...elements].sort((a, b) => compareRewritten(termOf(a), termOf(b)));
}
