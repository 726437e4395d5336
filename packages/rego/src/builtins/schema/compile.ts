/**
 * Compiles JSON Schemas (drafts 4, 6, 7) with the checks and the words of gojsonschema. Keywords
 * are a table in the order they are looked at; references are resolved within the document, and
 * never over the network.
 */
import {
  compareNumbers,
  get,
  hasKey,
  isArray,
  isInteger,
  isNumber,
  isObject,
  type NumberValue,
  type ObjectValue,
  sortedKeys,
  stringifyJson,
  toInteger,
  type Value,
} from '../../values/index.js';
import { compileRegex, type Regex, RegexError } from '../regex/regex.js';
import { type Draft, emptySubschema, SchemaError, type Subschema, TYPES } from './subschema.js';

const MAX_DEPTH = 500;

const wrongType = (expected: string, given: string): SchemaError =>
  new SchemaError(`Invalid type. Expected: ${expected}, given: ${given}`);

interface Scope {
  readonly draft: Draft;
  /** The URI that references are relative to, without a fragment. */
  readonly base: string;
}

const isAtLeast = (draft: Draft, wanted: 6 | 7): boolean => draft === 'hybrid' || draft >= wanted;

const DRAFTS: ReadonlyMap<string, Draft> = new Map<string, Draft>([
  ['http://json-schema.org/draft-04/schema', 4],
  ['http://json-schema.org/draft-06/schema', 6],
  ['http://json-schema.org/draft-07/schema', 7],
]);

const withoutFragment = (uri: string): string => uri.split('#')[0] as string;

/** A reference against a base; enough of RFC 3986 for identifiers in schemas. */
function resolveUri(base: string, reference: string): string {
  if (/^[a-z][a-z0-9+.-]*:/i.test(reference) || base === '') return reference;
  if (reference.startsWith('#')) return base + reference;
  const origin = /^[a-z][a-z0-9+.-]*:\/\/[^/]*/i.exec(base)?.[0] ?? '';
  if (reference.startsWith('/')) return origin + reference;
  return base.slice(0, base.lastIndexOf('/') + 1) + reference;
}

function compilePattern(source: string, message: string): Regex {
  try {
    return compileRegex(source);
  } catch (error) {
    if (error instanceof RegexError) throw new SchemaError(message);
    throw error;
  }
}

type Bound = 'minLength' | 'maxLength' | 'minItems' | 'maxItems' | 'minProperties' | 'maxProperties';
type Nested = 'propertyNames' | 'contains' | 'not' | 'condition' | 'consequence' | 'alternative';

interface Site {
  readonly source: ObjectValue;
  readonly schema: Subschema;
  readonly scope: Scope;
}

class SchemaCompiler {
  private readonly root: Value;
  /** Documents and embedded schemas by their URI. */
  private readonly documents = new Map<string, Value>();
  private readonly references = new Map<string, Subschema>();
  private depth = 0;

  constructor(root: Value) {
    this.root = root;
  }

  compile(): Subschema {
    if (typeof this.root !== 'boolean' && !isObject(this.root)) throw new SchemaError('schema is invalid');
    const draft = this.draftOf(this.root);
    const id = isObject(this.root) ? (get(this.root, '$id') ?? get(this.root, 'id')) : undefined;
    const base = typeof id === 'string' ? withoutFragment(id) : '';
    this.documents.set(base, this.root);
    this.collectIds(this.root, base, 0);
    return this.subschema(this.root, { draft, base: '' });
  }

  private draftOf(root: Value): Draft {
    const uri = isObject(root) ? get(root, '$schema') : undefined;
    if (uri === undefined) return 'hybrid';
    if (typeof uri !== 'string') throw wrongType('string', '$schema');
    return DRAFTS.get(withoutFragment(uri)) ?? 'hybrid';
  }

  private collectIds(value: Value, base: string, depth: number): void {
    if (depth > MAX_DEPTH) throw new SchemaError('the schema is nested too deeply');
    if (isArray(value)) for (const item of value) this.collectIds(item, base, depth + 1);
    if (!isObject(value)) return;
    const id = get(value, '$id') ?? get(value, 'id');
    const own = typeof id === 'string' ? resolveUri(base, id) : base;
    if (typeof id === 'string' && !this.documents.has(own)) this.documents.set(own, value);
    for (const key of sortedKeys(value)) {
      if (key !== 'enum' && key !== 'const') this.collectIds(get(value, key) as Value, withoutFragment(own), depth + 1);
    }
  }

  private subschema(source: Value, outer: Scope): Subschema {
    const schema = emptySubschema();
    this.fill(schema, source, outer);
    return schema;
  }

  private fill(schema: Subschema, source: Value, outer: Scope): void {
    if (typeof source === 'boolean' && isAtLeast(outer.draft, 6)) {
      schema.pass = source;
      return;
    }
    if (!isObject(source)) throw new SchemaError('Expected: Valid Schema, given: Invalid JSON');
    this.depth++;
    if (this.depth > MAX_DEPTH) throw new SchemaError('the schema is nested too deeply');
    const idKey = outer.draft === 4 || (outer.draft === 'hybrid' && hasKey(source, 'id')) ? 'id' : '$id';
    const id = this.text(source, idKey);
    const scope = id === undefined ? outer : { ...outer, base: withoutFragment(resolveUri(outer.base, id)) };
    const site: Site = { source, schema, scope };
    this.checkDefinitions(site);
    this.text(source, 'title');
    this.text(source, 'description');
    const reference = this.text(source, '$ref');
    if (reference === undefined) for (const read of this.keywords) read(site);
    else schema.reference = this.resolve(resolveUri(scope.base, reference), scope);
    this.depth--;
  }

  private text(source: ObjectValue, key: string): string | undefined {
    const value = get(source, key);
    if (value !== undefined && typeof value !== 'string') throw wrongType('string', key);
    return value;
  }

  private list(source: ObjectValue, key: string): readonly Value[] {
    const value = get(source, key);
    if (value === undefined) return [];
    if (!isArray(value)) throw new SchemaError(`${key} must be of an array`);
    return value;
  }

  private checkDefinitions({ source, scope }: Site): void {
    const definitions = get(source, 'definitions');
    if (definitions === undefined) return;
    const wrong = (): SchemaError => wrongType('Array Of Schemas', 'definitions');
    if (!isObject(definitions)) throw wrong();
    for (const key of sortedKeys(definitions)) {
      const definition = get(definitions, key) as Value;
      if (typeof definition !== 'boolean' && !isObject(definition)) throw wrong();
      this.subschema(definition, scope);
    }
  }

  /** The schema a reference names; a schema under construction may be referred to. */
  private resolve(uri: string, scope: Scope): Subschema {
    const known = this.references.get(uri);
    if (known !== undefined) return known;
    const schema = emptySubschema();
    this.references.set(uri, schema);
    const [base = '', fragment = ''] = uri.split('#');
    const whole = this.documents.get(uri);
    const target = whole ?? this.pointer(this.document(base), fragment);
    if (typeof target !== 'boolean' && !isObject(target)) {
      throw new SchemaError('Valid Schema must be of type object');
    }
    this.fill(schema, target, { ...scope, base });
    return schema;
  }

  private document(base: string): Value {
    const found = base === '' ? this.root : this.documents.get(base);
    if (found === undefined) throw new SchemaError(`remote reference loading disabled: ${base}`);
    return found;
  }

  private pointer(document: Value, fragment: string): Value {
    let value: Value = document;
    if (fragment === '') return value;
    for (const part of decodeURIComponent(fragment).replace(/^\//, '').split('/')) {
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
      const next = get(value, isArray(value) ? Number(key) : key);
      if (next === undefined) throw new SchemaError(`Object has no key '${key}'`);
      value = next;
    }
    return value;
  }

  private readonly keywords: readonly ((site: Site) => void)[] = [
    (site) => this.readTypes(site),
    (site) => this.readProperties(site),
    (site) => this.readAdditional(site, 'additionalProperties'),
    (site) => this.readPatternProperties(site),
    (site) => this.readPropertyNames(site),
    (site) => this.readDependencies(site),
    (site) => this.readItems(site),
    (site) => this.readAdditional(site, 'additionalItems'),
    (site) => this.readMultipleOf(site),
    (site) => this.readLimit(site, 'minimum', 'exclusiveMinimum'),
    (site) => this.readLimit(site, 'maximum', 'exclusiveMaximum'),
    (site) => this.readBounds(site, 'minLength', 'maxLength'),
    (site) => this.readPattern(site),
    (site) => this.readBounds(site, 'minProperties', 'maxProperties'),
    (site) => this.readRequired(site),
    (site) => this.readBounds(site, 'minItems', 'maxItems'),
    (site) => this.readUniqueItems(site),
    (site) => this.readContains(site),
    (site) => this.readConstants(site),
    (site) => this.readCombinations(site),
    (site) => this.readNested(site, 'not', 'not'),
    (site) => this.readConditions(site),
  ];

  private readTypes({ source, schema }: Site): void {
    const types = get(source, 'type');
    if (types === undefined) return;
    const names = isArray(types) ? types : [types];
    for (const name of names) {
      if (typeof name !== 'string') throw wrongType('type', 'string/Array Of Strings');
      if (!(TYPES as readonly string[]).includes(name)) {
        const reason = `given: /${name}/ Expected valid values are:[${TYPES.join(' ')}]`;
        throw new SchemaError(`has a primitive type that is NOT VALID -- ${reason}`);
      }
      if (schema.types.includes(name)) throw new SchemaError(`${name} type is duplicated`);
      schema.types.push(name);
    }
  }

  private readProperties({ source, schema, scope }: Site): void {
    const properties = get(source, 'properties');
    if (properties === undefined) return;
    if (!isObject(properties)) throw new SchemaError('Properties must be of type object');
    for (const key of sortedKeys(properties)) {
      schema.properties.set(key as string, this.subschema(get(properties, key) as Value, scope));
    }
  }

  private readAdditional({ source, schema, scope }: Site, key: 'additionalProperties' | 'additionalItems'): void {
    const value = get(source, key);
    if (value === undefined) return;
    if (typeof value !== 'boolean' && !isObject(value)) throw wrongType('boolean/Valid Schema', key);
    schema[key] = typeof value === 'boolean' ? value : this.subschema(value, scope);
  }

  private readPatternProperties({ source, schema, scope }: Site): void {
    const patterns = get(source, 'patternProperties');
    if (patterns === undefined) return;
    if (!isObject(patterns)) throw wrongType('Valid Schema', 'patternProperties');
    for (const key of sortedKeys(patterns) as readonly string[]) {
      const pattern = compilePattern(key, `Invalid regex pattern '${key}'`);
      schema.patternProperties.set(key, { pattern, schema: this.subschema(get(patterns, key) as Value, scope) });
    }
  }

  private readPropertyNames({ source, schema, scope }: Site): void {
    const names = get(source, 'propertyNames');
    if (names === undefined || !isAtLeast(scope.draft, 6)) return;
    if (typeof names !== 'boolean' && !isObject(names)) throw wrongType('Valid Schema', 'patternProperties');
    schema.propertyNames = this.subschema(names, scope);
  }

  private readDependencies({ source, schema, scope }: Site): void {
    const dependencies = get(source, 'dependencies');
    if (dependencies === undefined) return;
    if (!isObject(dependencies)) throw new SchemaError('dependencies must be of type object');
    const wrong = (): SchemaError => new SchemaError('Dependency must be of type Schema Or Array Of Strings');
    for (const key of sortedKeys(dependencies) as readonly string[]) {
      const value = get(dependencies, key) as Value;
      if (isArray(value)) {
        if (!value.every((item) => typeof item === 'string')) throw wrong();
        if (value.length > 0) schema.dependencies.set(key, value as readonly string[]);
      } else if (typeof value === 'boolean' || isObject(value)) {
        schema.dependencies.set(key, this.subschema(value, scope));
      } else throw wrong();
    }
  }

  private readItems({ source, schema, scope }: Site): void {
    const items = get(source, 'items');
    if (items === undefined) return;
    schema.hasSingleItems = !isArray(items);
    for (const item of isArray(items) ? items : [items]) {
      if (typeof item !== 'boolean' && !isObject(item)) throw wrongType('Valid Schema/Array Of Schemas', 'items');
      schema.items.push(this.subschema(item, scope));
    }
  }

  private readMultipleOf({ source, schema }: Site): void {
    const value = get(source, 'multipleOf');
    if (value === undefined) return;
    if (!isNumber(value)) throw wrongType('Number', 'multipleOf');
    if (compareNumbers(value, 0) <= 0) throw new SchemaError('multipleOf must be strictly greater than 0');
    schema.multipleOf = value;
  }

  private readLimit(site: Site, key: 'minimum' | 'maximum', exclusive: 'exclusiveMinimum' | 'exclusiveMaximum'): void {
    const { source, schema } = site;
    const limit = get(source, key);
    if (limit !== undefined) {
      if (!isNumber(limit)) throw new SchemaError(`${key} must be of a Number`);
      schema[key] = limit;
    }
    const strict = get(source, exclusive);
    if (strict !== undefined) this.readExclusive(site, { key, exclusive, strict });
  }

  /** Draft 4 has a flag beside the limit, later drafts a limit of its own. */
  private readExclusive(
    { schema, scope }: Site,
    {
      key,
      exclusive,
      strict,
    }: { key: 'minimum' | 'maximum'; exclusive: 'exclusiveMinimum' | 'exclusiveMaximum'; strict: Value },
  ): void {
    const { draft } = scope;
    const allowsFlag = draft === 4 || draft === 'hybrid';
    if (allowsFlag && typeof strict === 'boolean') {
      if (schema[key] === undefined) throw new SchemaError(`${exclusive} cannot be used without ${key}`);
      if (!strict) return;
      schema[exclusive] = schema[key] as NumberValue;
      delete schema[key];
    } else if (draft !== 4 && isNumber(strict)) schema[exclusive] = strict;
    else throw wrongType(draft === 4 ? 'boolean' : draft === 'hybrid' ? 'boolean/number' : 'number', exclusive);
  }

  private readBounds({ source, schema }: Site, low: Bound, high: Bound): void {
    for (const key of [low, high]) {
      const value = get(source, key);
      if (value === undefined) continue;
      if (!isNumber(value) || !isInteger(value)) throw new SchemaError(`${key} must be of an integer`);
      const bound = toInteger(value) ?? Number.MAX_SAFE_INTEGER;
      if (bound < 0) throw new SchemaError(`${key} must be greater than or equal to 0`);
      schema[key] = bound;
    }
    if (low !== 'minItems' && (schema[low] ?? 0) > (schema[high] ?? Number.POSITIVE_INFINITY)) {
      throw new SchemaError(`${low} cannot be greater than ${high}`);
    }
  }

  private readPattern({ source, schema }: Site): void {
    const pattern = this.text(source, 'pattern');
    if (pattern !== undefined) {
      schema.pattern = { source: pattern, regex: compilePattern(pattern, 'pattern must be a valid regex') };
    }
    const format = this.text(source, 'format');
    if (format !== undefined) schema.format = format;
  }

  private readRequired({ source, schema }: Site): void {
    for (const name of this.list(source, 'required')) {
      if (typeof name !== 'string') throw wrongType('string', 'required');
      if (schema.required.includes(name)) throw new SchemaError('required items must be unique');
      schema.required.push(name);
    }
  }

  private readUniqueItems({ source, schema }: Site): void {
    const value = get(source, 'uniqueItems');
    if (value === undefined) return;
    if (typeof value !== 'boolean') throw new SchemaError('uniqueItems must be of a boolean');
    schema.uniqueItems = value;
  }

  private readContains({ source, schema, scope }: Site): void {
    const contains = get(source, 'contains');
    if (contains !== undefined && isAtLeast(scope.draft, 6)) schema.contains = this.subschema(contains, scope);
  }

  private readConstants({ source, schema, scope }: Site): void {
    const constant = get(source, 'const');
    if (constant !== undefined && isAtLeast(scope.draft, 6)) schema.constant = stringifyJson(constant);
    if (!hasKey(source, 'enum')) return;
    const values = this.list(source, 'enum').map((value) => stringifyJson(value));
    if (new Set(values).size < values.length) throw new SchemaError('enum items must be unique');
    schema.enumeration = values;
  }

  private readCombinations({ source, schema, scope }: Site): void {
    for (const key of ['oneOf', 'anyOf', 'allOf'] as const) {
      schema[key] = this.list(source, key).map((item) => this.subschema(item, scope));
    }
  }

  private readNested({ source, schema, scope }: Site, key: string, name: Nested): void {
    const value = get(source, key);
    if (value === undefined) return;
    if (typeof value !== 'boolean' && !isObject(value)) throw new SchemaError(`${key} must be of an object`);
    schema[name] = this.subschema(value, scope);
  }

  private readConditions(site: Site): void {
    if (!isAtLeast(site.scope.draft, 7)) return;
    this.readNested(site, 'if', 'condition');
    this.readNested(site, 'then', 'consequence');
    this.readNested(site, 'else', 'alternative');
  }
}

/** Errors: `SchemaError`. */
export function compileSchema(source: Value): Subschema {
  return new SchemaCompiler(source).compile();
}
