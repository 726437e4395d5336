/** Objects: access, selection of keys, merging, and the subset relation. */
import {
  EMPTY_OBJECT,
  entriesOf,
  equal,
  get,
  isArray,
  isObject,
  isSet,
  type Key,
  keyOf,
  makeSet,
  ObjectBuilder,
  type ObjectValue,
  type RegoSet,
  size,
  sortedKeys,
  type Value,
  work,
} from '../values/index.js';
import { type Builtin, type BuiltinContext, family } from './builtin.js';
import { OperandError } from './errors.js';
import { arrayOperand, elementError, objectOperand, operand, typeError } from './operands.js';
import { any, anyOf, array, boolean, object, set } from './type-decl.js';

const keyed = anyOf(array(), object(), set());

function keysParameter(args: readonly Value[], context: BuiltinContext): ReadonlySet<Key> {
  const value = operand(args, 2);
  context.charge(size(value) ?? 0);
  if (isSet(value)) return new Set(value.entries().keys());
  if (isArray(value)) return new Set(value.map(keyOf));
  if (isObject(value)) return new Set(sortedKeys(value).map(keyOf));
  throw typeError(2, value, 'object', 'set', 'array');
}

function select(source: ObjectValue, isWanted: (key: Value) => boolean): ObjectValue {
  const builder = new ObjectBuilder();
  for (const [key, value] of entriesOf(source)) {
    work(1);
    if (isWanted(key)) builder.set(key, value);
  }
  return builder.build();
}

/** Merges deeply; where both sides are objects they are merged, otherwise the second wins. */
export function mergeObjects(a: ObjectValue, b: ObjectValue, context: BuiltinContext): ObjectValue {
  const builder = new ObjectBuilder();
  context.charge((size(a) as number) + (size(b) as number));
  for (const [key, value] of entriesOf(a)) builder.set(key, value);
  for (const [key, value] of entriesOf(b)) {
    const before = get(a, key);
    builder.set(key, isObject(before) && isObject(value) ? mergeObjects(before, value, context) : value);
  }
  return builder.build();
}

function mergeMany(items: readonly Value[], context: BuiltinContext): ObjectValue {
  let merged: ObjectValue = EMPTY_OBJECT;
  for (const item of items) {
    if (!isObject(item)) throw elementError(1, items, item, 'object');
  }
  for (const item of items as readonly ObjectValue[]) merged = mergeObjects(merged, item, context);
  return merged;
}

function lookUp(container: Value, path: Value): Value | undefined {
  if (!isArray(path)) return get(container, path);
  let current: Value | undefined = container;
  work(path.length >> 2);
  for (const key of path) {
    if (current === undefined) return undefined;
    current = get(current, key);
  }
  return current;
}

function isSubsetOf(sub: Value, superset: Value): boolean {
  if (equal(sub, superset)) return true;
  if (isObject(sub) && isObject(superset)) return isObjectSubset(sub, superset);
  if (isSet(sub) && isSet(superset)) return isSetSubset(sub, superset);
  return isArray(sub) && isArray(superset) && isArrayPart(sub, superset);
}

function isObjectSubset(sub: ObjectValue, superset: ObjectValue): boolean {
  for (const [key, value] of entriesOf(sub)) {
    work(1);
    const other = get(superset, key);
    if (other === undefined || !isSubsetOf(value, other)) return false;
  }
  return true;
}

function isSetSubset(sub: RegoSet, superset: RegoSet): boolean {
  work(sub.size >> 2);
  for (const key of sub.entries().keys()) if (!superset.hasKey(key)) return false;
  return true;
}

function isArrayPart(sub: readonly Value[], superset: readonly Value[]): boolean {
  if (sub.length === 0) return true;
  for (let start = 0; start + sub.length <= superset.length; start++) {
    work(1);
    if (sub.every((item, i) => equal(item, superset[start + i] as Value))) return true;
  }
  return false;
}

/** OPA counts down as it meets elements of the set, and never reports true for an empty array. */
function hasAll(items: readonly Value[], wanted: RegoSet): boolean {
  let unmatched = wanted.size;
  for (const item of items) {
    if (wanted.has(item)) unmatched--;
    if (unmatched === 0) return true;
  }
  return false;
}

function subset(superset: Value, sub: Value): boolean {
  if (isObject(superset) && isObject(sub)) return isObjectSubset(sub, superset);
  if (isSet(superset) && isSet(sub)) return isSetSubset(sub, superset);
  if (isArray(superset) && isArray(sub)) return isArrayPart(sub, superset);
  if (isArray(superset) && isSet(sub)) return hasAll(superset, sub);
  throw new OperandError('both arguments object.subset must be of the same type or array and set');
}

export const objectBuiltins: readonly Builtin[] = family('object', {
  'object.get': {
    about: 'The value at a key, or at a path given as an array; otherwise a default.',
    args: { object: object(), key: any, default: any },
    result: { value: any },
    evaluate(args) {
      const found = lookUp(objectOperand(args, 1), operand(args, 2));
      return found === undefined ? operand(args, 3) : found;
    },
  },
  'object.keys': {
    about: 'The set of the keys.',
    args: { object: object() },
    result: { value: set() },
    evaluate: (args) => makeSet(sortedKeys(objectOperand(args, 1))),
  },
  'object.remove': {
    about: 'The object without the given keys.',
    args: { object: object(), keys: keyed },
    result: { output: object() },
    evaluate(args, context) {
      const source = objectOperand(args, 1);
      const keys = keysParameter(args, context);
      return select(source, (key) => !keys.has(keyOf(key)));
    },
  },
  'object.filter': {
    about: 'The object with only the given keys.',
    args: { object: object(), keys: keyed },
    result: { filtered: object() },
    evaluate(args, context) {
      const source = objectOperand(args, 1);
      const keys = keysParameter(args, context);
      return select(source, (key) => keys.has(keyOf(key)));
    },
  },
  'object.subset': {
    about: 'Whether the second collection is part of the first, deeply.',
    args: { super: keyed, sub: keyed },
    result: { result: boolean },
    evaluate: (args) => subset(operand(args, 1), operand(args, 2)),
  },
  'object.union': {
    about: 'Two objects merged deeply; the second wins.',
    args: { a: object(), b: object() },
    result: { output: object() },
    evaluate: (args, context) => mergeObjects(objectOperand(args, 1), objectOperand(args, 2), context),
  },
  'object.union_n': {
    about: 'Objects merged deeply from left to right; later ones win.',
    args: { objects: array(object()) },
    result: { output: object() },
    evaluate: (args, context) => mergeMany(arrayOperand(args, 1), context),
  },
});
