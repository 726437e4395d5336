/**
 * Hash indexes over base data: which elements of a collection have given values in given fields. An
 * index belongs to the collection object, which keeps its identity until that part of the data is
 * replaced, and is built when first asked for.
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

/** By the value of the only field, or by a text made of those of all. */
type Index<T> = Map<Value, T[]>;

const NOTHING: readonly never[] = [];
/** In place of an index: one question has been asked. */
const UNASKED: Index<never> = new Map();
/** Shorter collections are quicker searched. */
const MIN_INDEXED = 6;

function fieldValue(item: Value, path: readonly string[]): Value | undefined {
  let current: Value | undefined = item;
  for (let i = 0; i < path.length && current !== undefined; i++) current = element(current, path[i] as string);
  return current;
}

function isPlain(value: Value | undefined): boolean {
  return value !== undefined && (typeof value !== 'object' || value === null);
}

/** One way of indexing: what is found, and which value in it is looked at. */
class Indexes<T> {
  private readonly known = new WeakMap<object, Map<string, Index<T>>>();
  private readonly items: (of: Value) => readonly T[];
  private readonly valueIn: (item: T) => Value;

  constructor(items: (of: Value) => readonly T[], valueIn: (item: T) => Value) {
    this.items = items;
    this.valueIn = valueIn;
  }

  private build(of: Value, fields: Fields): Index<T> {
    const index: Index<T> = new Map();
    const keys: Value[] = [];
    next: for (const item of this.items(of)) {
      const value = this.valueIn(item);
      for (let i = 0; i < fields.length; i++) {
        const key = fieldValue(value, fields[i] as readonly string[]);
        // What is no plain value equals no plain key.
        if (!isPlain(key)) continue next;
        keys[i] = key as Value;
      }
      const id = fields.length === 1 ? (keys[0] as Value) : joined(keys);
      const bucket = index.get(id);
      if (bucket === undefined) index.set(id, [item]);
      else bucket.push(item);
    }
    return index;
  }

  private search(of: Value, fields: Fields, keys: readonly Value[]): readonly T[] {
    return this.items(of).filter((item) =>
      fields.every((field, index) => {
        const value = fieldValue(this.valueIn(item), field);
        return value !== undefined && equal(value, keys[index] as Value);
      }),
    );
  }

  find(of: Value | undefined, { fields, id, lasts }: Question, keys: readonly Value[]): readonly T[] {
    if (typeof of !== 'object' || of === null || !(isArray(of) || isSet(of) || isObject(of))) return NOTHING;
    if ((isArray(of) && of.length < MIN_INDEXED) || !keys.every(isPlain)) return this.search(of, fields, keys);
    let byFields = this.known.get(of);
    if (byFields === undefined) {
      byFields = new Map();
      this.known.set(of, byFields);
    }
    let index: Index<T> | undefined = byFields.get(id);
    if (index === undefined && !lasts) {
      byFields.set(id, UNASKED);
      return this.search(of, fields, keys);
    }
    if (index === undefined || index === UNASKED) {
      index = this.build(of, fields);
      byFields.set(id, index);
    }
    return index.get(keys.length === 1 ? (keys[0] as Value) : joined(keys)) ?? NOTHING;
  }
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
