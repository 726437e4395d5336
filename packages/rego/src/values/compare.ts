/**
 * Order, equality and canonical keys of values.
 *
 * OPA's order is null < boolean < number < string < array < object < set; strings compare by
 * code point, arrays and sets element by element, objects by their sorted (key, value) pairs.
 * `keyOf` maps a value to a Map key so that two values have the same key exactly when they are
 * equal; scalars are their own key, which keeps sets of strings and numbers cheap.
 */
import { BigNumber, compareNumbers } from './big-number.js';
import { RegoObject, RegoSet } from './collections.js';
import type { NumberValue, ObjectValue, PlainObject, TypeName, Value } from './types.js';
import { isMetered, work } from './work.js';

/** A canonical Map key; composites are strings that begin with U+0000. */
export type Key = string | number | boolean | null;

export function isArray(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

export function isNumber(value: Value | undefined): value is NumberValue {
  return typeof value === 'number' || value instanceof BigNumber;
}

export function isSet(value: Value | undefined): value is RegoSet {
  return value instanceof RegoSet;
}

/** An object in the plain representation, all of whose keys are strings. */
export function isPlainObject(value: Value | undefined): value is PlainObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof RegoSet || value instanceof RegoObject || value instanceof BigNumber)
  );
}

/** An object in either representation. */
export function isObject(value: Value | undefined): value is ObjectValue {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof RegoSet || value instanceof BigNumber)
  );
}

/** The name OPA gives to the value's type. */
export function typeOf(value: Value): TypeName {
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    default:
      if (value === null) return 'null';
      if (Array.isArray(value)) return 'array';
      if (value instanceof RegoSet) return 'set';
      return value instanceof BigNumber ? 'number' : 'object';
  }
}

const RANKS: Readonly<Record<TypeName, number>> = {
  null: 0,
  boolean: 1,
  number: 2,
  string: 3,
  array: 4,
  object: 5,
  set: 6,
};

/** Strings by code point. Surrogates sort above the rest of the basic plane, unlike in UTF-16. */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    if (x >= 0xd800 && y >= 0xd800) {
      const isSurrogateX = x <= 0xdfff;
      if (isSurrogateX !== y <= 0xdfff) return isSurrogateX ? 1 : -1;
    }
    return x < y ? -1 : 1;
  }
  return a.length < b.length ? -1 : 1;
}

function compareArrays(a: readonly Value[], b: readonly Value[]): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    if ((i & 7) === 0) work(1);
    const order = compare(a[i] as Value, b[i] as Value);
    if (order !== 0) return order;
  }
  return a.length === b.length ? 0 : a.length < b.length ? -1 : 1;
}

function compareObjects(a: ObjectValue, b: ObjectValue): number {
  const keysA = sortedKeys(a);
  const keysB = sortedKeys(b);
  const length = Math.min(keysA.length, keysB.length);
  for (let i = 0; i < length; i++) {
    const keyA = keysA[i] as Value;
    const keyB = keysB[i] as Value;
    work(1);
    const order = compare(keyA, keyB) || compare(member(a, keyA), member(b, keyB));
    if (order !== 0) return order;
  }
  return keysA.length === keysB.length ? 0 : keysA.length < keysB.length ? -1 : 1;
}

/** OPA's total order: negative, zero or positive. */
export function compare(a: Value, b: Value): number {
  if (a === b) return 0;
  if (typeof a === 'string' && typeof b === 'string') return compareStrings(a, b);
  if (typeof a === 'number' && typeof b === 'number') return a < b ? -1 : 1;
  const type = typeOf(a);
  const rank = RANKS[type] - RANKS[typeOf(b)];
  if (rank !== 0) return rank;
  switch (type) {
    case 'boolean':
      return a === true ? 1 : -1;
    case 'number':
      return compareNumbers(a as NumberValue, b as NumberValue);
    case 'array':
      return compareArrays(a as readonly Value[], b as readonly Value[]);
    case 'object':
      return compareObjects(a as ObjectValue, b as ObjectValue);
    case 'set':
      return compareArrays((a as RegoSet).sorted(), (b as RegoSet).sorted());
    default:
      return 0;
  }
}

function equalPlainObjects(a: PlainObject, b: PlainObject): boolean {
  const keys = Object.keys(a);
  work(1 + (keys.length >> 2));
  if (keys.length !== Object.keys(b).length) return false;
  for (const key of keys) {
    if (!Object.hasOwn(b, key) || !equal(a[key] as Value, b[key] as Value)) return false;
  }
  return true;
}

function equalComposites(a: object, b: object): boolean {
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) {
      if ((i & 7) === 0) work(1);
      if (!equal(a[i] as Value, b[i] as Value)) return false;
    }
    return true;
  }
  if (a instanceof RegoSet) return b instanceof RegoSet && a.equals(b);
  if (a instanceof RegoObject) return b instanceof RegoObject && a.equals(b);
  if (Array.isArray(b) || b instanceof RegoSet || b instanceof RegoObject || b instanceof BigNumber) return false;
  return equalPlainObjects(a as PlainObject, b as PlainObject);
}

/** Whether two values are the same, as Rego's `==` sees it. */
export function equal(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return false;
  if (a instanceof BigNumber) return b instanceof BigNumber && a.exponent === b.exponent && a.mantissa === b.mantissa;
  return equalComposites(a, b);
}

/** The value's canonical Map key. Cost: linear in the value; sets and mixed objects cache theirs. */
export function keyOf(value: Value): Key {
  if (typeof value === 'string') return value.charCodeAt(0) === 0 ? `\u0000s${value}` : value;
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof BigNumber) return `\u0000b${value.toString()}`;
  const text = `\u0000${keyText(value)}`;
  if (text.length > LONG_KEY) work(text.length >> 6);
  return text;
}

const LONG_KEY = 256;

/** Self-delimiting text: strings carry their length, composites their brackets. */
function keyText(value: Value): string {
  switch (typeof value) {
    case 'string':
      return `s${value.length}:${value}`;
    case 'number':
      return `n${value};`;
    case 'boolean':
      return value ? 't' : 'f';
    default:
      return value === null ? 'z' : compositeKeyText(value as Exclude<Value, null | boolean | number | string>);
  }
}

function compositeKeyText(value: Exclude<Value, null | boolean | number | string>): string {
  if (value instanceof BigNumber) return `b${value.toString()};`;
  if (Array.isArray(value)) {
    let text = '[';
    work(1 + (value.length >> 1));
    for (let i = 0; i < value.length; i++) text += keyText(value[i] as Value);
    return `${text}]`;
  }
  if (value instanceof RegoSet || value instanceof RegoObject) return value.keyText(keyText);
  let text = '{';
  const object = value as PlainObject;
  const keys = Object.keys(object);
  work(1 + keys.length);
  for (const key of keys.sort()) text += keyText(key) + keyText(object[key] as Value);
  return `${text}}`;
}

const HIGH_UNITS = /[\ud800-\uffff]/;

/** From here on sorting takes long enough to look at the clock meanwhile. */
const LONG_LIST = 16_384;

/** An order that counts each comparison. */
function counted<T>(order: (a: T, b: T) => number): (a: T, b: T) => number {
  return (a, b) => {
    work(1);
    return order(a, b);
  };
}

const byUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function sortStrings(keys: string[]): readonly string[] {
  if (keys.length < 2) return keys;
  if (keys.length < LONG_LIST || !isMetered()) {
    work(keys.length >> 1);
    keys.sort();
  } else keys.sort(counted(byUnits));
  if (keys.some((key) => HIGH_UNITS.test(key))) keys.sort(compareStrings);
  return keys;
}

const CACHED_FROM = 6;
const sortedKeyCache = new WeakMap<object, readonly string[]>();

/** The keys of an object in OPA's order. Do not change the array: it may be cached. */
export function sortedKeys(object: PlainObject): readonly string[];
export function sortedKeys(object: ObjectValue): readonly Value[];
export function sortedKeys(object: ObjectValue): readonly Value[] {
  if (object instanceof RegoObject) return object.sortedKeys();
  const cached = sortedKeyCache.get(object);
  if (cached !== undefined) return cached;
  const keys = sortStrings(Object.keys(object));
  if (keys.length >= CACHED_FROM) sortedKeyCache.set(object, keys);
  return keys;
}

function member(object: ObjectValue, key: Value): Value {
  return (object instanceof RegoObject ? object.get(key) : object[key as string]) as Value;
}

/** Sorts values in place, in OPA's order. */
export function sortValues(values: Value[]): Value[] {
  if (values.every((value) => typeof value === 'string')) return sortStrings(values as string[]) as Value[];
  if (values.length < LONG_LIST) work(values.length);
  return values.sort(values.length < LONG_LIST ? compare : counted(compare));
}
