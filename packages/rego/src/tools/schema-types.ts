/**
 * JSON Schemas as types for the type checker, as OPA derives them: only `type`, `properties`, `items`, `anyOf`, `allOf` and `$ref`
 * count. Where a schema comes back to itself, anything may stand.
 */
import { compileSchema } from '../builtins/schema/compile.js';
import type { Subschema } from '../builtins/schema/subschema.js';
import type { SchemaTypes } from '../compile/rule-schemas.js';
import { ANY, BOOLEAN, type MaybeType, NUMBER, objectType, or, STRING, type Type } from '../compile/types.js';
import type { Value } from '../values/index.js';

const cannotMerge = (why = ''): Error => new Error(`type checking: unable to merge these schemas${why}`);

/** A schema without `type` has the one its keywords speak of. */
function typesOf({ types, properties, items }: Subschema): readonly string[] {
  if (properties.size > 0 && !types.includes('object')) return [...types, 'object'];
  if (properties.size === 0 && items.length > 0 && !types.includes('array')) return [...types, 'array'];
  return types;
}

const typesText = (types: readonly string[]): string => (types.length > 1 ? `[${types.join(',')}]` : (types[0] ?? ''));

/** The properties and items of all; their types must be the same. */
function merge(schemas: readonly Subschema[]): Subschema {
  const [first, ...others] = schemas.map((schema) => ({ ...schema, types: [...typesOf(schema)] }));
  if (first === undefined) throw cannotMerge();
  const result = { ...first, properties: new Map(first.properties), items: [...first.items] };
  for (const other of others) {
    const [mine, theirs] = [typesText(result.types), typesText(other.types)];
    if (mine !== theirs) throw cannotMerge(`: type mismatch: ${mine} and ${theirs}`);
    if (result.properties.size > 0) for (const [key, value] of other.properties) result.properties.set(key, value);
    else if (result.items.length > 0) {
      for (const [index, item] of other.items.entries()) {
        const known = result.items[index];
        if (known === undefined) result.items.push(item);
        else if (typesText(known.types) !== typesText(item.types)) throw cannotMerge();
      }
    }
  }
  return result;
}

class SchemaReader {
  private readonly known = new Map<Subschema, Type | 'unfinished'>();

  read(schema: Subschema): Type {
    const { reference } = schema;
    if (reference === undefined) return this.own(schema);
    const known = this.known.get(reference);
    if (known !== undefined) return known === 'unfinished' ? ANY : known;
    this.known.set(reference, 'unfinished');
    const type = this.read(reference);
    this.known.set(reference, type);
    return type;
  }

  private own(schema: Subschema): Type {
    if (schema.anyOf.length > 0) return this.any(schema);
    if (schema.allOf.length > 0) return this.all(schema);
    const types = typesOf(schema);
    if (types.includes('boolean')) return BOOLEAN;
    if (types.includes('string')) return STRING;
    if (types.includes('integer') || types.includes('number')) return NUMBER;
    if (types.includes('object')) return this.object(schema);
    if (types.includes('array')) return this.array(schema);
    return ANY;
  }

  private object({ properties }: Subschema): Type {
    if (properties.size === 0) return objectType([], { key: ANY, value: ANY });
    return objectType([...properties].map(([key, value]) => ({ key, value: this.read(value) })));
  }

  private array({ items, hasSingleItems }: Subschema): Type {
    const [first] = items;
    if (first === undefined) return { kind: 'array', static: [], dynamic: ANY };
    if (hasSingleItems) return { kind: 'array', static: [], dynamic: this.read(first) };
    return { kind: 'array', static: items.map((item) => this.read(item)), dynamic: undefined };
  }

  private any(schema: Subschema): Type {
    let type: MaybeType;
    if (schema.types.length > 0) {
      const core = this.read({ ...schema, anyOf: [] });
      if (core.kind === 'object' && core.dynamic === undefined) type = core;
    }
    for (const each of schema.anyOf) type = or(this.read(each), type);
    return type ?? ANY;
  }

  private all(schema: Subschema): Type {
    const resolved = schema.allOf.map((each) => {
      let target = each;
      while (target.reference !== undefined) target = target.reference;
      return target;
    });
    const parts = resolved.filter(
      ({ types, anyOf, properties, items }) =>
        types.length > 0 || anyOf.length === 0 || properties.size > 0 || items.length > 0,
    );
    if (parts.length === 0) return ANY;
    const merged = merge(parts);
    if (schema.types.length === 0) return this.read(merged);
    const isShared = (kind: string): boolean => schema.types.includes(kind) && merged.types.includes(kind);
    if (isShared('object') || isShared('array')) return this.read(merge([merged, { ...schema, allOf: [] }]));
    if (typesText(schema.types) !== typesText(merged.types)) throw cannotMerge();
    return this.read(merged);
  }
}

function typeOfSchema(schema: Value): Type {
  try {
    return new SchemaReader().read(compileSchema(schema));
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('type checking: ')) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`unable to compile the schema: ${reason}`, { cause: error });
  }
}

/**
 * Schemas by name, as annotations name them (`schema.a.b`); `schema` itself is that of all of `input`. Without any, only schemas written
 * out in annotations count.
 */
export function schemaTypes(schemas?: ReadonlyMap<string, Value>): SchemaTypes {
  const known = new Map<string, Type>();
  return {
    hasNames: schemas !== undefined,
    named: (name) => {
      const schema = schemas?.get(name);
      if (schema === undefined) return undefined;
      const type = known.get(name) ?? typeOfSchema(schema);
      known.set(name, type);
      return type;
    },
    inline: typeOfSchema,
  };
}
