/** Reading containers the quick way: elements by key, loops over elements. Never what an object inherits. */
import { BigNumber, isArray, isObject, RegoObject, RegoSet, sortedKeys, type Value } from '../values/index.js';

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

/** A field whose name means nothing on any value's class (see `CLASS_MEMBER_NAMES`). */
export function field(container: Value | undefined, name: string): Value | undefined {
  if (container === undefined || container === null) return undefined;
  const value = (container as Record<string, Value | undefined>)[name];
  return value === undefined ? missing(container, name) : value;
}
