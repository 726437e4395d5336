/**
 * Our schemas against those a running APISIX 3.18 published: whatever ours accept, APISIX accepts. Skipped where the published ones are not
 * beside the repository.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import { join, resolve } from 'node:path';
import Ajv from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { plugins } from './plugins/index.js';
import { refusedFields, refusedValues } from './refused-fields.js';
import { type ResourceKind, resourceKinds } from './resource-schemas.js';
import { metaSchema, validateResource } from './resource-validation.js';

const root = resolve(import.meta.dirname, '../../../..');
const folder = [resolve(root, '../shared/contracts/apisix/schemas')].find((path) => existsSync(path));
interface Published {
  readonly schema: object;
  readonly consumer_schema?: object;
  readonly metadata_schema?: object;
  readonly priority?: number;
}
const read = new Map<string, Published>();

function published(name: string): Published {
  const known = read.get(name) ?? (JSON.parse(readFileSync(join(folder ?? '', `${name}.json`), 'utf8')) as Published);
  read.set(name, known);
  return known;
}

/** APISIX fills defaults in before it looks at `if`. */
const withPolicy = (schema: object, own: Record<string, unknown>): Record<string, unknown> =>
  own['policy'] === undefined && fieldsOf(schema).has('redis_host') ? { ...own, policy: 'local' } : own;

const ajv = new Ajv.default({
  strict: false,
  allErrors: true,
  unicodeRegExp: false,
  formats: { ipv4: isIPv4, ipv6: isIPv6 },
});

interface CaseFile {
  readonly config: Readonly<Record<string, readonly Record<string, unknown>[]>>;
}

/** Every resource of the conformance cases: documents that ours accept. */
const documents = readdirSync(join(root, 'conformance/gateway/cases')).flatMap((file) => {
  // Where the real Redis is, the runner fills in.
  const text = readFileSync(join(root, 'conformance/gateway/cases', file), 'utf8').replaceAll('REDIS_PORT', '6379');
  const cases = parse(text) as readonly CaseFile[];
  return cases.flatMap(({ config }) =>
    Object.entries(config).flatMap(([kind, list]) => list.map((resource) => [kind as ResourceKind, resource] as const)),
  );
});

const singular: Partial<Record<ResourceKind, string>> = {
  routes: 'route',
  services: 'service',
  upstreams: 'upstream',
  consumers: 'consumer',
  consumer_groups: 'consumer_group',
  plugin_configs: 'plugin_config',
  global_rules: 'global_rule',
};

describe.skipIf(folder === undefined)('APISIX’s published schemas', () => {
  it('accept every resource and plugin configuration that ours accept in the conformance cases', () => {
    const refused: string[] = [];
    for (const [kind, resource] of documents) {
      const name = singular[kind];
      if (name !== undefined && !ajv.validate(published(`resource.${name}`).schema, resource))
        refused.push(`${kind} ${JSON.stringify(resource)}: ${ajv.errorsText()}`);
      for (const [plugin, configuration] of Object.entries((resource['plugins'] ?? {}) as Record<string, unknown>)) {
        const contract = published(`plugin.${plugin}`);
        const isCredential = kind === 'consumers' && plugins.get(plugin)?.type === 'auth';
        const schema = isCredential ? contract.consumer_schema : contract.schema;
        const { _meta, ...own } = configuration as Record<string, unknown>;
        if (schema && !ajv.validate(schema, withPolicy(schema, own)))
          refused.push(`${plugin} ${JSON.stringify(own)}: ${ajv.errorsText()}`);
      }
    }
    expect(refused).toEqual([]);
    expect(documents.length).toBeGreaterThan(50);
  });

  it.each([...plugins.values()].map((plugin) => [plugin.name, plugin] as const))(
    'give %s the same priority and the same fields, or more',
    (name, plugin) => {
      const contract = published(`plugin.${name}`);
      expect(plugin.priority).toBe(contract.priority);
      const known = fieldsOf(contract.schema);
      expect(Object.keys(plugin.schema['properties'] ?? {}).filter((field) => !known.has(field))).toEqual([]);
    },
  );

  it.each([...plugins.values()].map((plugin) => [plugin.name, plugin] as const))(
    'give %s the same defaults',
    (name, plugin) => {
      const defaultsOf = (schema: object): Record<string, unknown> =>
        Object.fromEntries(
          Object.entries((schema as { properties?: Record<string, { default?: unknown }> }).properties ?? {}).flatMap(
            ([field, value]) =>
              value.default === undefined || typeof value.default === 'object' ? [] : [[field, value.default]],
          ),
        );
      const ours = defaultsOf(plugin.schema);
      const theirs = defaultsOf(published(`plugin.${name}`).schema);
      for (const [field, value] of Object.entries(ours))
        if (field in theirs) expect([field, value]).toEqual([field, theirs[field]]);
    },
  );

  it.each([...plugins.values()].map((plugin) => [plugin.name, plugin] as const))(
    'have no field or value for %s that ours refuse without a reason',
    (name, plugin) => {
      const { schema, consumer_schema: consumer, metadata_schema: metadata } = published(`plugin.${name}`);
      const missing = [
        ...missingIn(schema, plugin.schema),
        ...(consumer ? missingIn(consumer, plugin.consumerSchema) : []),
        ...(metadata ? missingIn(metadata, plugin.metadataSchema) : []),
      ];
      const known = { ...refusedFields['*'], ...refusedFields[name], ...refusedValues[name] };
      const covers = (path: string): boolean => Object.keys(known).some((one) => isUnder(path, one));
      expect(missing.filter((path) => !covers(path))).toEqual([]);
      // And nothing is on the list that is taken, or that APISIX does not have.
      const own = Object.keys(refusedFields[name] ?? {});
      expect(own.filter((path) => !missing.some((one) => isUnder(one, path)))).toEqual([]);
    },
  );

  it.each(
    Object.entries(refusedFields).flatMap(([plugin, fields]) =>
      plugin === '*' || plugin === 'prometheus' || plugin === 'opentelemetry'
        ? []
        : Object.entries(fields).map(([path, why]) => [plugin, path, why] as const),
    ),
  )('say why %s does not take %s', (plugin, path, why) => {
    const said: string[] = [];
    const route = { id: 'r', uri: '/', plugins: { [plugin]: withField(plugin, path) } };
    validateResource('routes', route, plugins, ['routes', 0], (_at, message) => said.push(message));
    expect(said.join('\n')).toContain(why);
  });

  it.each(Object.entries(singular))('know every field of our %s', (kind, name) => {
    const known = fieldsOf(published(`resource.${name}`).schema);
    // The published route lacks the schema of `vars`, which is Lua's own.
    known.add('vars');
    expect(
      Object.keys(resourceKinds[kind as ResourceKind]['properties'] ?? {}).filter((field) => !known.has(field)),
    ).toEqual([]);
  });
});

/** Fields of a schema with those of its `then` and `else`. */
function fieldsOf(schema: object, found = new Set<string>()): Set<string> {
  const { properties, ...parts } = schema as Record<string, unknown>;
  for (const field of Object.keys((properties ?? {}) as object)) found.add(field);
  for (const key of ['then', 'else', 'if'])
    if (typeof parts[key] === 'object' && parts[key] !== null) fieldsOf(parts[key], found);
  return found;
}

type Schema = Readonly<Record<string, unknown>>;

const asSchema = (value: unknown): Schema | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Schema) : undefined;
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const isUnder = (path: string, above: string): boolean =>
  path === above || path.startsWith(`${above}.`) || path.startsWith(`${above}[]`);

/** Every path of a schema with its parts (a branch may have another): names joined by dots, `[]` for items, `*` for any name. */
function pathsOf(
  schema: unknown,
  at = '',
  found = new Map<string, Schema[]>(),
): ReadonlyMap<string, readonly Schema[]> {
  const own = asSchema(schema);
  if (!own) return found;
  const into = (name: string, part: unknown): void => {
    const path = at === '' ? name : `${at}.${name}`;
    found.set(path, [...(found.get(path) ?? []), asSchema(part) ?? {}]);
    pathsOf(part, path, found);
  };
  for (const [name, part] of Object.entries(asSchema(own['properties']) ?? {})) into(name, part);
  for (const [pattern, part] of Object.entries(asSchema(own['patternProperties']) ?? {}))
    into(/^[a-z]+$/.test(pattern) ? pattern : '*', part);
  if (asSchema(own['additionalProperties'])) into('*', own['additionalProperties']);
  const { items } = own;
  if (asSchema(items)) pathsOf(items, `${at}[]`, found);
  const more = [own['then'], own['else'], own['if'], ...listOf(own['oneOf']), ...listOf(own['anyOf'])];
  for (const part of [...more, ...listOf(own['allOf']), ...Object.values(asSchema(own['dependencies']) ?? {})])
    pathsOf(part, at, found);
  return found;
}

/** Paths of theirs that ours do not have, and values of theirs that ours do not list. */
function missingIn(theirs: unknown, ours: unknown): readonly string[] {
  const known = new Map([...pathsOf(ours), ...pathsOf({ properties: { _meta: metaSchema } })]);
  return [...pathsOf(theirs)].flatMap(([path, parts]) => {
    const own = known.get(path);
    if (!own) return [path];
    const lists = own.map((part) => (part['const'] === undefined ? part['enum'] : [part['const']]));
    const accepted = lists.every(Array.isArray) ? lists.flat() : undefined;
    const values = parts.flatMap((part) => listOf(part['enum']));
    const refused = accepted === undefined ? [] : values.filter((one) => !accepted.includes(one));
    return refused.length === 0 ? [] : [`${path}=${refused.map(String).sort().join(',')}`];
  });
}

/** A configuration with a value at the path. */
function withField(plugin: string, path: string): Record<string, unknown> {
  const steps = path.split('.').flatMap((step) => (step.endsWith('[]') ? [step.slice(0, -2), 0] : [step]));
  const root: Record<string, unknown> = plugin === 'openid-connect' ? { client_id: 'c', bearer_only: true } : {};
  let holder: Record<string | number, unknown> = root;
  for (const [at, step] of steps.entries()) {
    const isLast = at === steps.length - 1;
    const next = isLast ? 'x' : typeof steps[at + 1] === 'number' ? [] : {};
    holder[step] = next;
    if (!isLast) holder = next as Record<string | number, unknown>;
  }
  return root;
}
