/**
 * The syntax tree of GraphQL documents. Members in upper case are those OPA shows, which are the
 * fields of the Go structs it has them from; members in lower case are found by validation and
 * never shown.
 */
import { isArray, isPlainObject, type Value } from '../../values/index.js';

export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface Comment {
  List: { Value: string }[];
}

interface Located {
  position?: Position;
}

export interface TypeReference extends Located {
  NamedType: string;
  Elem?: TypeReference;
  NonNull: boolean;
}

/** Numbered as OPA shows them. */
export const ValueKind = {
  Variable: 0,
  Int: 1,
  Float: 2,
  String: 3,
  Block: 4,
  Boolean: 5,
  Null: 6,
  Enum: 7,
  List: 8,
  Object: 9,
} as const;

export interface ChildValue extends Located {
  Name: string;
  Value: ValueNode;
  Comment?: Comment;
}

export interface ValueNode extends Located {
  Raw: string;
  Children?: ChildValue[];
  Kind: number;
  Comment?: Comment;
  ExpectedTypeHasDefault: boolean;
  definition?: Definition | undefined;
  variable?: VariableDefinition | undefined;
  expectedType?: TypeReference | undefined;
  expectedTypeHasDefault?: boolean;
}

export interface Argument extends Located {
  Name: string;
  Value: ValueNode;
  Comment?: Comment;
}

export interface Directive extends Located {
  Name: string;
  Arguments?: Argument[];
  Location: string;
  definition?: DirectiveDefinition | undefined;
  location?: string;
}

interface Described extends Located {
  Description: string;
  BeforeDescriptionComment?: Comment;
  AfterDescriptionComment?: Comment;
}

export interface ArgumentDefinition extends Described {
  Name: string;
  DefaultValue?: ValueNode;
  Type: TypeReference;
  Directives?: Directive[];
}

export interface FieldDefinition extends Described {
  Name: string;
  Arguments?: ArgumentDefinition[];
  DefaultValue?: ValueNode;
  Type: TypeReference;
  Directives?: Directive[];
}

export interface EnumValueDefinition extends Described {
  Name: string;
  Directives?: Directive[];
}

export type Kind = 'SCALAR' | 'OBJECT' | 'INTERFACE' | 'UNION' | 'ENUM' | 'INPUT_OBJECT';

export interface Definition extends Described {
  Kind: Kind;
  Name: string;
  Directives?: Directive[];
  Interfaces?: string[];
  Fields?: FieldDefinition[];
  Types?: string[];
  EnumValues?: EnumValueDefinition[];
  BuiltIn: boolean;
  EndOfDefinitionComment?: Comment;
  typePositions?: Position[];
}

export interface DirectiveDefinition extends Described {
  Name: string;
  Arguments?: ArgumentDefinition[];
  Locations?: string[];
  IsRepeatable: boolean;
}

export interface OperationType extends Located {
  Operation: string;
  Type: string;
  Comment?: Comment;
}

export interface SchemaDefinition extends Described {
  Directives?: Directive[];
  OperationTypes?: OperationType[];
  EndOfDefinitionComment?: Comment;
}

export interface SchemaDocument {
  Schema?: SchemaDefinition[];
  SchemaExtension?: SchemaDefinition[];
  Directives?: DirectiveDefinition[];
  Definitions?: Definition[];
  Extensions?: Definition[];
  Comment?: Comment;
}

export interface VariableDefinition extends Located {
  Variable: string;
  Type: TypeReference;
  DefaultValue?: ValueNode;
  Directives?: Directive[];
  Comment?: Comment;
  Used: boolean;
  definition?: Definition | undefined;
  isUsed?: boolean;
}

export interface Field extends Located {
  Alias: string;
  Name: string;
  Arguments?: Argument[];
  Directives?: Directive[];
  SelectionSet?: Selection[];
  Comment?: Comment;
  definition?: FieldDefinition | undefined;
  parent?: Definition | undefined;
}

export interface FragmentSpread extends Located {
  Name: string;
  Directives?: Directive[];
  Comment?: Comment;
  definition?: FragmentDefinition | undefined;
  parent?: Definition | undefined;
}

export interface InlineFragment extends Located {
  TypeCondition: string;
  Directives?: Directive[];
  SelectionSet?: Selection[];
  Comment?: Comment;
  parent?: Definition | undefined;
}

export type Selection = Field | FragmentSpread | InlineFragment;

export interface FragmentDefinition extends Located {
  Name: string;
  VariableDefinition?: VariableDefinition[];
  TypeCondition: string;
  Directives?: Directive[];
  SelectionSet?: Selection[];
  Comment?: Comment;
  definition?: Definition | undefined;
}

export interface OperationDefinition extends Located {
  Operation: string;
  Name: string;
  VariableDefinitions?: VariableDefinition[];
  Directives?: Directive[];
  SelectionSet?: Selection[];
  Comment?: Comment;
}

export interface QueryDocument {
  Operations?: OperationDefinition[];
  Fragments?: FragmentDefinition[];
}

/** A document from a tree of values has only fields: OPA's decoder takes every selection for one. */
export const isField = (selection: Selection): selection is Field => 'Alias' in selection;
export const isInlineFragment = (selection: Selection): selection is InlineFragment =>
  !isField(selection) && 'TypeCondition' in selection;
export const isSpread = (selection: Selection): selection is FragmentSpread =>
  !isField(selection) && !('TypeCondition' in selection);

function pruned(value: unknown): Value | undefined {
  if (Array.isArray(value)) {
    const items = value.map(pruned).filter((item) => item !== undefined);
    return items.length === 0 ? undefined : (items as readonly Value[]);
  }
  if (typeof value !== 'object' || value === null) return value === null ? undefined : (value as Value);
  const out: Record<string, Value> = {};
  for (const [key, member] of Object.entries(value)) {
    if (!/^[A-Z]/.test(key) || key === 'Position') continue;
    const shown = pruned(member);
    if (shown !== undefined) out[key] = shown;
  }
  return Object.keys(out).length === 0 ? undefined : out;
}

/** A document, or the tree a policy gives for one, as OPA shows it: without empty members and positions. */
export function toValue(document: QueryDocument | SchemaDocument | Value): Value {
  return pruned(document) ?? {};
}

const SELECTION_PARENTS = new Set(['SelectionSet']);

/** The members Go gives a zero value when they are absent, by the name of the list they are in. */
function withDefaults(node: Record<string, unknown>, role: string): Record<string, unknown> {
  if (SELECTION_PARENTS.has(role)) return { Alias: '', Name: '', ...node };
  if (role === 'Type' || role === 'Elem') return { NamedType: '', NonNull: false, ...node };
  return { Name: '', ...node };
}

function copy(value: Value, role: string): unknown {
  if (isArray(value)) return value.map((item) => copy(item, role));
  if (!isPlainObject(value)) return value;
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    if (value[key] !== null) out[key] = copy(value[key] as Value, key);
  }
  return withDefaults(out, role);
}

/** A document of a tree that a policy made; it may be changed without changing the policy's. */
export function fromValue<T extends QueryDocument | SchemaDocument>(value: Value): T {
  return copy(value, '') as T;
}

export function typeName(type: TypeReference): string {
  let inner = type;
  while (inner.NamedType === '' && inner.Elem !== undefined) inner = inner.Elem;
  return inner.NamedType;
}

export function showType(type: TypeReference): string {
  const bang = type.NonNull ? '!' : '';
  if (type.NamedType !== '' || type.Elem === undefined) return type.NamedType + bang;
  return `[${showType(type.Elem)}]${bang}`;
}

export const namedType = (NamedType: string, NonNull = false): TypeReference => ({ NamedType, NonNull });

/** Finds by name in a list that may be absent. */
export function byName<T extends { Name: string }>(list: readonly T[] | undefined, name: string): T | undefined {
  return list?.find((item) => item.Name === name);
}
