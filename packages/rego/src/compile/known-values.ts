/**
 * Variables that can only hold a few constants (`x := "a"`, `some x in ["a", "b"]`): a reference
 * through one depends on fewer rules than one through a variable of which nothing is known (OPA's
 * `orderedVarBindings` and `expandRefVars`).
 */
import type { Body, Term } from '../syntax/ast.js';
import { entriesOf, get, isArray, isObject, isSet, makeObject, makeSet, type Value } from '../values/index.js';
import { isEquality } from './model.js';
import { isConstant } from './type-environment.js';

type Known = ReadonlyMap<string, readonly Value[]>;

interface Binding {
  readonly index: number;
  readonly name: string;
  readonly values: readonly Value[];
}

/** More are not followed. */
const MAX_EXPANSION = 64;

function constantOf(term: Term): Value {
  switch (term.kind) {
    case 'scalar':
      return term.value;
    case 'array':
      return term.items.map(constantOf);
    case 'set':
      return makeSet(term.items.map(constantOf));
    case 'object':
      return makeObject(term.entries.map(([key, value]) => [constantOf(key), constantOf(value)] as const));
    default:
      return null;
  }
}

function membersOf(value: Value): readonly Value[] | undefined {
  if (isArray(value)) return value;
  if (isSet(value)) return [...value];
  return isObject(value) ? [...entriesOf(value)].map(([, member]) => member) : undefined;
}

function referenceValues(terms: readonly Term[], known: Known): readonly Value[] | undefined {
  let values = termValues(terms[0] as Term, known);
  for (const term of terms.slice(1)) {
    if (values === undefined) return undefined;
    const next: Value[] = [];
    for (const value of values) {
      if (isConstant(term)) {
        const member = get(value, constantOf(term));
        if (member !== undefined) next.push(member);
        continue;
      }
      const members = membersOf(value);
      if (members === undefined) return undefined;
      next.push(...members);
    }
    if (next.length > MAX_EXPANSION) return undefined;
    values = next;
  }
  return values;
}

function termValues(term: Term, known: Known): readonly Value[] | undefined {
  if (term.kind === 'var') return known.get(term.name);
  if (term.kind === 'ref') return referenceValues(term.terms, known);
  return isConstant(term) ? [constantOf(term)] : undefined;
}

/** The variables a body binds to constants, in its order; the first binding of each counts. */
export function constantBindings(body: Body): readonly Binding[] {
  const bindings: Binding[] = [];
  const known = new Map<string, readonly Value[]>();
  for (const [index, expression] of body.entries()) {
    if (expression.kind !== 'call' || !isEquality(expression) || expression.negated || expression.with.length > 0)
      continue;
    const [left, right] = expression.args as readonly [Term, Term];
    for (const [target, source] of [
      [left, right],
      [right, left],
    ] as const) {
      const values = target.kind === 'var' ? termValues(source, known) : undefined;
      if (target.kind !== 'var' || values === undefined) continue;
      if (known.has(target.name)) break;
      known.set(target.name, values);
      bindings.push({ index, name: target.name, values });
      break;
    }
  }
  return bindings;
}

/** The references a reference of the expression at `index` may stand for. */
export function expandReference(
  reference: readonly Term[],
  bindings: readonly Binding[],
  index: number,
): readonly (readonly Term[])[] {
  const known = new Map<string, readonly Value[]>();
  for (const binding of bindings) if (binding.index < index) known.set(binding.name, binding.values);
  if (known.size === 0) return [reference];
  let expanded: readonly (readonly Term[])[] = [reference];
  for (const [position, term] of reference.entries()) {
    if (position === 0 || isConstant(term)) continue;
    const values = termValues(term, known);
    if (values === undefined || values.length === 0 || expanded.length * values.length > MAX_EXPANSION) continue;
    expanded = expanded.flatMap((prefix) =>
      values.map((value): readonly Term[] => prefix.with(position, { kind: 'scalar', value, location: term.location })),
    );
  }
  return expanded;
}
