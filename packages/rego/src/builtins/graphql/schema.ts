/** Makes a schema of a document and checks it, with gqlparser's errors in gqlparser's order. */

import { quote } from '../../values/index.js';
import {
  type ArgumentDefinition,
  byName,
  type Definition,
  type Directive,
  type DirectiveDefinition,
  namedType,
  type Position,
  type SchemaDefinition,
  type SchemaDocument,
  showType,
  type TypeReference,
  typeName,
  ValueKind,
} from './ast.js';
import { checkImplements } from './interfaces.js';
import { PRELUDE } from './prelude.js';
import { parseSchema } from './schema-parser.js';
import { GraphqlError } from './token-reader.js';

/** Types and directives by name, and which types an abstract type may be. */
export interface Schema {
  readonly types: Map<string, Definition>;
  readonly directives: Map<string, DirectiveDefinition>;
  readonly possibleTypes: Map<string, Definition[]>;
  query?: Definition;
  mutation?: Definition;
  subscription?: Definition;
}

const REDEFINABLE = ['include', 'skip', 'deprecated', 'specifiedBy', 'defer', 'oneOf'];

export const isInputType = (kind: string): boolean => kind === 'SCALAR' || kind === 'ENUM' || kind === 'INPUT_OBJECT';
export const isComposite = (kind: string): boolean => kind === 'OBJECT' || kind === 'INTERFACE' || kind === 'UNION';

/** The types a type may be at run time. */
export function possibleTypesOf(schema: Schema, type: Definition): readonly Definition[] {
  return schema.possibleTypes.get(type.Name) ?? [];
}

class SchemaBuilder {
  private readonly schema: Schema = { types: new Map(), directives: new Map(), possibleTypes: new Map() };

  build(document: SchemaDocument): Schema {
    const definitions = this.collectTypes(document);
    for (const definition of definitions) this.addPossibleTypes(definition);
    this.collectDirectives(document.Directives ?? []);
    const entries = document.Schema ?? [];
    if (entries[1] !== undefined) {
      throw new GraphqlError(
        'Cannot have multiple schema entry points, consider schema extensions instead.',
        entries[1].position,
      );
    }
    for (const entry of [...entries, ...(document.SchemaExtension ?? [])]) this.readEntryPoints(entry);
    this.check();
    if (entries.length === 0) this.findEntryPoints();
    this.addIntrospection();
    return this.schema;
  }

  private collectTypes(document: SchemaDocument): readonly Definition[] {
    const { types } = this.schema;
    for (const definition of document.Definitions ?? []) {
      if (types.has(definition.Name)) {
        throw new GraphqlError(`Cannot redeclare type ${definition.Name}.`, definition.position);
      }
      types.set(definition.Name, definition);
    }
    for (const extension of document.Extensions ?? []) this.extend(extension);
    return [...types.values()];
  }

  private extend(extension: Definition): void {
    const { Kind, Name } = extension;
    let base = this.schema.types.get(Name);
    if (base === undefined) {
      base = { Kind, Name, Description: '', BuiltIn: false };
      if (extension.position !== undefined) base.position = extension.position;
      this.schema.types.set(Name, base);
    }
    if (base.Kind !== Kind) {
      const reason = `because the base type is a ${base.Kind}, not ${Kind}.`;
      throw new GraphqlError(`Cannot extend type ${Name} ${reason}`, extension.position);
    }
    base.Directives = [...(base.Directives ?? []), ...(extension.Directives ?? [])];
    base.Interfaces = [...(base.Interfaces ?? []), ...(extension.Interfaces ?? [])];
    base.Fields = [...(base.Fields ?? []), ...(extension.Fields ?? [])];
    base.Types = [...(base.Types ?? []), ...(extension.Types ?? [])];
    base.typePositions = [...(base.typePositions ?? []), ...(extension.typePositions ?? [])];
    base.EnumValues = [...(base.EnumValues ?? []), ...(extension.EnumValues ?? [])];
  }

  private addPossibleTypes(definition: Definition): void {
    const add = (name: string, type: Definition | undefined): void => {
      if (type === undefined) return;
      const known = this.schema.possibleTypes.get(name);
      if (known === undefined) this.schema.possibleTypes.set(name, [type]);
      else known.push(type);
    };
    if (definition.Kind === 'UNION') {
      for (const name of definition.Types ?? []) add(definition.Name, this.schema.types.get(name));
    }
    if (!['INPUT_OBJECT', 'OBJECT', 'INTERFACE'].includes(definition.Kind)) return;
    for (const name of definition.Interfaces ?? []) add(name, definition);
    if (definition.Kind !== 'INTERFACE') add(definition.Name, definition);
  }

  private collectDirectives(directives: readonly DirectiveDefinition[]): void {
    for (const directive of directives) {
      if (this.schema.directives.has(directive.Name) && !REDEFINABLE.includes(directive.Name)) {
        throw new GraphqlError(`Cannot redeclare directive ${directive.Name}.`, directive.position);
      }
      this.schema.directives.set(directive.Name, directive);
    }
  }

  private readEntryPoints(entry: SchemaDefinition): void {
    for (const { Operation, Type, position } of entry.OperationTypes ?? []) {
      const type = this.schema.types.get(Type);
      if (type === undefined) {
        throw new GraphqlError(`Schema root ${Operation} refers to a type ${Type} that does not exist.`, position);
      }
      this.schema[Operation as 'query' | 'mutation' | 'subscription'] = type;
    }
    this.checkDirectives(entry.Directives, { location: 'SCHEMA', isSingle: true });
  }

  private findEntryPoints(): void {
    for (const name of ['Query', 'Mutation', 'Subscription']) {
      const type = this.schema.types.get(name);
      const key = name.toLowerCase() as 'query' | 'mutation' | 'subscription';
      if (type !== undefined) this.schema[key] ??= type;
    }
  }

  private addIntrospection(): void {
    const { query } = this.schema;
    if (query === undefined) return;
    const name: ArgumentDefinition = { Description: '', Name: 'name', Type: namedType('String', true) };
    query.Fields = [
      ...(query.Fields ?? []),
      { Description: '', Name: '__schema', Type: namedType('__Schema', true) },
      { Description: '', Name: '__type', Type: namedType('__Type'), Arguments: [name] },
    ];
  }

  private check(): void {
    const sorted = [...this.schema.types.values()].sort((a, b) => (a.Name < b.Name ? -1 : 1));
    for (const definition of sorted) this.checkDefinition(definition);
    for (const definition of sorted) this.checkCycles(definition, []);
    const directives = [...this.schema.directives.values()].sort((a, b) => (a.Name < b.Name ? -1 : 1));
    for (const directive of directives) {
      this.checkName(directive.Name, directive.position);
      this.checkArguments(directive.Arguments, directive);
    }
  }

  private checkName(name: string, position: Position | undefined): void {
    if (!name.startsWith('__')) return;
    throw new GraphqlError(
      `Name "${name}" must not begin with "__", which is reserved by GraphQL introspection.`,
      position,
    );
  }

  private checkType(type: TypeReference): void {
    if (!this.schema.types.has(typeName(type))) {
      throw new GraphqlError(`Undefined type ${typeName(type)}.`, type.position);
    }
  }

  private checkArguments(args: readonly ArgumentDefinition[] | undefined, directive?: DirectiveDefinition): void {
    for (const arg of args ?? []) {
      this.checkName(arg.Name, arg.position);
      this.checkType(arg.Type);
      const { Kind } = this.schema.types.get(typeName(arg.Type)) as Definition;
      if (!isInputType(Kind)) {
        const reason = `because ${Kind} is not a valid input type`;
        throw new GraphqlError(`cannot use ${showType(arg.Type)} as argument ${arg.Name} ${reason}`, arg.position);
      }
      const options = { location: 'ARGUMENT_DEFINITION', isSingle: true };
      this.checkDirectives(arg.Directives, directive === undefined ? options : { ...options, within: directive.Name });
    }
  }

  private checkDirectives(
    directives: readonly Directive[] | undefined,
    { location, within, isSingle }: { location: string; within?: string; isSingle: boolean },
  ): void {
    const seen = new Set<string>();
    for (const directive of directives ?? []) {
      const { Name, position } = directive;
      this.checkName(Name, position);
      if (Name === within) throw new GraphqlError(`Directive ${within} cannot refer to itself.`, position);
      const definition = this.schema.directives.get(Name);
      if (definition === undefined) throw new GraphqlError(`Undefined directive ${Name}.`, position);
      if (isSingle && seen.has(Name) && !definition.IsRepeatable) {
        throw new GraphqlError(`The directive ${Name} can only be used once at this location.`, position);
      }
      seen.add(Name);
      if (!definition.Locations?.includes(location)) {
        throw new GraphqlError(`Directive ${Name} is not applicable on ${location}.`, position);
      }
      this.checkDirectiveArguments(directive, definition);
    }
  }

  private checkDirectiveArguments(directive: Directive, definition: DirectiveDefinition): void {
    for (const arg of directive.Arguments ?? []) {
      if (byName(definition.Arguments, arg.Name) === undefined) {
        throw new GraphqlError(`Undefined argument ${arg.Name} for directive ${directive.Name}.`, arg.position);
      }
    }
    for (const wanted of definition.Arguments ?? []) {
      if (!wanted.Type.NonNull || wanted.DefaultValue !== undefined) continue;
      const given = byName(directive.Arguments, wanted.Name);
      if (given === undefined || given.Value.Kind === ValueKind.Null) {
        throw new GraphqlError(
          `Argument ${wanted.Name} for directive ${directive.Name} cannot be null.`,
          directive.position,
        );
      }
    }
  }

  private checkDefinition(definition: Definition): void {
    this.checkFields(definition);
    this.checkMembers(definition);
    for (const name of definition.Interfaces ?? []) checkImplements(this.schema, definition, name);
    this.checkBody(definition);
    this.checkUnique(definition);
    if (!definition.BuiltIn) this.checkName(definition.Name, definition.position);
    this.checkDirectives(definition.Directives, { location: definition.Kind, isSingle: false });
  }

  private checkFields({ Fields = [], Kind }: Definition): void {
    const location = Kind === 'INPUT_OBJECT' ? 'INPUT_FIELD_DEFINITION' : 'FIELD_DEFINITION';
    for (const field of Fields) {
      this.checkName(field.Name, field.position);
      this.checkType(field.Type);
      this.checkArguments(field.Arguments);
      this.checkDirectives(field.Directives, { location, isSingle: true });
    }
  }

  private checkMembers(definition: Definition): void {
    for (const name of definition.Types ?? []) {
      const member = this.schema.types.get(name);
      if (member === undefined) throw new GraphqlError(`Undefined type ${quote(name)}.`, definition.position);
      if (member.Kind !== 'OBJECT') {
        throw new GraphqlError(`${definition.Kind} type ${quote(name)} must be OBJECT.`, definition.position);
      }
    }
  }

  private checkBody(definition: Definition): void {
    const { Kind, Name, Fields = [], EnumValues = [], position } = definition;
    if (Kind === 'OBJECT' || Kind === 'INTERFACE') {
      if (Fields.length === 0) throw new GraphqlError(`${Kind} ${Name}: must define one or more fields.`, position);
      for (const field of Fields) {
        const type = this.schema.types.get(typeName(field.Type));
        if (type?.Kind !== 'INPUT_OBJECT') continue;
        const kinds = 'SCALAR, OBJECT, INTERFACE, UNION, ENUM';
        throw new GraphqlError(`${Kind} ${Name}: field must be one of ${kinds}.`, field.position);
      }
    } else if (Kind === 'ENUM') {
      if (EnumValues.length === 0)
        throw new GraphqlError(`${Kind} ${Name}: must define one or more unique enum values.`, position);
      for (const value of EnumValues) {
        if (['true', 'false', 'null'].includes(value.Name)) {
          throw new GraphqlError(`${Kind} ${Name}: non-enum value ${value.Name}.`, position);
        }
        this.checkDirectives(value.Directives, { location: 'ENUM_VALUE', isSingle: true });
      }
    } else if (Kind === 'INPUT_OBJECT') {
      if (Fields.length === 0)
        throw new GraphqlError(`${Kind} ${Name}: must define one or more input fields.`, position);
      for (const field of Fields) {
        const type = this.schema.types.get(typeName(field.Type));
        if (type === undefined || isInputType(type.Kind)) continue;
        throw new GraphqlError(
          `${type.Kind} ${field.Name}: field must be one of SCALAR, ENUM, INPUT_OBJECT.`,
          field.position,
        );
      }
    }
  }

  private checkUnique(definition: Definition): void {
    const { Name, Fields = [], EnumValues = [], Types = [], typePositions = [] } = definition;
    const again = <T extends { Name: string }>(list: readonly T[]): T | undefined =>
      list.find((item, i) => list.findIndex((other) => other.Name === item.Name) < i);
    const field = again(Fields);
    if (field !== undefined)
      throw new GraphqlError(`Field ${Name}.${field.Name} can only be defined once.`, field.position);
    const value = again(EnumValues);
    if (value !== undefined)
      throw new GraphqlError(`Enum value ${Name}.${value.Name} can only be defined once.`, value.position);
    const at = Types.findIndex((type, i) => Types.indexOf(type) < i);
    if (at >= 0) {
      const position = typePositions[at] ?? definition.position;
      throw new GraphqlError(`Union type ${Name} can only include type ${Types[at]} once.`, position);
    }
  }

  private readonly cycleFree = new Set<string>();

  /** Input objects must not need themselves. */
  private checkCycles(
    definition: Definition,
    path: readonly { type: string; field: string; position: Position | undefined }[],
  ): void {
    if (definition.Kind !== 'INPUT_OBJECT' || this.cycleFree.has(definition.Name)) return;
    for (const field of definition.Fields ?? []) {
      if (!field.Type.NonNull || field.Type.NamedType === '') continue;
      const type = this.schema.types.get(field.Type.NamedType);
      if (type?.Kind !== 'INPUT_OBJECT') continue;
      const longer = [...path, { type: definition.Name, field: field.Name, position: field.position }];
      const start = longer.findIndex((step) => step.type === type.Name);
      if (start >= 0) {
        const cycle = longer.slice(start);
        const names = cycle.map((step) => step.field).join('.');
        const reason = `through a series of non-null fields: ${quote(names)}.`;
        throw new GraphqlError(
          `Cannot reference Input Object ${quote(type.Name)} within itself ${reason}`,
          cycle[0]?.position,
        );
      }
      this.checkCycles(type, longer);
    }
    this.cycleFree.add(definition.Name);
  }
}

/** The schema of a document, with what every schema has. Changes the document. Errors: `GraphqlError`. */
export function buildSchema(document: SchemaDocument): Schema {
  const prelude = parseSchema(PRELUDE);
  for (const definition of prelude.Definitions ?? []) definition.BuiltIn = true;
  return new SchemaBuilder().build({
    Schema: document.Schema ?? [],
    SchemaExtension: document.SchemaExtension ?? [],
    Directives: [...(prelude.Directives ?? []), ...(document.Directives ?? [])],
    Definitions: [...(prelude.Definitions ?? []), ...(document.Definitions ?? [])],
    Extensions: document.Extensions ?? [],
  });
}
