/**
 * What JSON Schemas say of documents: one for all of `input`, and those that annotations bind to paths for
 * the rules in their scope. The schemas themselves are read elsewhere; here they are types already.
 */
import { get, isArray, isObject, type Value } from '../values/index.js';
import type { CompileContext, WorkRule } from './model.js';
import { documentRoot, type TypeEnvironment } from './type-environment.js';
import type { TypeProblem } from './type-messages.js';
import { ANY, type DynamicProperty, type MaybeType, type ObjectType, objectType, type Type } from './types.js';

/** Where the types come from. Both throw an `Error` when a schema is none, or no type can be had of it. */
export interface SchemaTypes {
  /** Whether names (`schema.a.b`) can be looked up; otherwise annotations that have one say nothing. */
  readonly hasNames: boolean;
  /** The schema of that name, `schema` itself for all of `input`; undefined when there is none. */
  named(name: string): Type | undefined;
  /** A schema written out in an annotation. */
  inline(definition: Value): Type;
}

type Context = Pick<CompileContext, 'schemas' | 'metadata'>;

const NOWHERE = { file: '', row: 0, col: 0, offset: 0, end: 0 };
const ANYTHING: DynamicProperty = { key: ANY, value: ANY };

const problemAt = (location: TypeProblem['location'], error: unknown): TypeProblem => ({
  location,
  message: error instanceof Error ? error.message : String(error),
  isFromNil: false,
});

/** The type of all of `input`, or what is wrong with its schema. */
export function inputSchema({
  schemas,
}: Context): { readonly type?: Type; readonly problem?: TypeProblem } | undefined {
  try {
    const type = schemas?.named('schema');
    return type === undefined ? undefined : { type };
  } catch (error) {
    return { problem: problemAt(NOWHERE, error) };
  }
}

interface Binding {
  readonly path: readonly Value[];
  readonly schema: readonly Value[] | undefined;
  readonly definition: Value | undefined;
}

/** In the order OPA applies them: the widest scope first. */
function bindingsOf(context: Context, rule: WorkRule): readonly Binding[] {
  const { chain } = context.metadata(rule);
  if (!isArray(chain)) return [];
  return [...chain].reverse().flatMap((link) => {
    const annotations = isObject(link) ? get(link, 'annotations') : undefined;
    const list = annotations !== undefined && isObject(annotations) ? get(annotations, 'schemas') : undefined;
    if (list === undefined || !isArray(list)) return [];
    return list.flatMap((entry): Binding[] => {
      if (!isObject(entry)) return [];
      const [path, schema] = [get(entry, 'path'), get(entry, 'schema')];
      if (path === undefined || !isArray(path)) return [];
      const named = schema !== undefined && isArray(schema) ? schema : undefined;
      return [{ path, schema: named, definition: get(entry, 'definition') }];
    });
  });
}

/** An object type in which the path has the type. */
function nested(path: readonly Value[], type: Type, dynamic: DynamicProperty | undefined): ObjectType {
  const [key = '', ...rest] = path;
  return objectType([{ key, value: rest.length === 0 ? type : nested(rest, type, dynamic) }], dynamic);
}

/** The type with another at the path. */
function override(path: readonly Value[], type: MaybeType, other: Type): Type {
  if (type?.kind !== 'object') return nested(path, other, ANYTHING);
  const [key = '', ...rest] = path;
  const known = type.static.find((property) => property.key === key);
  const value = rest.length === 0 ? other : override(rest, known?.value, other);
  if (known === undefined)
    return objectType([...type.static, ...nested(path, other, type.dynamic).static], type.dynamic);
  return objectType(
    type.static.map((property) => (property === known ? { key, value } : property)),
    type.dynamic,
  );
}

/** Puts what annotations say of documents into the environment a rule is checked in. */
export function declareSchemas(context: Context, rule: WorkRule, into: TypeEnvironment): readonly TypeProblem[] {
  const { schemas } = context;
  if (schemas === undefined) return [];
  const problems: TypeProblem[] = [];
  const { location } = rule;
  for (const { path, schema, definition } of bindingsOf(context, rule)) {
    const [head, ...rest] = path;
    const document = { kind: 'var', name: typeof head === 'string' ? head : '', location } as const;
    const root = documentRoot(document);
    if (root === undefined || (schema !== undefined && !schemas.hasNames)) continue;
    try {
      const type = schema === undefined ? schemas.inline(definition ?? null) : schemas.named(schema.join('.'));
      if (type === undefined) throw new Error(`undefined schema: ${schema?.join('.')}`);
      const whole = rest.length === 0 ? undefined : into.ofReference([document]);
      into.put(root, [], rest.length === 0 ? type : override(rest, whole, type));
    } catch (error) {
      problems.push(problemAt(location, error));
    }
  }
  return problems;
}
