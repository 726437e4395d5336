/**
 * The types of terms as the type checker sees them, with OPA's algebra over them (its `v1/types`):
 * union, selection, keys and values, order. A missing type (`undefined`) is one not known, which is
 * not the same as `any`: following OPA in that is what makes its errors ours.
 */
import type { TypeDecl } from '../builtins/index.js';
import {
  compare,
  entriesOf,
  isArray,
  isInteger,
  isNumber,
  isObject,
  isSet,
  toDouble,
  type Value,
} from '../values/index.js';

export type MaybeType = Type | undefined;

export interface ScalarType {
  readonly kind: 'null' | 'boolean' | 'number' | 'string';
}
export interface ArrayType {
  readonly kind: 'array';
  readonly static: readonly MaybeType[];
  readonly dynamic: MaybeType;
}
export interface StaticProperty {
  readonly key: Value;
  readonly value: MaybeType;
}
export interface DynamicProperty {
  readonly key: MaybeType;
  readonly value: MaybeType;
}
/** `static` is sorted by key. */
export interface ObjectType {
  readonly kind: 'object';
  readonly static: readonly StaticProperty[];
  readonly dynamic: DynamicProperty | undefined;
}
export interface SetType {
  readonly kind: 'set';
  readonly of: MaybeType;
}
/** `of` is sorted; empty means anything at all. */
export interface AnyType {
  readonly kind: 'any';
  readonly of: readonly Type[];
}
export interface FunctionType {
  readonly kind: 'function';
  readonly args: readonly MaybeType[];
  readonly result: MaybeType;
  readonly variadic: MaybeType;
}
export type Type = ScalarType | ArrayType | ObjectType | SetType | AnyType | FunctionType;

export const NULL: Type = { kind: 'null' };
export const BOOLEAN: Type = { kind: 'boolean' };
export const NUMBER: Type = { kind: 'number' };
export const STRING: Type = { kind: 'string' };
export const ANY: AnyType = { kind: 'any', of: [] };

export function objectType(properties: readonly StaticProperty[], dynamic?: DynamicProperty): ObjectType {
  const sorted = properties.length < 2 ? properties : [...properties].sort((a, b) => compare(a.key, b.key));
  return { kind: 'object', static: sorted, dynamic };
}

const ORDER: Readonly<Record<Type['kind'], number>> = {
  null: 0,
  boolean: 1,
  number: 2,
  string: 3,
  array: 4,
  object: 5,
  set: 6,
  any: 7,
  function: 8,
};

function compareMaybe(a: unknown, b: unknown): number {
  return (a === undefined ? 0 : 1) - (b === undefined ? 0 : 1);
}

function compareLists(a: readonly MaybeType[], b: readonly MaybeType[]): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const order = compareTypes(a[i], b[i]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareObjects(a: ObjectType, b: ObjectType): number {
  const dynamic =
    compareMaybe(a.dynamic, b.dynamic) ||
    compareTypes(a.dynamic?.key, b.dynamic?.key) ||
    compareTypes(a.dynamic?.value, b.dynamic?.value);
  if (dynamic !== 0) return dynamic;
  for (let i = 0; i < a.static.length && i < b.static.length; i++) {
    const [one, other] = [a.static[i] as StaticProperty, b.static[i] as StaticProperty];
    const order = compare(one.key, other.key) || compareTypes(one.value, other.value);
    if (order !== 0) return order;
  }
  return a.static.length - b.static.length;
}

export function compareTypes(a: MaybeType, b: MaybeType): number {
  if (a === b) return 0;
  const order = (a === undefined ? -1 : ORDER[a.kind]) - (b === undefined ? -1 : ORDER[b.kind]);
  if (order !== 0 || a === undefined) return order;
  if (a.kind === 'array' && b?.kind === 'array')
    return compareMaybe(a.dynamic, b.dynamic) || compareTypes(a.dynamic, b.dynamic) || compareLists(a.static, b.static);
  if (a.kind === 'object' && b?.kind === 'object') return compareObjects(a, b);
  if (a.kind === 'set' && b?.kind === 'set') return compareTypes(a.of, b.of);
  if (a.kind === 'any' && b?.kind === 'any') return compareLists(a.of, b.of);
  if (a.kind === 'function' && b?.kind === 'function')
    return (
      a.args.length - b.args.length ||
      compareLists(a.args, b.args) ||
      compareTypes(a.result, b.result) ||
      compareTypes(a.variadic, b.variadic)
    );
  return 0;
}

function anyContains(type: AnyType, other: MaybeType): boolean {
  if (other?.kind === 'function') return false;
  return type.of.length === 0 || type.of.some((member) => compareTypes(member, other) === 0);
}

function contains(type: MaybeType, other: MaybeType): boolean {
  return type?.kind === 'any' ? anyContains(type, other) : compareTypes(type, other) === 0;
}

function anyOf(types: readonly Type[]): AnyType {
  return { kind: 'any', of: [...types].sort(compareTypes) };
}

function addToAny(type: AnyType, other: Type): AnyType {
  if (other.kind !== 'any') return anyContains(type, other) ? type : anyOf([...type.of, other]);
  if (type.of.length === 0) return type;
  if (other.of.length === 0) return other;
  return anyOf([...type.of, ...other.of.filter((member) => !anyContains(type, member))]);
}

function unionOfFunctions(a: FunctionType, b: FunctionType): MaybeType {
  if (a.args.length !== b.args.length || (a.variadic === undefined) !== (b.variadic === undefined)) return undefined;
  return {
    kind: 'function',
    args: a.args.map((arg, index) => or(arg, b.args[index])),
    result: or(a.result, b.result),
    variadic: or(a.variadic, b.variadic),
  };
}

/** The union of two types. */
export function or(a: MaybeType, b: MaybeType): MaybeType {
  if (a === undefined || a === b) return a ?? b;
  if (b === undefined) return a;
  if (a.kind === 'function' && b.kind === 'function') return unionOfFunctions(a, b);
  if (a.kind === 'function' || b.kind === 'function') return undefined;
  if (a.kind === 'any') return addToAny(a, b);
  if (b.kind === 'any') return addToAny(b, a);
  return compareTypes(a, b) === 0 ? a : anyOf([a, b]);
}

/** The type of a constant. */
export function typeOfValue(value: Value): Type {
  if (value === null) return NULL;
  if (typeof value === 'boolean') return BOOLEAN;
  if (typeof value === 'string') return STRING;
  if (isNumber(value)) return NUMBER;
  if (isArray(value)) return { kind: 'array', static: value.map(typeOfValue), dynamic: undefined };
  if (isSet(value)) return { kind: 'array', static: [...value].map(typeOfValue), dynamic: undefined };
  const properties: StaticProperty[] = [];
  if (isObject(value))
    for (const [key, element] of entriesOf(value)) properties.push({ key, value: typeOfValue(element) });
  return objectType(properties);
}

export function staticProperty(type: ObjectType, key: Value): StaticProperty | undefined {
  let low = 0;
  let high = type.static.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = compare((type.static[middle] as StaticProperty).key, key);
    if (order === 0) return type.static[middle];
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return undefined;
}

export function selectFromObject(type: ObjectType, key: Value): MaybeType {
  const known = staticProperty(type, key);
  if (known !== undefined) return known.value;
  return type.dynamic !== undefined && contains(type.dynamic.key, typeOfValue(key)) ? type.dynamic.value : undefined;
}

export function selectFromArray(type: ArrayType, index: number): MaybeType {
  if (index < 0) return undefined;
  return index < type.static.length ? type.static[index] : type.dynamic;
}

/** The type of the element at a constant key. */
export function select(type: MaybeType, key: Value): MaybeType {
  switch (type?.kind) {
    case 'array':
      return isNumber(key) && isInteger(key) ? selectFromArray(type, toDouble(key)) : undefined;
    case 'object':
      return selectFromObject(type, key);
    case 'set': {
      const own = typeOfValue(key);
      if (compareTypes(type.of, own) === 0) return type.of;
      return type.of?.kind === 'any' && anyContains(type.of, own) ? own : undefined;
    }
    case 'any': {
      if (type.of.length === 0) return ANY;
      let result: MaybeType;
      for (const member of type.of) result = or(select(member, key), result);
      return result;
    }
    default:
      return undefined;
  }
}

/** The type of the keys of a collection. */
export function keysOf(type: MaybeType): MaybeType {
  let result: MaybeType;
  switch (type?.kind) {
    case 'array':
      return NUMBER;
    case 'object':
      for (const property of type.static) result = or(result, typeOfValue(property.key));
      return type.dynamic === undefined ? result : or(result, type.dynamic.key);
    case 'set':
      return type.of;
    case 'any':
      if (type.of.length === 0) return ANY;
      for (const member of type.of) result = or(keysOf(member), result);
      return result;
    default:
      return undefined;
  }
}

/** The type of the elements of a collection. */
export function valuesOf(type: MaybeType): MaybeType {
  let result: MaybeType;
  switch (type?.kind) {
    case 'array':
      for (const element of type.static) result = or(result, element);
      return or(result, type.dynamic);
    case 'object':
      for (const property of type.static) result = or(result, property.value);
      return type.dynamic === undefined ? result : or(result, type.dynamic.value);
    case 'set':
      return type.of;
    case 'any':
      if (type.of.length === 0) return ANY;
      for (const member of type.of) result = or(valuesOf(member), result);
      return result;
    default:
      return undefined;
  }
}

const weights = new WeakMap<Type, number>();

/** How many collections a type has inside of it, itself included, each counted as often as it is mentioned. */
function weightOf(type: MaybeType): number {
  if (type === undefined || (type.kind !== 'array' && type.kind !== 'object' && type.kind !== 'set')) return 0;
  let weight = weights.get(type);
  if (weight !== undefined) return weight;
  weight = 1;
  if (type.kind === 'set') weight += weightOf(type.of);
  else if (type.kind === 'array') {
    for (const element of type.static) weight += weightOf(element);
    weight += weightOf(type.dynamic);
  } else {
    for (const { value } of type.static) weight += weightOf(value);
    weight += weightOf(type.dynamic?.key) + weightOf(type.dynamic?.value);
  }
  weights.set(type, weight);
  return weight;
}

const MAX_WEIGHT = 100_000;

/** The type, or `any` for one too large to look at: a list of twice the same list, and so on, has 2^n parts. */
export function bounded(type: Type): Type {
  return weightOf(type) > MAX_WEIGHT ? ANY : type;
}

/** Whether some part of the type is not known. The type of the empty set is such a type. */
export function isNil(type: MaybeType): boolean {
  switch (type?.kind) {
    case undefined:
      return true;
    case 'function':
      return type.args.some(isNil) || isNil(type.result);
    case 'array':
      return type.static.some(isNil) || (type.dynamic !== undefined && isNil(type.dynamic));
    case 'object':
      if (type.static.some((property) => isNil(property.value))) return true;
      return type.dynamic !== undefined && (isNil(type.dynamic.key) || isNil(type.dynamic.value));
    case 'set':
      return isNil(type.of);
    default:
      return false;
  }
}

/** A type declared by a built-in. */
export function fromDeclaration(declaration: TypeDecl): Type {
  switch (declaration.type) {
    case 'any':
      return declaration.of === undefined ? ANY : anyOf(declaration.of.map(fromDeclaration));
    case 'array':
      return {
        kind: 'array',
        static: (declaration.static ?? []).map(fromDeclaration),
        dynamic: declaration.dynamic && fromDeclaration(declaration.dynamic),
      };
    case 'object':
      return objectType(
        (declaration.static ?? []).map(({ key, value }) => ({ key, value: fromDeclaration(value) })),
        declaration.dynamic && {
          key: fromDeclaration(declaration.dynamic.key),
          value: fromDeclaration(declaration.dynamic.value),
        },
      );
    case 'set':
      return { kind: 'set', of: declaration.of && fromDeclaration(declaration.of) };
    case 'function':
      return {
        kind: 'function',
        args: (declaration.args ?? []).map(fromDeclaration),
        result: declaration.result && fromDeclaration(declaration.result),
        variadic: declaration.variadic && fromDeclaration(declaration.variadic),
      };
    default:
      return declaration.type === 'null' ? NULL : { kind: declaration.type };
  }
}

/** As OPA prints a type. */
export function showType(type: MaybeType): string {
  switch (type?.kind) {
    case undefined:
      return '???';
    case 'array': {
      const known = type.static.length === 0 ? '' : `<${type.static.map(showType).join(', ')}>`;
      return `array${known}${type.dynamic === undefined ? '' : `[${showType(type.dynamic)}]`}`;
    }
    case 'object': {
      const known = type.static.map(({ key, value }) => `${String(key)}: ${showType(value)}`).join(', ');
      const rest = type.dynamic === undefined ? '' : `[${showType(type.dynamic.key)}: ${showType(type.dynamic.value)}]`;
      return `object${known === '' ? '' : `<${known}>`}${rest}`;
    }
    case 'set':
      return type.of === undefined ? 'set' : `set[${showType(type.of)}]`;
    case 'any':
      return type.of.length === 0 ? 'any' : `any<${type.of.map(showType).join(', ')}>`;
    case 'function':
      return `(${type.args.map(showType).join(', ')}) => ${showType(type.result)}`;
    case 'null':
    case 'boolean':
    case 'number':
    case 'string':
      return type.kind;
  }
}
