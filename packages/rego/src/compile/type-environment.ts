/**
 * What the type checker knows: the types of variables, and of documents as a tree along their paths.
 * Environments are chained; the innermost that knows a name answers (OPA's `TypeEnv`).
 */
import type { Term } from '../syntax/ast.js';
import { type Key, keyOf, makeObject, toJsonValue, type Value } from '../values/index.js';
import {
  ANY,
  BOOLEAN,
  bounded,
  type MaybeType,
  NULL,
  NUMBER,
  type ObjectType,
  objectType,
  or,
  STRING,
  type StaticProperty,
  select,
  type Type,
  typeOfValue,
  valuesOf,
} from './types.js';

/** A step of a document's path. A node without a type is only on the way to others. */
export class TypeNode {
  type: MaybeType;
  readonly key: Value;
  readonly children = new Map<Key, TypeNode>();

  constructor(key: Value) {
    this.key = key;
  }

  child(term: Term): TypeNode | undefined {
    return term.kind === 'scalar' ? this.children.get(keyOf(term.value)) : undefined;
  }

  ensure(key: Value): TypeNode {
    const id = keyOf(key);
    let child = this.children.get(id);
    if (child === undefined) {
      child = new TypeNode(key);
      this.children.set(id, child);
    }
    return child;
  }

  /** Every typed node below, with its path; what is below a typed node is left out. */
  *leaves(path: readonly Value[] = []): Generator<readonly [readonly Value[], Type]> {
    for (const child of this.children.values()) {
      const own = [...path, child.key];
      if (child.type === undefined) yield* child.leaves(own);
      else yield [own, child.type];
    }
  }
}

/** The type of everything below a node; base documents may add anything. */
export function extentOf(node: TypeNode): Type {
  if (node.type !== undefined) return node.type;
  const properties: StaticProperty[] = [];
  for (const child of node.children.values()) {
    if (child.key !== null) properties.push({ key: child.key, value: extentOf(child) });
  }
  return objectType(properties, { key: STRING, value: ANY });
}

export type DocumentRoot = 'data' | 'input';

export function documentRoot(term: Term | undefined): DocumentRoot | undefined {
  return term?.kind === 'var' && (term.name === 'data' || term.name === 'input') ? term.name : undefined;
}

/** Whether the term is a constant, or a collection of constants. */
export function isConstant(term: Term): boolean {
  switch (term.kind) {
    case 'scalar':
      return true;
    case 'array':
    case 'set':
      return term.items.every(isConstant);
    case 'object':
      return term.entries.every(([key, value]) => isConstant(key) && isConstant(value));
    default:
      return false;
  }
}

/** The value of a constant as JSON has it. */
export function constantValue(term: Term): Value {
  switch (term.kind) {
    case 'scalar':
      return toJsonValue(term.value);
    case 'array':
    case 'set':
      return term.items.map(constantValue);
    case 'object':
      return makeObject(term.entries.map(([key, value]) => [constantValue(key), constantValue(value)] as const));
    default:
      return null;
  }
}

/** The types a comprehension's body gives, or undefined when it has errors. */
export type ClosureTypes = (term: Term, environment: TypeEnvironment) => TypeEnvironment | undefined;

export class TypeEnvironment {
  readonly variables: Map<string, MaybeType>;
  readonly next: TypeEnvironment | undefined;
  /** Changes where a `with` replaces documents. */
  readonly layer: object;
  private readonly closures: ClosureTypes;
  private documents: Map<DocumentRoot, TypeNode> | undefined;

  constructor(closures: ClosureTypes, next?: TypeEnvironment, layer?: object, variables?: Map<string, MaybeType>) {
    this.closures = closures;
    this.next = next;
    this.layer = layer ?? next?.layer ?? {};
    this.variables = variables ?? new Map();
  }

  wrap(): TypeEnvironment {
    return new TypeEnvironment(this.closures, this);
  }

  /** For one expression with `with`: other documents, the same variables. */
  wrapWith(): TypeEnvironment {
    return new TypeEnvironment(this.closures, this, {}, this.variables);
  }

  root(name: DocumentRoot): TypeNode | undefined {
    return this.documents?.get(name);
  }

  ensureRoot(name: DocumentRoot): TypeNode {
    this.documents ??= new Map();
    let node = this.documents.get(name);
    if (node === undefined) {
      node = new TypeNode(name);
      this.documents.set(name, node);
    }
    return node;
  }

  /** Sets the type at a path. */
  put(root: DocumentRoot, path: readonly Value[], type: MaybeType): void {
    let node = this.ensureRoot(root);
    for (const key of path) node = node.ensure(key);
    node.type = type;
  }

  set(name: string, type: MaybeType): void {
    this.variables.set(name, type);
  }

  variable(name: string): MaybeType {
    for (let at: TypeEnvironment | undefined = this; at !== undefined; at = at.next) {
      if (at.variables.has(name)) return at.variables.get(name);
      const root = name === 'data' || name === 'input' ? at.root(name) : undefined;
      if (root !== undefined) return root.type;
    }
    return undefined;
  }

  of(term: Term): MaybeType {
    switch (term.kind) {
      case 'scalar':
        return scalarType(term.value);
      case 'template':
        return STRING;
      case 'var':
        return this.variable(term.name);
      case 'array':
        return bounded({ kind: 'array', static: term.items.map((item) => this.of(item)), dynamic: undefined });
      case 'set': {
        let of: MaybeType;
        for (const item of term.items) of = or(of, this.of(item));
        return bounded({ kind: 'set', of });
      }
      case 'object':
        return this.ofObject(term.entries);
      case 'ref':
        return this.ofReference(term.terms);
      case 'call':
        return undefined;
      default:
        return this.ofComprehension(term);
    }
  }

  private ofObject(entries: readonly (readonly [Term, Term])[]): Type {
    const properties: StaticProperty[] = [];
    let dynamic: { key: MaybeType; value: MaybeType } | undefined;
    for (const [key, value] of entries) {
      if (isConstant(key)) properties.push({ key: constantValue(key), value: this.of(value) });
      else dynamic = { key: this.of(key), value: this.of(value) };
    }
    return bounded(objectType(properties, dynamic));
  }

  private ofComprehension(
    term: Term & { kind: 'array-comprehension' | 'set-comprehension' | 'object-comprehension' },
  ): MaybeType {
    const inner = this.closures(term, this);
    if (inner === undefined) return undefined;
    if (term.kind === 'array-comprehension') return { kind: 'array', static: [], dynamic: inner.of(term.term) };
    if (term.kind === 'set-comprehension') return { kind: 'set', of: inner.of(term.term) };
    return objectType([], { key: inner.of(term.key), value: inner.of(term.value) });
  }

  ofReference(terms: readonly Term[]): MaybeType {
    const head = terms[0] as Term;
    if (head.kind !== 'var') return undefined;
    const root = documentRoot(head);
    const { name } = head;
    for (let at: TypeEnvironment | undefined = this; at !== undefined; at = at.next) {
      if (at.variables.has(name)) {
        const found = this.belowVariable(at.variables.get(name), terms);
        if (found !== 'elsewhere') return found;
      } else if (root !== undefined) {
        const node = at.root(root);
        const found = node === undefined ? 'elsewhere' : below(node, terms);
        if (found !== 'elsewhere') return found;
      }
    }
    return root === undefined ? undefined : ANY;
  }

  private belowVariable(type: MaybeType, terms: readonly Term[]): MaybeType | 'elsewhere' {
    const tail = terms.slice(1);
    if (type !== undefined) return selectAll(type, tail);
    if (tail.length === 0) return objectType([], { key: STRING, value: ANY });
    if (!isConstant(tail[0] as Term)) return selectAll(objectType([], { key: STRING, value: ANY }), tail);
    return 'elsewhere';
  }

  /** Adds a rule's type at its path, merging it with what others gave. */
  insert(path: readonly Value[], type: Type): void {
    let node = this.ensureRoot('data');
    for (const [index, key] of path.entries()) {
      const child = node.ensure(key);
      if (index + 1 < path.length && child.type?.kind === 'object')
        child.type = insertIntoObject(child.type, path.slice(index + 1), type);
      node = child;
    }
    node.type = mergeTypes(node.type, type);
    if (type.kind !== 'object' || node.children.size === 0) return;
    for (const [below_, leaf] of node.leaves())
      if (node.type?.kind === 'object') node.type = insertIntoObject(node.type, below_, leaf);
  }
}

function below(start: TypeNode, terms: readonly Term[]): MaybeType | 'elsewhere' {
  let node = start;
  for (let index = 1; index < terms.length; index++) {
    const term = terms[index] as Term;
    const child = node.child(term);
    if (node.type !== undefined) {
      if (child === undefined) return selectAll(node.type, terms.slice(index));
    } else if (!isConstant(term)) return selectAll(extentOf(node), terms.slice(index));
    if (child === undefined) return 'elsewhere';
    node = child;
  }
  return extentOf(node);
}

function scalarType(value: Value): Type {
  if (value === null) return NULL;
  if (typeof value === 'boolean') return BOOLEAN;
  return typeof value === 'string' ? STRING : NUMBER;
}

/** The type of the element a term selects; undefined when there is none. */
export function selectConstant(type: MaybeType, term: Term): MaybeType {
  return term.kind === 'scalar' ? select(type, term.value) : select(type, constantValue(term));
}

function selectAll(type: MaybeType, terms: readonly Term[]): MaybeType {
  let current = type;
  for (const term of terms) {
    if (current === undefined) return undefined;
    current = term.kind === 'scalar' ? selectConstant(current, term) : valuesOf(current);
  }
  return current;
}

function mergeObjects(a: ObjectType, b: Type): MaybeType {
  if (a.static.length > 0) return undefined;
  if (b.kind === 'object') {
    if (b.static.length > 0) return undefined;
    if (a.dynamic === undefined) return b;
    if (b.dynamic === undefined) return a;
    return objectType([], {
      key: or(a.dynamic.key, b.dynamic.key),
      value: mergeTypes(a.dynamic.value, b.dynamic.value),
    });
  }
  if (b.kind !== 'any' || a.dynamic === undefined) return undefined;
  const { dynamic } = a;
  for (const [index, member] of b.of.entries()) {
    if (member.kind !== 'object' || member.static.length > 0 || member.dynamic === undefined) continue;
    const merged = objectType([], {
      key: or(member.dynamic.key, dynamic.key),
      value: or(member.dynamic.value, dynamic.value),
    });
    return { kind: 'any', of: b.of.with(index, merged) };
  }
  return undefined;
}

function mergeTypes(a: MaybeType, b: MaybeType): MaybeType {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.kind === 'object') {
    const merged = mergeObjects(a, b);
    if (merged !== undefined) return merged;
  }
  if (a.kind === 'set' && b.kind === 'set') return { kind: 'set', of: or(a.of, b.of) };
  if (a.kind === 'any' && b.kind !== 'any') return mergeTypes(b, a);
  return or(a, b);
}

function insertIntoObject(type: ObjectType, path: readonly Value[], inserted: Type): ObjectType {
  const [first, ...rest] = path;
  if (first === undefined) return type;
  const key = typeOfValue(first);
  const value = rest.length === 0 ? inserted : insertIntoObject(objectType([]), rest, inserted);
  const dynamic =
    type.dynamic === undefined
      ? { key, value }
      : { key: or(type.dynamic.key, key), value: or(type.dynamic.value, value) };
  return objectType(type.static, dynamic);
}
