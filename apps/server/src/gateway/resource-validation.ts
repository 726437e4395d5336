/**
 * Says whether resources can be used: their shape, their plugins' shapes, and that what they point at is there. The same code for the file
 * and for resources written through the control plane. Fills defaults in.
 */
import { isIPv4, isIPv6 } from 'node:net';
import type { TSchema } from '@sinclair/typebox';
import Ajv, { type ValidateFunction } from 'ajv';
import { checkExpression } from './expression.js';
import type { At } from './file-lines.js';
import type { Plugin, PluginRegistry } from './plugin.js';
import { whyRefused } from './refused-fields.js';
import { findUndefinedReference } from './resource-references.js';
import { type GatewayFile, type ResourceKind, resourceKinds } from './resource-schemas.js';

export type Report = (at: At, message: string) => void;

const ajv = new Ajv.default({
  allErrors: true,
  strict: false,
  useDefaults: true,
  verbose: true,
  formats: { ipv4: isIPv4, ipv6: isIPv6 },
});
const compiled = new WeakMap<TSchema, ValidateFunction>();

function validatorOf(schema: TSchema): ValidateFunction {
  const known = compiled.get(schema);
  if (known) return known;
  const validate = ajv.compile(schema);
  compiled.set(schema, validate);
  return validate;
}

/** `_meta` of every plugin. `pre_function` would be Lua. */
export const metaSchema = {
  type: 'object',
  properties: {
    disable: { type: 'boolean' },
    error_response: { oneOf: [{ type: 'string' }, { type: 'object' }] },
    filter: { type: 'array' },
    priority: { type: 'integer' },
  },
  additionalProperties: false,
} as unknown as TSchema;

type Fault = { instancePath: string; keyword: string; message?: string; params: Record<string, unknown> };

/** Reports what does not fit; fills defaults in. True when all fits. */
export function fitsSchema(schema: TSchema, value: unknown, at: At, report: Report, plugin?: string): boolean {
  const validate = validatorOf(schema);
  if (validate(value)) return true;
  const errors = (validate.errors ?? []) as Fault[];
  // What stands inside an anyOf is only said when nothing outside says more.
  const outer = errors.filter((error) => !['anyOf', 'oneOf', 'if', 'not'].includes(error.keyword));
  for (const error of outer.length > 0 ? outer : errors)
    report([...at, ...pointer(error)], describe(error, at, plugin));
  return false;
}

function pointer(error: Fault): At {
  const at = error.instancePath
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const extra = error.params['additionalProperty'];
  return typeof extra === 'string' ? [...at, extra] : at;
}

function describe(error: Fault, at: At, plugin: string | undefined): string {
  const extra = error.params['additionalProperty'];
  const inside = error.instancePath.split('/').slice(1);
  const where =
    plugin === undefined ? [...at, ...inside].join('.') : `plugin ${plugin}: ${[plugin, ...inside].join('.')}`;
  if (typeof extra === 'string') {
    const meta = at.at(-1) === '_meta' ? ['_meta'] : [];
    const why = plugin === undefined ? undefined : whyRefused(plugin, [...meta, ...inside, extra]);
    return `${where} has '${extra}', which this gateway does not support${why === undefined ? '' : `: ${why}`}`;
  }
  const allowed = error.params['allowedValues'];
  return `${where} ${error.message ?? 'is wrong'}${Array.isArray(allowed) ? `: ${allowed.join(', ')}` : ''}`;
}

/** One resource by itself. */
export function validateResource(
  kind: ResourceKind,
  resource: unknown,
  plugins: PluginRegistry,
  at: At,
  report: Report,
): boolean {
  let isFine = fitsSchema(resourceKinds[kind], resource, at, report);
  if (typeof resource !== 'object' || resource === null) return false;
  const fault: Report = (where, message) => {
    isFine = false;
    report(where, message);
  };
  const value = resource as Record<string, unknown>;
  const vars = value['vars'];
  if (Array.isArray(vars)) {
    const wrong = checkExpression(vars);
    if (wrong !== undefined) fault([...at, 'vars'], `vars: ${wrong}`);
  }
  if (kind === 'routes' && (value['uri'] === undefined) === (value['uris'] === undefined))
    fault(at, `route '${String(value['id'])}' needs either uri or uris`);
  if (kind === 'ssls') checkSsl(value, at, fault);
  if (kind === 'plugin_metadata') checkMetadata(value, plugins, at, fault);
  const table = value['plugins'];
  if (typeof table === 'object' && table !== null)
    checkPlugins(
      table as Record<string, unknown>,
      { isConsumer: kind === 'consumers', plugins, at: [...at, 'plugins'] },
      fault,
    );
  return isFine;
}

function checkSsl(value: Record<string, unknown>, at: At, fault: Report): void {
  if (value['type'] !== 'client' && (value['sni'] === undefined) === (value['snis'] === undefined))
    fault(at, `ssl '${String(value['id'])}' needs either sni or snis`);
  const lengthOf = (name: string): number => (Array.isArray(value[name]) ? (value[name] as unknown[]).length : 0);
  if (lengthOf('certs') !== lengthOf('keys')) fault(at, `ssl '${String(value['id'])}' needs as many keys as certs`);
}

function checkMetadata(value: Record<string, unknown>, plugins: PluginRegistry, at: At, fault: Report): void {
  const name = String(value['id']);
  const schema = plugins.get(name)?.metadataSchema;
  if (!schema) {
    fault([...at, 'id'], `the plugin '${name}' has no metadata here`);
    return;
  }
  const { id: _id, ...rest } = value;
  if (fitsSchema(schema, rest, at, fault, name)) Object.assign(value, rest);
}

function checkPlugins(
  table: Record<string, unknown>,
  about: { readonly isConsumer: boolean; readonly plugins: PluginRegistry; readonly at: At },
  fault: Report,
): void {
  for (const [name, configuration] of Object.entries(table)) {
    const at = [...about.at, name];
    const plugin = about.plugins.get(name);
    if (!plugin) {
      fault(at, `the plugin '${name}' is not supported; supported are ${[...about.plugins.keys()].join(', ')}`);
      continue;
    }
    checkPlugin(plugin, configuration, { at, isConsumer: about.isConsumer }, fault);
  }
}

function checkPlugin(
  plugin: Plugin,
  configuration: unknown,
  about: { readonly at: At; readonly isConsumer: boolean },
  fault: Report,
): void {
  const { at } = about;
  if (typeof configuration !== 'object' || configuration === null || Array.isArray(configuration)) {
    fault(at, `plugin ${plugin.name}: its configuration must be an object`);
    return;
  }
  const { _meta: meta, ...own } = configuration as Record<string, unknown>;
  if (meta !== undefined && fitsSchema(metaSchema, meta, [...at, '_meta'], fault, plugin.name)) {
    const { filter } = meta as { filter?: unknown[] };
    const wrong = filter === undefined ? undefined : checkExpression(filter);
    if (wrong !== undefined) fault([...at, '_meta', 'filter'], `plugin ${plugin.name}: _meta.filter: ${wrong}`);
  }
  const isCredential = about.isConsumer && plugin.type === 'auth';
  const schema = isCredential ? plugin.consumerSchema : plugin.schema;
  if (!schema || !fitsSchema(schema, own, at, fault, plugin.name)) return;
  Object.assign(configuration, own);
  const wrong = isCredential ? undefined : plugin.check?.(own as never);
  if (wrong !== undefined) fault(at, `plugin ${plugin.name}: ${wrong}`);
}

/** What the resources say of each other: ids stand once, references point at something. */
export function validateTogether(file: GatewayFile, report: Report): void {
  for (const kind of Object.keys(resourceKinds) as ResourceKind[]) {
    const seen = new Set<string>();
    file[kind].forEach((resource, index) => {
      const own = kind === 'consumers' ? (resource as { username: string }).username : String(resource.id);
      if (resource.id === undefined && kind === 'upstreams')
        report([kind, index], 'an upstream of the list needs an id');
      if (seen.has(own)) report([kind, index, 'id'], `the ${singular[kind]} id '${own}' stands twice`);
      seen.add(own);
    });
  }
  findUndefinedReference(file, report);
}

const singular: Readonly<Record<ResourceKind, string>> = {
  routes: 'route',
  services: 'service',
  upstreams: 'upstream',
  consumers: 'consumer',
  consumer_groups: 'consumer group',
  plugin_configs: 'plugin config',
  global_rules: 'global rule',
  plugin_metadata: 'plugin metadata',
  ssls: 'ssl',
  secrets: 'secret',
};
