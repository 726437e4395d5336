/** Whether a type has what the interfaces it implements ask for. */
import { quote } from '../../values/index.js';
import { byName, type Definition, type FieldDefinition, showType, type TypeReference } from './ast.js';
import type { Schema } from './schema.js';
import { GraphqlError } from './token-reader.js';

function isCovariant(schema: Schema, required: TypeReference, actual: TypeReference): boolean {
  if (required.NonNull && !actual.NonNull) return false;
  if (required.NamedType !== '') {
    if (required.NamedType === actual.NamedType) return true;
    return (schema.possibleTypes.get(required.NamedType) ?? []).some(({ Name }) => Name === actual.NamedType);
  }
  if (required.Elem === undefined || actual.Elem === undefined) return false;
  return isCovariant(schema, required.Elem, actual.Elem);
}

/** Whether a value of one type may stand where another is wanted. */
export function isCompatible(type: TypeReference, other: TypeReference): boolean {
  if (type.NamedType !== other.NamedType) return false;
  if (type.Elem !== undefined && (other.Elem === undefined || !isCompatible(type.Elem, other.Elem))) return false;
  return !other.NonNull || type.NonNull;
}

interface Pair {
  readonly subject: string;
  readonly required: FieldDefinition;
  readonly found: FieldDefinition;
}

function checkArguments({ subject, required, found }: Pair): void {
  for (const wanted of required.Arguments ?? []) {
    const given = byName(found.Arguments, wanted.Name);
    const must = `${subject} the field ${required.Name} must have the same arguments but`;
    if (given === undefined) throw new GraphqlError(`${must} it is missing ${wanted.Name}.`, found.position);
    if (!isCompatible(wanted.Type, given.Type)) {
      throw new GraphqlError(`${must} ${wanted.Name} has the wrong type.`, given.position);
    }
  }
  for (const given of found.Arguments ?? []) {
    if (byName(required.Arguments, given.Name) !== undefined) continue;
    if (!given.Type.NonNull || given.DefaultValue !== undefined) continue;
    const must = `any additional arguments on ${found.Name} must be optional or have a default value`;
    throw new GraphqlError(`${subject} ${must} but ${given.Name} is required.`, given.position);
  }
}

/** Errors: `GraphqlError`. */
export function checkImplements(schema: Schema, definition: Definition, name: string): void {
  const { position } = definition;
  const type = schema.types.get(name);
  if (type === undefined) throw new GraphqlError(`Undefined type ${quote(name)}.`, position);
  if (type.Kind !== 'INTERFACE') {
    throw new GraphqlError(`${quote(name)} is a non interface type ${type.Kind}.`, position);
  }
  const subject = `For ${definition.Name} to implement ${name}`;
  for (const required of type.Fields ?? []) {
    const found = byName(definition.Fields, required.Name);
    if (found === undefined)
      throw new GraphqlError(`${subject} it must have a field called ${required.Name}.`, position);
    if (!isCovariant(schema, required.Type, found.Type)) {
      const wanted = showType(required.Type);
      throw new GraphqlError(`${subject} the field ${required.Name} must have type ${wanted}.`, found.position);
    }
    checkArguments({ subject, required, found });
  }
  for (const ancestor of type.Interfaces ?? []) {
    if (definition.Interfaces?.includes(ancestor)) continue;
    if (ancestor === definition.Name) {
      const reason = 'because it would create a circular reference.';
      throw new GraphqlError(`Type ${definition.Name} cannot implement ${name} ${reason}`, position);
    }
    throw new GraphqlError(
      `Type ${definition.Name} must implement ${ancestor} because it is implemented by ${name}.`,
      position,
    );
  }
}
