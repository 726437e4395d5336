/** GraphQL: parsing queries and schemas, and validating the one against the other. */
import { EMPTY_OBJECT, isObject, type Value } from '../values/index.js';
import { type Builtin, type BuiltinContext, family } from './builtin.js';
import { BuiltinFailure, fail } from './errors.js';
import { fromValue, type QueryDocument, type SchemaDocument, toValue } from './graphql/ast.js';
import { overlappingFieldsCanBeMerged } from './graphql/overlapping-fields.js';
import { parseQuery } from './graphql/query-parser.js';
import { buildSchema, type Schema } from './graphql/schema.js';
import { parseSchema } from './graphql/schema-parser.js';
import { selectionRules } from './graphql/selection-rules.js';
import { GraphqlError } from './graphql/token-reader.js';
import { valueRules } from './graphql/value-rules.js';
import { type Violation, Walker } from './graphql/walk.js';
import { operand, stringOperand, typeError } from './operands.js';
import { any, anyOf, boolean, object, string, tuple } from './type-decl.js';

/** Where an error is, as OPA words it. */
function located({ message, position }: Violation): string {
  if (position === undefined) return `GraphQL parse error: input: ${message}`;
  return `${message} in GraphQL string at location ${position.line}:${position.column}`;
}

function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof GraphqlError) return fail(located(error));
    throw error;
  }
}

function schemaOf(document: SchemaDocument): Schema {
  try {
    return buildSchema(document);
  } catch (error) {
    if (!(error instanceof GraphqlError)) throw error;
    const place = error.position === undefined ? '' : `:${error.position.line}:${error.position.column}`;
    return fail(`Error in gqlparser SchemaDocument to Schema conversion: input${place}: ${error.message}`);
  }
}

/** The rules by name; gqlparser runs them in that order. */
const RULES = Object.entries({
  ...selectionRules,
  ...valueRules,
  OverlappingFieldsCanBeMerged: overlappingFieldsCanBeMerged,
}).sort(([a], [b]) => (a < b ? -1 : 1));

function validate(schema: Schema, document: QueryDocument, context: BuiltinContext): void {
  const rules = RULES.map(([, make]) => make());
  const walker = new Walker(schema, document, { rules, charge: (steps) => context.charge(steps) });
  walker.walk();
  const [first, ...others] = walker.violations;
  if (first === undefined) return;
  const rest = others.map(({ message, position }) => `input:${position?.line}:${position?.column}: ${message}`);
  const message = [first.message, ...rest].join('\n').replace(/\.$/, '');
  fail(located({ message, position: first.position }));
}

/** A document given as text or as the tree an earlier call made of it. */
function queryOf(value: Value, position: number): QueryDocument {
  if (typeof value === 'string') return reading(() => parseQuery(value));
  if (isObject(value)) return fromValue<QueryDocument>(value);
  throw typeError(position, value, 'string', 'object');
}

function schemaDocumentOf(value: Value, position: number): SchemaDocument {
  if (typeof value === 'string') return reading(() => parseSchema(value));
  if (isObject(value)) return fromValue<SchemaDocument>(value);
  throw typeError(position, value, 'string', 'object');
}

interface Checked {
  readonly query: Value;
  readonly schema: Value;
}

interface CompiledSchema {
  readonly schema: Schema;
  readonly value: Value;
}

const CACHE_SIZE = 10;
const cache = new Map<Value, CompiledSchema>();

/** The schema of a document; kept for the next call with the same text or tree. */
function compiledSchema(source: Value): CompiledSchema {
  const known = cache.get(source);
  if (known !== undefined) return known;
  const document = schemaDocumentOf(source, 1);
  const value = toValue(typeof source === 'string' ? document : source);
  const made = { schema: schemaOf(document), value };
  if (cache.size >= CACHE_SIZE) cache.delete(cache.keys().next().value as Value);
  cache.set(source, made);
  return made;
}

function check(args: readonly Value[], context: BuiltinContext): Checked {
  const source = operand(args, 1);
  const document = queryOf(source, 0);
  const query = toValue(typeof source === 'string' ? document : source);
  const { schema, value } = compiledSchema(operand(args, 2));
  validate(schema, document, context);
  return { query, schema: value };
}

/** Undefined where the arguments are no valid documents. */
function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof BuiltinFailure) return undefined;
    throw error;
  }
}

const isDocument = (value: Value): boolean => typeof value === 'string' || isObject(value);
const documentType = anyOf(string, object(any, any));
const UNVERIFIED: Value = [false, EMPTY_OBJECT, EMPTY_OBJECT];

export const graphqlBuiltins: readonly Builtin[] = family('graphql', {
  'graphql.parse': {
    about: 'The syntax trees of a query and of the schema it must be valid for.',
    args: { query: documentType, schema: documentType },
    result: { output: tuple(object(any, any), object(any, any)) },
    evaluate(args, context) {
      const { query, schema } = check(args, context);
      return [query, schema];
    },
  },
  'graphql.parse_and_verify': {
    about: 'Whether a query is valid for a schema, with the syntax trees of both if so.',
    args: { query: documentType, schema: documentType },
    result: { output: tuple(boolean, object(any, any), object(any, any)) },
    evaluate(args, context) {
      if (!isDocument(operand(args, 1)) || !isDocument(operand(args, 2))) return UNVERIFIED;
      const checked = attempt(() => check(args, context));
      return checked === undefined ? UNVERIFIED : [true, checked.query, checked.schema];
    },
  },
  'graphql.parse_query': {
    about: 'The syntax tree of a query.',
    args: { query: string },
    result: { output: object(any, any) },
    evaluate(args) {
      const text = stringOperand(args, 1);
      return reading(() => toValue(parseQuery(text)));
    },
  },
  'graphql.parse_schema': {
    about: 'The syntax tree of a schema.',
    args: { schema: string },
    result: { output: object(any, any) },
    evaluate(args) {
      const text = stringOperand(args, 1);
      return reading(() => toValue(parseSchema(text)));
    },
  },
  'graphql.is_valid': {
    about: 'Whether a query is valid for a schema.',
    args: { query: documentType, schema: documentType },
    result: { output: boolean },
    evaluate(args, context) {
      if (!isDocument(operand(args, 1)) || !isDocument(operand(args, 2))) return false;
      return attempt(() => check(args, context)) !== undefined;
    },
  },
  'graphql.schema_is_valid': {
    about: 'Whether a schema is valid.',
    args: { schema: documentType },
    result: { output: boolean },
    evaluate(args) {
      const source = operand(args, 1);
      return isDocument(source) && attempt(() => compiledSchema(source)) !== undefined;
    },
  },
});
