/** Whether types and terms can be equal, and what variables become of it: OPA's `unifies`, `unify1` and `unify2`. */
import type { Term } from '../syntax/ast.js';
import { isConstant, selectConstant, type TypeEnvironment } from './type-environment.js';
import {
  ANY,
  type AnyType,
  type ArrayType,
  isNil,
  type MaybeType,
  type ObjectType,
  or,
  type SetType,
  selectFromArray,
  selectFromObject,
  type Type,
  valuesOf,
} from './types.js';
import { sameKey } from './walk.js';

function unifiesAny(any: AnyType, other: Type): boolean {
  if (other.kind === 'function') return false;
  return any.of.length === 0 || any.of.some((member) => unifies(member, other));
}

function unifiesArrays(a: ArrayType, b: ArrayType): boolean {
  const covers = (one: ArrayType, other: ArrayType): boolean =>
    one.static.every((element, index) => unifies(element, selectFromArray(other, index)));
  if (!covers(a, b) || !covers(b, a)) return false;
  return a.dynamic === undefined || b.dynamic === undefined || unifies(a.dynamic, b.dynamic);
}

function unifiesObjects(a: ObjectType, b: ObjectType): boolean {
  const [valueA, valueB] = [a.dynamic?.value, b.dynamic?.value];
  const covers = (one: ObjectType, other: ObjectType): boolean =>
    one.static.every(({ key, value }) => {
      const found = selectFromObject(other, key);
      if (found === undefined) return valueA !== undefined || valueB !== undefined;
      return unifies(value, found);
    });
  if (!covers(a, b) || !covers(b, a)) return false;
  return valueA === undefined || valueB === undefined || unifies(valueA, valueB);
}

/** Whether some value is of both types. */
export function unifies(a: MaybeType, b: MaybeType): boolean {
  if (a === undefined || b === undefined) return false;
  if (a.kind === 'any' && unifiesAny(a, b)) return true;
  if (b.kind === 'any' && unifiesAny(b, a)) return true;
  if (a.kind !== b.kind) return false;
  if (a.kind === 'array') return unifiesArrays(a, b as ArrayType);
  if (a.kind === 'object') return unifiesObjects(a, b as ObjectType);
  if (a.kind === 'set') {
    const { of } = b as SetType;
    return a.of === undefined || of === undefined || unifies(a.of, of);
  }
  if (a.kind === 'function' && b.kind === 'function')
    return a.args.length === b.args.length && a.args.every((arg, index) => unifies(arg, b.args[index]));
  return a.kind !== 'any';
}

/** Checks a term against a type; variables without a type get it. `isUnion` adds to those that have one. */
export function unifyTerm(environment: TypeEnvironment, term: Term, type: MaybeType, isUnion: boolean): boolean {
  switch (term.kind) {
    case 'array':
    case 'object':
    case 'set':
      if (type?.kind === 'any') return unifyWithAny(environment, term, type);
      if (term.kind === 'array' && type?.kind === 'array') return unifyArray(environment, term.items, type, isUnion);
      if (term.kind === 'object' && type?.kind === 'object')
        return unifyObject(environment, term.entries, type, isUnion);
      if (term.kind === 'set' && type?.kind === 'set') {
        const of = valuesOf(type);
        return term.items.every((item) => unifyTerm(environment, item, of, isUnion));
      }
      return false;
    case 'var':
      if (isUnion) environment.set(term.name, or(environment.variable(term.name), type));
      else {
        const known = environment.variable(term.name);
        if (known !== undefined) return unifies(known, type);
        environment.set(term.name, type);
      }
      return true;
    default:
      return unifies(environment.of(term), type);
  }
}

function unifyWithAny(
  environment: TypeEnvironment,
  term: Term & { kind: 'array' | 'object' | 'set' },
  type: AnyType,
): boolean {
  if (type.of.length > 0) {
    let found = false;
    for (const member of type.of) found = unifyTerm(environment, term, member, true) || found;
    return found;
  }
  const parts = term.kind === 'object' ? term.entries.flat() : term.items;
  for (const part of parts) unifyTerm(environment, part, ANY, true);
  return true;
}

function unifyArray(environment: TypeEnvironment, items: readonly Term[], type: ArrayType, isUnion: boolean): boolean {
  if (items.length !== type.static.length && type.dynamic === undefined) return false;
  return items.every((item, index) => unifyTerm(environment, item, selectFromArray(type, index), isUnion));
}

function unifyObject(
  environment: TypeEnvironment,
  entries: readonly (readonly [Term, Term])[],
  type: ObjectType,
  isUnion: boolean,
): boolean {
  if (entries.length !== type.static.length && type.dynamic?.value === undefined) return false;
  return entries.every(([key, value]) => {
    if (!isConstant(key)) {
      unifyTerm(environment, value, ANY, isUnion);
      return true;
    }
    const child = selectConstant(type, key);
    return child !== undefined && unifyTerm(environment, value, child, isUnion);
  });
}

/** Checks `a = b`. */
export function unifyTerms(environment: TypeEnvironment, a: Term, b: Term): boolean {
  const [typeA, typeB] = [environment.of(a), environment.of(b)];
  const [nilA, nilB] = [isNil(typeA), isNil(typeB)];
  if (nilA && !nilB) return unifyTerm(environment, a, typeB, false);
  if (nilB && !nilA) return unifyTerm(environment, b, typeA, false);
  if (!nilA) return unifies(typeA, typeB);
  if (a.kind === 'array') return unifyPattern(environment, a, b);
  if (a.kind === 'object') return unifyPattern(environment, a, b);
  if (a.kind === 'var') {
    if (b.kind === 'var')
      return unifyTerm(environment, a, ANY, false) && unifyTerm(environment, b, environment.of(a), false);
    if (b.kind === 'array' || b.kind === 'object') return unifyPattern(environment, b, a);
  }
  if (a.kind === 'var' && typeA === undefined && typeB !== undefined) return unifyTerm(environment, a, typeB, false);
  if (b.kind === 'var' && typeB === undefined && typeA !== undefined) return unifyTerm(environment, b, typeA, false);
  return false;
}

function unifyPattern(environment: TypeEnvironment, a: Term & { kind: 'array' | 'object' }, b: Term): boolean {
  if (b.kind === 'var')
    return unifyTerm(environment, a, ANY, false) && unifyTerm(environment, b, environment.of(a), false);
  if (a.kind === 'array') {
    if (b.kind !== 'array' || a.items.length !== b.items.length) return false;
    return a.items.every((item, index) => unifyTerms(environment, item, b.items[index] as Term));
  }
  if (b.kind !== 'object' || a.entries.length !== b.entries.length) return false;
  const pairs: (readonly [Term, Term])[] = [];
  for (const [key, value] of a.entries) {
    const other = b.entries.find(([candidate]) => sameKey(key, candidate));
    if (other === undefined) return false;
    pairs.push([value, other[1]]);
  }
  return pairs.every(([left, right]) => unifyTerms(environment, left, right));
}
