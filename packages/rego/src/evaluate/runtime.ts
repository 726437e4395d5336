/**
 * The functions generated code calls by name. Reading a field is the hot one: generated code reads
 * `o.name` itself where the name cannot be confused with a member of the value classes, and comes
 * here only when that gave nothing.
 */
import {
  compare,
  equal,
  isArray,
  isObject,
  isSet,
  keyOf,
  ObjectBuilder,
  type RegoSet,
  SetBuilder,
  size,
  type Value,
} from '../values/index.js';
import { element, elements, keysOf, missing } from './containers.js';
import { conflict, isMember, isMemberAt, keyConflict, PartialObject, putUnique } from './operations.js';
import { probe, probeEntries } from './probe.js';
import { candidates } from './rule-index.js';

export function isCollection(value: Value | undefined): boolean {
  return isArray(value) || isSet(value) || isObject(value);
}

export function hasArrayShape(value: Value | undefined, length: number): boolean {
  return isArray(value) && value.length === length;
}

export function hasObjectShape(value: Value | undefined, length: number): boolean {
  return isObject(value) && (length < 0 || size(value) === length);
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

/** Whether a collection, if there is one, has the value as an element. */
export function has(of: Value | undefined, value: Value): boolean {
  return of !== undefined && isMember(value, of);
}

export const RUNTIME = {
  candidates,
  has,
  probe,
  probeEntries,
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
