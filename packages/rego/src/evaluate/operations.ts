/** What both back ends call: built-ins, conflicts, membership, merging, building partial documents. */
import type { Builtin } from '../builtins/builtin.js';
import { BuiltinError, HaltError } from '../builtins/errors.js';
import type { Comparison } from '../compile/plan.js';
import { type EvaluationErrorCode, RegoEvaluationError } from '../errors.js';
import type { Location } from '../syntax/ast.js';
import {
  compare,
  entriesOf,
  equal,
  get,
  isArray,
  isObject,
  isSet,
  type Key,
  keyOf,
  ObjectBuilder,
  RegoObject,
  RegoSet,
  SetBuilder,
  type Value,
} from '../values/index.js';
import type { Session } from './world.js';

function place(at: Location): { file: string; row: number; col: number } {
  return { file: at.file, row: at.row, col: at.col };
}

export function conflict(name: string, isFunction: boolean, at: Location): RegoEvaluationError {
  const message = isFunction
    ? `function ${name} produced conflicting values for the same inputs`
    : `rule ${name} produced conflicting values`;
  return new RegoEvaluationError('eval_conflict_error', message, place(at));
}

export function keyConflict(at: Location): RegoEvaluationError {
  return new RegoEvaluationError('eval_conflict_error', 'object keys must be unique', place(at));
}

/** Runs a built-in: its errors make it undefined unless they are fatal. */
export function runBuiltin(
  builtin: Builtin,
  args: readonly Value[],
  session: Session,
  at: Location,
): Value | undefined {
  try {
    return builtin.evaluate(args, session.context);
  } catch (error) {
    return builtinFailed(error, session, at);
  }
}

export function builtinFailed(error: unknown, session: Session, at: Location): undefined {
  if (error instanceof HaltError) {
    throw new RegoEvaluationError(error.code as EvaluationErrorCode, error.message, place(at), { cause: error });
  }
  if (!(error instanceof BuiltinError)) throw error;
  const failure = new RegoEvaluationError(error.code, error.message, place(at), { cause: error });
  if (session.strict) throw failure;
  if (session.errors.length < 100) session.errors.push(failure);
  return undefined;
}

export function compareBy(by: Comparison, a: Value, b: Value): boolean {
  switch (by) {
    case 'equal':
      return a === b || equal(a, b);
    case 'neq':
      return a !== b && !equal(a, b);
    case 'lt':
      return typeof a === 'number' && typeof b === 'number' ? a < b : compare(a, b) < 0;
    case 'lte':
      return typeof a === 'number' && typeof b === 'number' ? a <= b : compare(a, b) <= 0;
    case 'gt':
      return typeof a === 'number' && typeof b === 'number' ? a > b : compare(a, b) > 0;
    case 'gte':
      return typeof a === 'number' && typeof b === 'number' ? a >= b : compare(a, b) >= 0;
  }
}

/** `value in of`. */
export function isMember(value: Value, of: Value): boolean {
  if (typeof of !== 'object' || of === null) return false;
  if (isArray(of)) {
    if (typeof value !== 'object' || value === null) return of.includes(value);
    for (let i = 0; i < of.length; i++) if (equal(of[i] as Value, value)) return true;
    return false;
  }
  if (of instanceof RegoSet) return of.has(value);
  if (of instanceof RegoObject) {
    for (const [, element] of of.entries().values()) if (equal(element, value)) return true;
    return false;
  }
  if (!isObject(of)) return false;
  for (const key of Object.keys(of)) {
    const element = (of as Record<string, Value>)[key] as Value;
    if (element === value || equal(element, value)) return true;
  }
  return false;
}

/** `key, value in of`. */
export function isMemberAt(key: Value, value: Value, of: Value): boolean {
  if (typeof of !== 'object' || of === null) return false;
  if (isSet(of)) return equal(key, value) && of.has(value);
  const element = get(of, key);
  return element !== undefined && equal(element, value);
}

/** Objects merged key by key; where both define something else the first wins. */
export function mergeDocuments(a: Value, b: Value): Value {
  if (!isObject(a) || !isObject(b)) return a;
  const builder = new ObjectBuilder();
  for (const [key, value] of entriesOf(a)) {
    const other = get(b, key);
    builder.set(key, other === undefined ? value : mergeDocuments(value, other));
  }
  for (const [key, value] of entriesOf(b)) if (get(a, key) === undefined) builder.set(key, value);
  return builder.build();
}

/** A node of a partial document under construction. */
interface PartialNode {
  children: Map<Key, { readonly key: Value; readonly node: PartialNode }> | undefined;
  value: Value | undefined;
  set: SetBuilder | undefined;
}

function newNode(): PartialNode {
  return { children: undefined, value: undefined, set: undefined };
}

function buildNode(node: PartialNode): Value {
  if (node.value !== undefined) return node.value;
  if (node.set !== undefined) return node.set.build();
  const builder = new ObjectBuilder();
  for (const { key, node: child } of node.children?.values() ?? []) builder.set(key, buildNode(child));
  return builder.build();
}

/** Collects the object a rule with variables in its reference defines. */
export class PartialObject {
  private readonly root = newNode();

  private descend(path: readonly Value[], at: Location): PartialNode {
    let node = this.root;
    for (const key of path) {
      if (node.value !== undefined || node.set !== undefined) throw keyConflict(at);
      node.children ??= new Map();
      const id = keyOf(key);
      let child = node.children.get(id);
      if (child === undefined) {
        child = { key, node: newNode() };
        node.children.set(id, child);
      }
      node = child.node;
    }
    return node;
  }

  put(path: readonly Value[], value: Value, at: Location): void {
    const node = this.descend(path, at);
    if (node.set !== undefined) throw keyConflict(at);
    if (node.value === undefined && node.children === undefined) {
      node.value = value;
      return;
    }
    const present = buildNode(node);
    if (!equal(present, value)) throw keyConflict(at);
  }

  add(path: readonly Value[], element: Value, at: Location): void {
    const node = this.descend(path, at);
    if (node.value !== undefined || node.children !== undefined) throw keyConflict(at);
    node.set ??= new SetBuilder();
    node.set.add(element);
  }

  build(): Value {
    return buildNode(this.root);
  }
}

/** An object literal or comprehension: one value for each key. */
export function putUnique(builder: ObjectBuilder, key: Value, value: Value, at: Location): void {
  const present = builder.get(key);
  if (present === undefined) builder.set(key, value);
  else if (!equal(present, value)) throw keyConflict(at);
}

/** Calls `visit(key, value)` for each element in order until it returns true. */
export function iterateUntil(of: Value | undefined, visit: (key: Value, value: Value) => boolean): boolean {
  if (typeof of !== 'object' || of === null) return false;
  if (isArray(of)) {
    for (let i = 0; i < of.length; i++) if (visit(i, of[i] as Value)) return true;
    return false;
  }
  if (of instanceof RegoSet) {
    const members = of.sorted();
    for (let i = 0; i < members.length; i++) if (visit(members[i] as Value, members[i] as Value)) return true;
    return false;
  }
  if (!isObject(of)) return false;
  for (const [key, value] of entriesOf(of)) if (visit(key, value)) return true;
  return false;
}
