/** TypeScript's types for JSON values and for the part of JSON Schema that types can say; all else is `JsonValue`. */

/** Of a value alone its JSON type is known, not what else it may become. */
export function typeOfValue(value: unknown): string {
  if (Array.isArray(value)) return 'readonly JsonValue[]';
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
      return typeof value;
    case 'object':
      return value === null ? 'JsonValue' : 'JsonObject';
    default:
      return 'JsonValue';
  }
}

type Schema = Readonly<Record<string, unknown>>;

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const plain: Readonly<Record<string, string>> = {
  string: 'string',
  number: 'number',
  integer: 'number',
  boolean: 'boolean',
  null: 'null',
};

/** JSON Schema, draft 2020-12. `$ref` and conditions are not followed. */
export function typeOfSchema(schema: unknown): string {
  if (!isSchema(schema)) return 'JsonValue';
  const { enum: values, type } = schema;
  if ('const' in schema) return JSON.stringify(schema['const']);
  if (Array.isArray(values) && values.length > 0) return union(values.map((value) => JSON.stringify(value)));
  for (const name of ['anyOf', 'oneOf'] as const) {
    const choices = schema[name];
    if (Array.isArray(choices) && choices.length > 0) return union(choices.map(typeOfSchema));
  }
  if (Array.isArray(type)) return union(type.map((one) => typeOfSchema({ ...schema, type: one as unknown })));
  if (type === 'array') {
    const item = typeOfSchema(schema['items']);
    return item.includes('|') ? `readonly (${item})[]` : `readonly ${item}[]`;
  }
  if (type === 'object' || (type === undefined && isSchema(schema['properties']))) return typeOfObject(schema);
  return plain[String(type)] ?? 'JsonValue';
}

const union = (types: readonly string[]): string => [...new Set(types)].join(' | ');

function typeOfObject(schema: Schema): string {
  const { properties, required, additionalProperties } = schema;
  if (!isSchema(properties)) {
    return isSchema(additionalProperties)
      ? `{ readonly [name: string]: ${typeOfSchema(additionalProperties)} }`
      : 'JsonObject';
  }
  const needed = new Set(Array.isArray(required) ? required : []);
  const members = Object.entries(properties).map(
    ([name, one]) => `readonly ${JSON.stringify(name)}${needed.has(name) ? '' : '?'}: ${typeOfSchema(one)}`,
  );
  return members.length === 0 ? 'JsonObject' : `{ ${members.join('; ')} }`;
}

export interface TypesFile {
  readonly app: string;
  readonly environment: string | undefined;
  /** Key → type. */
  readonly configs: ReadonlyMap<string, string>;
  readonly flags: ReadonlyMap<string, string>;
}

/** The same keys and types give the same text. */
export function typesFile({ app, environment, configs, flags }: TypesFile): string {
  const members = (types: ReadonlyMap<string, string>): string =>
    [...types]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, type]) => `  ${JSON.stringify(key)}: ${type};\n`)
      .join('');
  const used = ['JsonObject', 'JsonValue'].filter((name) =>
    [...configs.values(), ...flags.values()].some((type) => type.includes(name)),
  );
  const names = ['type ClientOptions', 'createClient', ...used.map((name) => `type ${name}`), 'type TypedClient'];
  const scope = `appId: ${JSON.stringify(app)}${environment === undefined ? '' : `, environment: ${JSON.stringify(environment)}`}`;
  return `// Written by \`bailiwick types\` for ${app}${environment === undefined ? '' : `/${environment}`}. Do not edit: run it again.
import { ${names.join(', ')} } from '@bailiwick/sdk';

export interface Configs {
${members(configs)}}

export interface Flags {
${members(flags)}}

export type AppClient = TypedClient<Configs, Flags>;

/** A client that knows these keys; a key that is not there, or a default of another type, does not compile. */
export function createAppClient(options: ClientOptions): AppClient {
  return createClient({ ${scope}, ...options }) as unknown as AppClient;
}
`;
}
