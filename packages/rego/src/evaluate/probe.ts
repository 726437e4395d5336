/**
 * Hash indexes over base data: which elements of a collection have given values in given fields. An
 * index belongs to the collection object, which keeps its identity until that part of the data is
 * replaced, and is built when asked for, slice by slice.
 */
import { equal, isArray, isObject, isSet, type Value } from '../values/index.js';
import { element, elements, keysOf } from './containers.js';

type Fields = readonly (readonly string[])[];
/** A key and what is there. */
export type Entry = readonly [key: Value, value: Value];

/** What a probe asks, whatever the keys. */
export interface Question {
  readonly fields: Fields;
  /** One for the same fields. */
  readonly id: string;
  /** The collection outlives the evaluation. */
  readonly lasts: boolean;
}

export function questionOf({ fields, lasts }: { readonly fields: Fields; readonly lasts: boolean }): Question {
  return { fields, lasts, id: fields.map((field) => field.join('\u0000')).join('\u0001') };
}

/**
 * What has the same key is a chain of positions, from the last to the first: numbers, so that an index of 100,000 items is two
 * tables and not 100,000 lists and texts. The key is the value of the only field, or a hash of those of all, which are then compared.
 */
interface Index<T> {
  readonly items: readonly T[];
  readonly last: Map<Value, number>;
  /** By position: the one before in its chain, or -1. */
  readonly before: Int32Array;
  /** Chains that were asked for and are long, as lists, by their keys. */
  readonly lists: Map<Value, readonly T[]>;
}

const NOTHING: readonly never[] = [];
/** In place of an index: one question has been asked. */
const UNASKED: Index<never> = { items: [], last: new Map(), before: new Int32Array(0), lists: new Map() };
/** From here on a chain is worth a list of its own. */
const LONG_CHAIN = 8;
/** Shorter collections are quicker searched. */
const MIN_INDEXED = 6;
/** Items that go into an index at a time: about 0.3 ms. */
const MIN_SLICE = 1024;
/** Slices at most, so that looking through the rest stays a small part of the work. */
const MAX_SLICES = 16;

function fieldValue(item: Value, path: readonly string[]): Value | undefined {
  let current: Value | undefined = item;
  for (let i = 0; i < path.length && current !== undefined; i++) current = element(current, path[i] as string);
  return current;
}

function isPlain(value: Value | undefined): boolean {
  return value !== undefined && (typeof value !== 'object' || value === null);
}

/** An index on the way: what is in it so far, and what is not. */
interface Growing<T> {
  readonly index: Index<T>;
  /** How many items are in the index. */
  done: number;
}

/**
 * One way of indexing: what is found, and which value in it is looked at. A large collection goes into
 * its index in slices, one a question, which looks through the rest: no question pays for all of it.
 */
class Indexes<T> {
  private readonly known = new WeakMap<object, Map<string, Index<T>>>();
  private readonly growing = new WeakMap<object, Map<string, Growing<T>>>();
  private readonly items: (of: Value) => readonly T[];
  private readonly valueIn: (item: T) => Value;

  constructor(items: (of: Value) => readonly T[], valueIn: (item: T) => Value) {
    this.items = items;
    this.valueIn = valueIn;
  }

  /** Adds the items from `done` to `end`. */
  private extend({ index, done }: Growing<T>, end: number, fields: Fields): void {
    const { items, last, before } = index;
    const keys: Value[] = [];
    next: for (let at = done; at < end; at++) {
      const item = items[at] as T;
      const value = this.valueIn(item);
      for (let i = 0; i < fields.length; i++) {
        const key = fieldValue(value, fields[i] as readonly string[]);
        // What is no plain value equals no plain key.
        if (!isPlain(key)) continue next;
        keys[i] = key as Value;
      }
      const id = fields.length === 1 ? (keys[0] as Value) : hashOf(keys);
      before[at] = last.get(id) ?? -1;
      last.set(id, at);
    }
  }

  /** Whether the fields have exactly these plain values. */
  private matches(item: T, fields: Fields, keys: readonly Value[]): boolean {
    const inside = this.valueIn(item);
    for (let i = 0; i < fields.length; i++) {
      if (fieldValue(inside, fields[i] as readonly string[]) !== keys[i]) return false;
    }
    return true;
  }

  /** What an index has, in order. */
  private look({ items, last, before, lists }: Index<T>, fields: Fields, keys: readonly Value[]): readonly T[] {
    const isOnly = fields.length === 1;
    let at = last.get(isOnly ? (keys[0] as Value) : hashOf(keys));
    if (at === undefined) return NOTHING;
    if (before[at] === -1) {
      const item = items[at] as T;
      return isOnly || this.matches(item, fields, keys) ? [item] : NOTHING;
    }
    const id = isOnly ? (keys[0] as Value) : joined(keys);
    const known = lists.get(id);
    if (known !== undefined) return known;
    const found: T[] = [];
    let length = 0;
    for (; at !== -1; at = before[at] as number) {
      length += 1;
      const item = items[at] as T;
      if (isOnly || this.matches(item, fields, keys)) found.push(item);
    }
    found.reverse();
    if (length >= LONG_CHAIN) lists.set(id, found);
    return found;
  }

  private search(items: readonly T[], fields: Fields, keys: readonly Value[], from = 0): T[] {
    const found: T[] = [];
    next: for (let at = from; at < items.length; at++) {
      const item = items[at] as T;
      const inside = this.valueIn(item);
      for (let i = 0; i < fields.length; i++) {
        const value = fieldValue(inside, fields[i] as readonly string[]);
        const key = keys[i] as Value;
        if (value === undefined || (value !== key && !equal(value, key))) continue next;
      }
      found.push(item);
    }
    return found;
  }

  /** Builds one slice more of an index; the finished index, or what the question is answered from. */
  private advance(of: object & Value, { fields, id }: Question): Growing<T> {
    let byFields = this.growing.get(of);
    if (byFields === undefined) {
      byFields = new Map();
      this.growing.set(of, byFields);
    }
    let growing = byFields.get(id);
    if (growing === undefined) {
      const items = this.items(of);
      const index = { items, last: new Map(), before: new Int32Array(items.length), lists: new Map() };
      growing = { index, done: 0 };
      byFields.set(id, growing);
    }
    const { done } = growing;
    const { items } = growing.index;
    const slice = Math.max(MIN_SLICE, Math.ceil(items.length / MAX_SLICES));
    const end = Math.min(done + slice, items.length);
    this.extend(growing, end, fields);
    growing.done = end;
    if (end === items.length) byFields.delete(id);
    return growing;
  }

  find(of: Value | undefined, question: Question, keys: readonly Value[]): readonly T[] {
    if (typeof of !== 'object' || of === null || !(isArray(of) || isSet(of) || isObject(of))) return NOTHING;
    const { fields, id } = question;
    if ((isArray(of) && of.length < MIN_INDEXED) || !keys.every(isPlain))
      return this.search(this.items(of), fields, keys);
    let byFields = this.known.get(of);
    if (byFields === undefined) {
      byFields = new Map();
      this.known.set(of, byFields);
    }
    let index: Index<T> | undefined = byFields.get(id);
    if (index === undefined && !question.lasts) {
      byFields.set(id, UNASKED);
      return this.search(this.items(of), fields, keys);
    }
    if (index === undefined || index === UNASKED) {
      const growing = this.advance(of, question);
      index = growing.index;
      const { items } = index;
      if (growing.done < items.length) {
        const found = this.look(index, fields, keys);
        // It grows on: what was found now is not all of it.
        index.lists.clear();
        return [...found, ...this.search(items, fields, keys, growing.done)];
      }
      byFields.set(id, index);
    }
    return this.look(index, fields, keys);
  }
}

/** Another in every process, so that nobody can prepare values that meet. */
const SEED = (Math.random() * 2 ** 31) | 0;

/** A small whole number for several plain values. */
function hashOf(keys: readonly Value[]): number {
  let hash = SEED;
  for (const key of keys) {
    const text = typeof key === 'string' ? key : String(key);
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15) ^ text.length, 0x2c1b3c6d);
  }
  // A number of 31 bits needs no object of its own.
  return (hash ^ (hash >>> 13)) >> 1;
}

/** One text for several plain values, another for any others. */
function joined(keys: readonly Value[]): string {
  let text = '';
  for (const key of keys) text += typeof key === 'string' ? `${key.length}:${key}` : `;${String(key)};`;
  return text;
}

function entries(of: Value): readonly Entry[] {
  const keys = keysOf(of);
  return elements(of).map((value, index) => [keys === undefined ? index : (keys[index] as Value), value] as const);
}

const values = new Indexes<Value>(elements, (item) => item);
const pairs = new Indexes<Entry>(entries, ([, value]) => value);

/** The elements whose fields equal the keys, in order. Cost: a few map reads once the index is there. */
export function probe(of: Value | undefined, question: Question, keys: readonly Value[]): readonly Value[] {
  return values.find(of, question, keys);
}

/** The same with where they are. */
export function probeEntries(of: Value | undefined, question: Question, keys: readonly Value[]): readonly Entry[] {
  return pairs.find(of, question, keys);
}
