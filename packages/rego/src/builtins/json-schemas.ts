/** JSON Schema: whether a schema is one, and whether a document fits it. */
import { isArray, isObject, JsonError, parseJson, toJsonValue, type Value } from '../values/index.js';
import { type Builtin, family } from './builtin.js';
import { BuiltinFailure, fail } from './errors.js';
import { operand } from './operands.js';
import { compileSchema } from './schema/compile.js';
import { SchemaError, type Subschema } from './schema/subschema.js';
import { validateSchema } from './schema/validate.js';
import { any, anyOf, array, boolean, nothing, object, record, string, tuple } from './type-decl.js';

/** A document given as a value or as JSON text. */
function load(value: Value): Value {
  if (isObject(value) || isArray(value)) return toJsonValue(value);
  if (typeof value !== 'string') return fail('wrong type, expected string or object');
  try {
    return parseJson(value);
  } catch (error) {
    if (error instanceof JsonError) return fail('invalid JSON string');
    throw error;
  }
}

const cache = new WeakMap<object, Subschema>();

function compile(value: Value): Subschema {
  const isCached = typeof value === 'object' && value !== null;
  const known = isCached ? cache.get(value) : undefined;
  if (known !== undefined) return known;
  try {
    const schema = compileSchema(load(value));
    if (isCached) cache.set(value, schema);
    return schema;
  } catch (error) {
    if (error instanceof SchemaError) return fail(error.message);
    throw error;
  }
}

function verify(value: Value): Value {
  try {
    compile(value);
    return [true, null];
  } catch (error) {
    if (error instanceof BuiltinFailure) return [false, `jsonschema: ${error.message}`];
    throw error;
  }
}

function match(document: Value, schema: Value): Value {
  const loaded = load(document);
  const violations = validateSchema(compile(schema), loaded);
  const errors = violations.map(({ type, field, description }) => ({
    error: `${field}: ${description}`,
    type,
    field,
    desc: description,
  }));
  return [errors.length === 0, errors];
}

const schemaType = anyOf(string, object(any, any));
const errorType = record({ desc: string, error: string, field: string, type: string });

export const jsonSchemaBuiltins: readonly Builtin[] = family('object', {
  'json.verify_schema': {
    about: 'Whether a value is a JSON Schema, with the reason if not.',
    nondeterministic: true,
    args: { schema: schemaType },
    result: { output: tuple(boolean, anyOf(nothing, string)) },
    evaluate: (args) => verify(operand(args, 1)),
  },
  'json.match_schema': {
    about: 'Whether a document fits a JSON Schema, with the errors if not.',
    nondeterministic: true,
    args: { document: schemaType, schema: schemaType },
    result: { output: tuple(boolean, array(errorType)) },
    evaluate: (args) => match(operand(args, 1), operand(args, 2)),
  },
});
