/** A compiled JSON Schema, as drafts 4, 6 and 7 have it. */
import type { NumberValue } from '../../values/index.js';
import type { Regex } from '../regex/regex.js';

/** Which draft a schema follows; without `$schema` it may mix them. */
export type Draft = 4 | 6 | 7 | 'hybrid';

export const TYPES = ['array', 'boolean', 'integer', 'number', 'null', 'object', 'string'] as const;

/** The keywords that apply to one place. Absent keywords are undefined. */
export interface Subschema {
  /** A boolean schema: everything or nothing. */
  pass?: boolean;
  /** Stands for another schema; its own keywords do not count then. */
  reference?: Subschema;
  types: string[];
  properties: Map<string, Subschema>;
  additionalProperties?: boolean | Subschema;
  patternProperties: Map<string, { readonly pattern: Regex; readonly schema: Subschema }>;
  propertyNames?: Subschema;
  dependencies: Map<string, readonly string[] | Subschema>;
  items: Subschema[];
  hasSingleItems: boolean;
  additionalItems?: boolean | Subschema;
  contains?: Subschema;
  multipleOf?: NumberValue;
  minimum?: NumberValue;
  maximum?: NumberValue;
  exclusiveMinimum?: NumberValue;
  exclusiveMaximum?: NumberValue;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  maxProperties?: number;
  pattern?: { readonly source: string; readonly regex: Regex };
  format?: string;
  required: string[];
  uniqueItems: boolean;
  /** JSON texts. */
  constant?: string;
  enumeration?: readonly string[];
  oneOf: Subschema[];
  anyOf: Subschema[];
  allOf: Subschema[];
  not?: Subschema;
  condition?: Subschema;
  consequence?: Subschema;
  alternative?: Subschema;
}

export function emptySubschema(): Subschema {
  return {
    types: [],
    properties: new Map(),
    patternProperties: new Map(),
    dependencies: new Map(),
    items: [],
    hasSingleItems: false,
    required: [],
    uniqueItems: false,
    oneOf: [],
    anyOf: [],
    allOf: [],
  };
}

/** A schema that is not one; worded as gojsonschema words it. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError';
}
