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

type Node<T> = Map<Value, Node<T> | T[]>;

const NOTHING: readonly never[] = [];
/** In place of an index: one question has been asked. */
const UNASKED: Node<never> = new Map();
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
  private readonly known = new WeakMap<object, Map<string, Node<T>>>();
  private readonly items: (of: Value) => readonly T[];
  private readonly valueIn: (item: T) => Value;

  constructor(items: (of: Value) => readonly T[], valueIn: (item: T) => Value) {
    this.items = items;
    this.valueIn = valueIn;
  }

  private build(of: Value, fields: Fields): Node<T> {
    const root: Node<T> = new Map();
    const last = fields.length - 1;
    next: for (const item of this.items(of)) {
      const value = this.valueIn(item);
      let node = root;
      for (let i = 0; i <= last; i++) {
        const key = fieldValue(value, fields[i] as readonly string[]);
        // What is no plain value equals no plain key.
        if (!isPlain(key)) continue next;
        const below = node.get(key as Value);
        if (i === last) {
          if (below === undefined) node.set(key as Value, [item]);
          else (below as T[]).push(item);
        } else if (below === undefined) {
          const made: Node<T> = new Map();
          node.set(key as Value, made);
          node = made;
        } else node = below as Node<T>;
      }
    }
    return root;
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
    let node: Node<T> | T[] | undefined = byFields.get(id);
    if (node === UNASKED || (node === undefined && lasts)) node = this.build(of, fields) as Node<T>;
    else if (node === undefined) {
      byFields.set(id, UNASKED);
      return this.search(of, fields, keys);
    }
    byFields.set(id, node as Node<T>);
    for (let i = 0; i < keys.length; i++) {
      if (node === undefined) return NOTHING;
      node = (node as Node<T>).get(keys[i] as Value);
    }
    return (node as T[] | undefined) ?? NOTHING;
  }
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
