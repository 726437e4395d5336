/**
 * The functions generated code calls by name. Reading a field is the hot one: generated code reads
 * `o.name` itself where the name cannot be confused with a member of the value classes, and comes
 * here only when that gave nothing.
 */
import {
  BigNumber,
  compare,
  equal,
  isArray,
  isObject,
  isSet,
  keyOf,
  ObjectBuilder,
  RegoObject,
  RegoSet,
  SetBuilder,
  size,
  sortedKeys,
  type Value,
} from '../values/index.js';
import { conflict, isMember, isMemberAt, keyConflict, PartialObject, putUnique } from './operations.js';

function memberNames(): Set<string> {
  const names = new Set(['length', '__proto__', 'prototype']);
  const samples: readonly object[] = [{}, [], new RegoSet(new Map()), new RegoObject(new Map()), Object('') as object];
  for (const prototype of [BigNumber.prototype as object, Object(0) as object, Object(true) as object, ...samples]) {
    for (let at: object | null = prototype; at !== null; at = Object.getPrototypeOf(at) as object | null) {
      for (const name of Object.getOwnPropertyNames(at)) names.add(name);
    }
  }
  for (const name of ['sign', 'mantissa', 'exponent', 'digits', 'text', 'order', 'members', 'size', 'cached', 'value'])
    names.add(name);
  for (const name of Object.getOwnPropertyNames(BigNumber.prototype)) names.add(name);
  return names;
}

/** Names that mean something on some value's class: never read directly. */
export const CLASS_MEMBER_NAMES: ReadonlySet<string> = memberNames();

/** An element of any container; never what an object inherits. */
export function element(container: Value | undefined, key: Value): Value | undefined {
  if (typeof container !== 'object' || container === null) return undefined;
  if (isArray(container)) return typeof key === 'number' ? container[key] : undefined;
  if (container instanceof RegoSet) return container.has(key) ? key : undefined;
  if (container instanceof RegoObject) return container.get(key);
  if (typeof key !== 'string' || container instanceof BigNumber) return undefined;
  const value = (container as Record<string, Value>)[key];
  if (value === undefined) return undefined;
  // Everything an object inherits is a function, save `__proto__`.
  if (typeof value === 'function' || key === '__proto__') return Object.hasOwn(container, key) ? value : undefined;
  return value;
}

/** What reading a plain field did not find. */
export function missing(container: Value | undefined, key: string): Value | undefined {
  if (container instanceof RegoSet) return container.has(key) ? key : undefined;
  if (container instanceof RegoObject) return container.get(key);
  return undefined;
}

const NOTHING: readonly Value[] = [];

/** The elements to loop over, in order. */
export function elements(container: Value | undefined): readonly Value[] {
  if (typeof container !== 'object' || container === null) return NOTHING;
  if (isArray(container)) return container;
  if (container instanceof RegoSet) return container.sorted();
  if (!isObject(container)) return NOTHING;
  const result: Value[] = [];
  if (container instanceof RegoObject)
    for (const key of container.sortedKeys()) result.push(container.get(key) as Value);
  else for (const key of sortedKeys(container)) result.push(container[key] as Value);
  return result;
}

/** Their keys; undefined for an array, whose keys are indexes. */
export function keysOf(container: Value | undefined): readonly Value[] | undefined {
  if (typeof container !== 'object' || container === null || isArray(container)) return undefined;
  if (container instanceof RegoSet) return container.sorted();
  return isObject(container) ? sortedKeys(container) : undefined;
}

export function isCollection(value: Value | undefined): boolean {
  return isArray(value) || isSet(value) || isObject(value);
}

export function hasArrayShape(value: Value | undefined, length: number): boolean {
  return isArray(value) && value.length === length;
}

export function hasObjectShape(value: Value | undefined, length: number): boolean {
  return isObject(value) && size(value) === length;
}

export function setOf(items: readonly Value[]): RegoSet {
  const builder = new SetBuilder();
  for (const item of items) builder.add(item);
  return builder.build();
}

/** Shape: keys and values alternate. */
export function objectOf(parts: readonly Value[]): Value {
  const builder = new ObjectBuilder();
  for (let i = 0; i < parts.length; i += 2) builder.set(parts[i] as Value, parts[i + 1] as Value);
  return builder.build();
}

export const RUNTIME = {
  element,
  missing,
  elements,
  keysOf,
  isCollection,
  hasArrayShape,
  hasObjectShape,
  setOf,
  objectOf,
  equal,
  compare,
  keyOf,
  isMember,
  isMemberAt,
  putUnique,
  conflict,
  keyConflict,
  SetBuilder,
  ObjectBuilder,
  PartialObject,
} as const;
