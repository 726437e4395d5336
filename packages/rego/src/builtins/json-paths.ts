/**
 * Paths into values, as JSON pointers or arrays of keys, and the functions made of them:
 * json.filter, json.remove and json.patch. Unlike RFC 6902, OPA's patch also works on sets and
 * on objects with keys that are not strings.
 */
import {
  EMPTY_SET,
  entriesOf,
  equal,
  formatTerm,
  get,
  hasKey,
  isArray,
  isObject,
  isSet,
  keyOf,
  makeSet,
  ObjectBuilder,
  type ObjectValue,
  RegoSet,
  size,
  toInteger,
  typeOf,
  type Value,
  work,
} from '../values/index.js';
import { type Builtin, type BuiltinContext, family } from './builtin.js';
import { fail } from './errors.js';
import { arrayOperand, listOperand, objectOperand, operand, operandError } from './operands.js';
import { any, anyOf, array, object, record, set, string } from './type-decl.js';

type Path = readonly Value[];

const path = anyOf(string, array());
const paths = anyOf(array(path), set(path));

function parsePath(value: Value): Path {
  if (isArray(value)) return value;
  if (typeof value !== 'string') {
    const wanted = 'must be one of {set, array} containing string paths or array of path segments';
    throw operandError(2, `${wanted} but got ${typeOf(value)}`);
  }
  if (value === '') return [];
  work(value.length >> 3);
  const parts = value.replace(/^\/+/, '').split('/');
  return parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Paths as a tree; a leaf stands for everything below it. */
type PathTree = Map<unknown, PathTree | null>;

function toTree(all: readonly Path[]): PathTree {
  const root: PathTree = new Map();
  for (const one of all) {
    if (one.length === 0) continue;
    let node: PathTree | null = root;
    work(one.length);
    for (const segment of one.slice(0, -1)) {
      const key = keyOf(segment);
      let child: PathTree | null | undefined = node.get(key);
      if (child === undefined) {
        child = new Map();
        node.set(key, child);
      }
      node = child;
      if (node === null) break;
    }
    node?.set(keyOf(one.at(-1) as Value), null);
  }
  return root;
}

function filter(value: Value, tree: PathTree | null): Value {
  if (tree === null || typeof value !== 'object' || value === null) return value;
  work(1);
  if (isArray(value)) {
    return value.flatMap((item, i) => {
      const below = tree.get(String(i));
      return below === undefined ? [] : [filter(item, below)];
    });
  }
  if (isSet(value)) {
    const kept: Value[] = [];
    for (const item of value.sorted()) {
      const below = tree.get(keyOf(item));
      if (below !== undefined) kept.push(filter(item, below));
    }
    return makeSet(kept);
  }
  if (!isObject(value)) return value;
  const builder = new ObjectBuilder();
  for (const [key, item] of entriesOf(value)) {
    const below = tree.get(keyOf(key));
    if (below !== undefined) builder.set(key, filter(item, below));
  }
  return builder.build();
}

/** The value without what the tree names; undefined when the value itself goes. */
function remove(value: Value, tree: PathTree | null | undefined): Value | undefined {
  if (tree === undefined) return value;
  if (tree === null) return undefined;
  if (typeof value !== 'object' || value === null) return value;
  work(1);
  if (isArray(value)) {
    return value.map((item, i) => remove(item, tree.get(String(i)))).filter((item) => item !== undefined);
  }
  if (isSet(value)) {
    const kept = value.sorted().map((item) => remove(item, tree.get(keyOf(item))));
    return makeSet(kept.filter((item) => item !== undefined));
  }
  if (!isObject(value)) return value;
  const builder = new ObjectBuilder();
  for (const [key, item] of entriesOf(value)) {
    const rest = remove(item, tree.get(keyOf(key)));
    if (rest !== undefined) builder.set(key, rest);
  }
  return builder.build();
}

function toIndex(length: number, segment: Value): number {
  if (segment === '-') return length;
  if (typeof segment === 'string') {
    if (!/^[-+]?\d+$/.test(segment)) return fail('invalid string for indexing');
    if (segment !== '0' && segment.startsWith('0')) return fail('leading zeros are not allowed in JSON paths');
    return Number(segment);
  }
  if (typeof segment !== 'number') return fail('invalid type for indexing');
  return toInteger(segment) ?? fail('invalid number type for indexing');
}

/** A value that may be null but must be there. */
function orFail(value: Value | undefined, message: string): Value {
  return value === undefined ? fail(message) : value;
}

/** The child of a container along a path, and the key it is found under. */
function childOf(container: Value, segment: Value): Value {
  if (isArray(container)) {
    const index = toIndex(container.length, segment);
    return orFail(container[index], `path ${index} does not exist in array term ${formatTerm(container)}`);
  }
  if (!isObject(container) && !isSet(container)) {
    const shown = `${formatTerm(container)} (type: ${typeOf(container)})`;
    return fail(`expected composite type for path ${formatTerm(segment)}, found value: ${shown}`);
  }
  const place = `${typeOf(container)} term ${formatTerm(container)}`;
  return orFail(get(container, segment), `path ${formatTerm(segment)} does not exist in ${place}`);
}

function withMember(source: ObjectValue, key: Value, value: Value | undefined): ObjectValue {
  const builder = new ObjectBuilder();
  const changed = keyOf(key);
  work((size(source) ?? 0) + 1);
  for (const [name, member] of entriesOf(source)) if (keyOf(name) !== changed) builder.set(name, member);
  if (value !== undefined) builder.set(key, value);
  return builder.build();
}

function withoutElement(source: RegoSet, value: Value): RegoSet {
  work(source.size);
  const rest = new Map(source.entries());
  rest.delete(keyOf(value));
  return rest.size === 0 ? EMPTY_SET : new RegoSet(rest);
}

function insertInto(container: Value, segment: Value, value: Value): Value {
  if (isArray(container)) {
    const index = toIndex(container.length, segment);
    work(1 + (container.length >> 6));
    if (index < 0 || index > container.length) fail('index for array insertion out of bounds');
    return container.toSpliced(index, 0, value);
  }
  if (isSet(container)) {
    if (!equal(segment, value)) {
      fail(`set key ${formatTerm(segment)} does not equal value to be inserted ${formatTerm(value)}`);
    }
    return makeSet([...container.values(), value]);
  }
  if (isObject(container)) return withMember(container, segment, value);
  return fail(`expected composite type, found value: ${formatTerm(container)} (type: ${typeOf(container)})`);
}

function deleteFrom(container: Value, segment: Value): Value {
  if (isArray(container)) {
    const index = toIndex(container.length, segment);
    if (index < 0 || index >= container.length) fail('index for array delete out of bounds');
    return container.toSpliced(index, 1);
  }
  if (isSet(container) && container.has(segment)) return withoutElement(container, segment);
  if (isObject(container) && hasKey(container, segment)) return withMember(container, segment, undefined);
  if (isSet(container) || isObject(container)) {
    return fail(`cannot delete child key ${formatTerm(segment)} that does not exist`);
  }
  return fail(`expected composite type, found value: ${formatTerm(container)} (type: ${typeOf(container)})`);
}

/** Replaces one child after `change`; a changed element of a set moves to its new value. */
function withChild(container: Value, segment: Value, change: (child: Value) => Value): Value {
  const changed = change(childOf(container, segment));
  if (isArray(container)) return container.with(toIndex(container.length, segment), changed);
  if (isSet(container)) return makeSet([...withoutElement(container, segment).values(), changed]);
  return withMember(container as ObjectValue, segment, changed);
}

function changeAt(root: Value, at: Path, change: (container: Value, segment: Value) => Value): Value {
  const [segment, ...rest] = at as [Value, ...Value[]];
  if (rest.length === 0) return change(root, segment);
  return withChild(root, segment, (child) => changeAt(child, rest, change));
}

function insertAt(root: Value | undefined, at: Path, value: Value): Value {
  if (at.length === 0) return value;
  if (root === undefined) return fail('deleted node encountered during insert operation');
  return changeAt(root, at, (container, segment) => insertInto(container, segment, value));
}

function deleteAt(root: Value | undefined, at: Path): Value | undefined {
  if (root === undefined) return fail('deleted node encountered during delete operation');
  return at.length === 0 ? undefined : changeAt(root, at, deleteFrom);
}

function valueAt(root: Value | undefined, at: Path): Value {
  if (root === undefined) return fail('nil value encountered where composite value was expected');
  return at.reduce((value, segment) => childOf(value, segment), root);
}

type Operation = (root: Value | undefined, at: Path, patch: ObjectValue) => Value | undefined;

function attribute(patch: ObjectValue, name: string): Value {
  return orFail(get(patch, name), `missing required attribute '${name}'`);
}

function testAt(root: Value | undefined, at: Path, patch: ObjectValue): Value | undefined {
  const found = valueAt(root, at);
  const wanted = attribute(patch, 'value');
  if (!equal(found, wanted)) {
    fail(`value from EditTree != patch value.\n\nExpected: ${formatTerm(wanted)}\n\nFound: ${formatTerm(found)}`);
  }
  return root;
}

const OPERATIONS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ['add', (root, at, patch) => insertAt(root, at, attribute(patch, 'value'))],
  ['remove', (root, at) => deleteAt(root, at)],
  ['replace', (root, at, patch) => insertAt(deleteAt(root, at), at, attribute(patch, 'value'))],
  [
    'move',
    (root, at, patch) => {
      const from = parsePath(attribute(patch, 'from'));
      const value = valueAt(root, from);
      return insertAt(deleteAt(root, from), at, value);
    },
  ],
  ['copy', (root, at, patch) => insertAt(root, at, valueAt(root, parsePath(attribute(patch, 'from'))))],
  ['test', testAt],
]);

function applyPatches(source: Value, patches: readonly Value[], context: BuiltinContext): Value | undefined {
  let root: Value | undefined = source;
  for (const patch of patches) {
    context.charge(1);
    if (!isObject(patch)) fail('must be an array of JSON-Patch objects, but at least one element is not an object');
    const at = attribute(patch as ObjectValue, 'path');
    const name = attribute(patch as ObjectValue, 'op');
    if (typeof name !== 'string') fail(`attribute 'op' must be a string but found: ${typeOf(name)}`);
    const operation = OPERATIONS.get(name as string);
    const parsed = parsePath(at);
    if (operation === undefined) fail(`unrecognized op: '${String(name)}'`);
    else root = operation(root, parsed, patch as ObjectValue);
  }
  return root;
}

const patchType = record({ op: string, path: any }, { key: any, value: any });

export const jsonPathBuiltins: readonly Builtin[] = family('object', {
  'json.filter': {
    about: 'The object with only what the paths name.',
    args: { object: object(), paths },
    result: { filtered: object() },
    evaluate: (args) => {
      const source = objectOperand(args, 1);
      return filter(source, toTree(listOperand(args, 2).map(parsePath)));
    },
  },
  'json.remove': {
    about: 'The object without what the paths name.',
    args: { object: object(), paths },
    result: { output: object() },
    evaluate: (args) => {
      const source = objectOperand(args, 1);
      return remove(source, toTree(listOperand(args, 2).map(parsePath)));
    },
  },
  'json.patch': {
    about: 'The value after JSON Patch operations (RFC 6902), all of which must apply.',
    args: { target: any, patches: array(patchType) },
    result: { output: any },
    evaluate: (args, context) => applyPatches(operand(args, 1), arrayOperand(args, 2), context),
  },
});
