/**
 * Hash indexes over base data: which elements of a collection have given values in given fields. An
 * index belongs to the collection object, which keeps its identity until that part of the data is
 * replaced, and is built when first asked for.
 */
import { equal, isArray, isObject, type Value } from '../values/index.js';
import { element, elements } from './containers.js';

type Node = Map<Value, Node | Value[]>;

const indexes = new WeakMap<object, Map<string, Node>>();
const NOTHING: readonly Value[] = [];
/** Shorter collections are quicker searched. */
const MIN_INDEXED = 6;

function fieldValue(item: Value, path: readonly string[]): Value | undefined {
  let current: Value | undefined = item;
  for (const name of path) {
    if (current === undefined) return undefined;
    current = element(current, name);
  }
  return current;
}

function isPlain(value: Value | undefined): boolean {
  return value !== undefined && (typeof value !== 'object' || value === null);
}

function build(items: readonly Value[], fields: readonly (readonly string[])[]): Node {
  const root: Node = new Map();
  for (const item of items) {
    const values = fields.map((field) => fieldValue(item, field));
    if (!values.every(isPlain)) continue;
    let node = root;
    for (const value of values.slice(0, -1)) {
      let next = node.get(value as Value) as Node | undefined;
      if (next === undefined) {
        next = new Map();
        node.set(value as Value, next);
      }
      node = next;
    }
    const last = values.at(-1) as Value;
    const bucket = node.get(last) as Value[] | undefined;
    if (bucket === undefined) node.set(last, [item]);
    else bucket.push(item);
  }
  return root;
}

function search(
  items: readonly Value[],
  fields: readonly (readonly string[])[],
  keys: readonly Value[],
): readonly Value[] {
  return items.filter((item) =>
    fields.every((field, index) => {
      const value = fieldValue(item, field);
      return value !== undefined && equal(value, keys[index] as Value);
    }),
  );
}

/** The elements whose fields equal the keys. Cost: a few map reads once the index is there. */
export function probe(
  of: Value | undefined,
  fields: readonly (readonly string[])[],
  id: string,
  keys: readonly Value[],
): readonly Value[] {
  if (typeof of !== 'object' || of === null || !(isArray(of) || isObject(of))) return NOTHING;
  if ((isArray(of) && of.length < MIN_INDEXED) || !keys.every(isPlain)) return search(elements(of), fields, keys);
  let byFields = indexes.get(of);
  if (byFields === undefined) {
    byFields = new Map();
    indexes.set(of, byFields);
  }
  let node: Node | Value[] | undefined = byFields.get(id);
  if (node === undefined) {
    node = build(elements(of), fields);
    byFields.set(id, node);
  }
  for (let i = 0; i < keys.length; i++) {
    if (node === undefined) return NOTHING;
    node = (node as Node).get(keys[i] as Value);
  }
  return (node as Value[] | undefined) ?? NOTHING;
}
