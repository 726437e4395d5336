/**
 * Sets, and objects that have a key which is not a string; plus the functions that read any
 * container. Both classes are a Map from canonical key (`keyOf`) to the entry, are built once
 * through a builder and not changed afterwards; sorted order and key text are found on demand.
 */
import { compare, isArray, isPlainObject, type Key, keyOf, sortedKeys, sortValues } from './compare.js';
import type { ObjectValue, PlainObject, Value } from './types.js';
import { work } from './work.js';

/** One entry of an object with keys of any type. */
export type Entry = readonly [key: Value, value: Value];

/** A set of values. */
export class RegoSet {
  private readonly members: ReadonlyMap<Key, Value>;
  private order: readonly Value[] | undefined;
  private text: string | undefined;

  /** Takes the map over: keys must be `keyOf` of the values. */
  constructor(members: ReadonlyMap<Key, Value>) {
    this.members = members;
  }

  get size(): number {
    return this.members.size;
  }

  has(value: Value): boolean {
    return this.members.has(keyOf(value));
  }

  hasKey(key: Key): boolean {
    return this.members.has(key);
  }

  /** The members in OPA's order. Cost: sorted once, then cached. */
  sorted(): readonly Value[] {
    this.order ??= sortValues([...this.members.values()]);
    return this.order;
  }

  /** The members by canonical key, in insertion order. */
  entries(): ReadonlyMap<Key, Value> {
    return this.members;
  }

  /** The members in insertion order: cheaper than `sorted` where order cannot be seen. */
  values(): IterableIterator<Value> {
    return this.members.values();
  }

  [Symbol.iterator](): Iterator<Value> {
    return this.sorted()[Symbol.iterator]();
  }

  equals(other: RegoSet): boolean {
    if (other.size !== this.size) return false;
    work(1 + (this.size >> 1));
    for (const key of this.members.keys()) if (!other.members.has(key)) return false;
    return true;
  }

  keyText(textOf: (value: Value) => string): string {
    if (this.text === undefined) {
      work(1 + this.size);
      const parts: string[] = [];
      for (const value of this.members.values()) parts.push(textOf(value));
      this.text = `<${parts.sort().join('')}>`;
    }
    return this.text;
  }
}

/** An object at least one of whose keys is not a string. */
export class RegoObject {
  private readonly members: ReadonlyMap<Key, Entry>;
  private order: readonly Value[] | undefined;
  private text: string | undefined;

  /** Takes the map over: keys must be `keyOf` of the entries' keys. */
  constructor(members: ReadonlyMap<Key, Entry>) {
    this.members = members;
  }

  get size(): number {
    return this.members.size;
  }

  get(key: Value): Value | undefined {
    return this.members.get(keyOf(key))?.[1];
  }

  has(key: Value): boolean {
    return this.members.has(keyOf(key));
  }

  /** The keys in OPA's order. Cost: sorted once, then cached. */
  sortedKeys(): readonly Value[] {
    this.order ??= [...this.members.values()].map((entry) => entry[0]).sort(compare);
    return this.order;
  }

  /** The entries by canonical key, in insertion order. */
  entries(): ReadonlyMap<Key, Entry> {
    return this.members;
  }

  equals(other: RegoObject): boolean {
    if (other.size !== this.size) return false;
    work(1 + this.size);
    for (const [key, [, value]] of this.members) {
      const entry = other.members.get(key);
      if (entry === undefined || compare(value, entry[1]) !== 0) return false;
    }
    return true;
  }

  keyText(textOf: (value: Value) => string): string {
    if (this.text === undefined) {
      work(1 + this.size);
      const parts: string[] = [];
      for (const [key, value] of this.members.values()) parts.push(textOf(key) + textOf(value));
      this.text = `{${parts.sort().join('')}}`;
    }
    return this.text;
  }
}

export const EMPTY_SET: RegoSet = new RegoSet(new Map());
export const EMPTY_OBJECT: PlainObject = Object.freeze({});
export const EMPTY_ARRAY: readonly Value[] = Object.freeze([]);

/** Collects the members of a set. */
export class SetBuilder {
  private members = new Map<Key, Value>();

  get size(): number {
    return this.members.size;
  }

  /** Adds a member and says whether it was new. */
  add(value: Value): boolean {
    const key = keyOf(value);
    if (this.members.has(key)) return false;
    this.members.set(key, value);
    return true;
  }

  has(value: Value): boolean {
    return this.members.has(keyOf(value));
  }

  /** The set; the builder must not be used afterwards. */
  build(): RegoSet {
    return this.members.size === 0 ? EMPTY_SET : new RegoSet(this.members);
  }
}

/** Sets an own property whatever its name: `__proto__` must not change the prototype. */
export function setOwn(target: Record<string, Value>, key: string, value: Value): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  } else {
    target[key] = value;
  }
}

/** Collects the entries of an object and picks its one canonical representation. */
export class ObjectBuilder {
  private plain: Record<string, Value> = {};
  private mixed: Map<Key, Entry> | undefined;

  /** Sets an entry; a later one for the same key wins. */
  set(key: Value, value: Value): void {
    if (this.mixed !== undefined) {
      this.mixed.set(keyOf(key), [key, value]);
    } else if (typeof key === 'string') {
      setOwn(this.plain, key, value);
    } else {
      this.mixed = new Map();
      for (const name of Object.keys(this.plain)) this.mixed.set(keyOf(name), [name, this.plain[name] as Value]);
      this.mixed.set(keyOf(key), [key, value]);
    }
  }

  get(key: Value): Value | undefined {
    if (this.mixed !== undefined) return this.mixed.get(keyOf(key))?.[1];
    return typeof key === 'string' && Object.hasOwn(this.plain, key) ? this.plain[key] : undefined;
  }

  has(key: Value): boolean {
    return this.get(key) !== undefined;
  }

  /** The object; the builder must not be used afterwards. */
  build(): ObjectValue {
    return this.mixed === undefined ? this.plain : new RegoObject(this.mixed);
  }
}

export function makeSet(values: Iterable<Value>): RegoSet {
  const builder = new SetBuilder();
  for (const value of values) builder.add(value);
  return builder.build();
}

export function makeObject(entries: Iterable<Entry>): ObjectValue {
  const builder = new ObjectBuilder();
  for (const [key, value] of entries) builder.set(key, value);
  return builder.build();
}

function arrayIndex(key: Value): number {
  return typeof key === 'number' && Number.isInteger(key) && key >= 0 ? key : -1;
}

/** A container's element: by index, by key, or the member itself for a set. */
export function get(container: Value, key: Value): Value | undefined {
  if (typeof container !== 'object' || container === null) return undefined;
  if (isArray(container)) return container[arrayIndex(key)];
  if (container instanceof RegoSet) return container.has(key) ? key : undefined;
  if (container instanceof RegoObject) return container.get(key);
  if (typeof key !== 'string' || !isPlainObject(container)) return undefined;
  return Object.hasOwn(container, key) ? container[key] : undefined;
}

/** Whether an object has the key. */
export function hasKey(object: ObjectValue, key: Value): boolean {
  if (object instanceof RegoObject) return object.has(key);
  return typeof key === 'string' && Object.hasOwn(object, key);
}

/** The number of elements of a container; undefined for a scalar. */
export function size(container: Value): number | undefined {
  if (isArray(container)) return container.length;
  if (container instanceof RegoSet || container instanceof RegoObject) return container.size;
  return isPlainObject(container) ? Object.keys(container).length : undefined;
}

/** An object's entries in the order of its keys. */
export function* entriesOf(object: ObjectValue): Generator<Entry> {
  if (object instanceof RegoObject) {
    for (const key of object.sortedKeys()) yield [key, object.get(key) as Value];
  } else {
    for (const key of sortedKeys(object)) yield [key, object[key] as Value];
  }
}

/** A container's (key, value) pairs in order: indices for arrays, the members twice for sets. */
export function* iterate(container: Value): Generator<Entry> {
  if (isArray(container)) {
    for (let i = 0; i < container.length; i++) yield [i, container[i] as Value];
  } else if (container instanceof RegoSet) {
    for (const value of container.sorted()) yield [value, value];
  } else if (container instanceof RegoObject || isPlainObject(container)) {
    yield* entriesOf(container);
  }
}
