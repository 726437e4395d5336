/**
 * Reads `apisix.yaml` in APISIX's standalone format: `${{ENV}}` and `${{ENV:=default}}`, a trailing `#END`, then the schema of what this
 * gateway supports. What it does not support is an error that names the line, never ignored.
 */
import { type Static, type TSchema, Type } from '@sinclair/typebox';
import Ajv from 'ajv';
import { type Document, isMap, isSeq, LineCounter, type ParsedNode, parseDocument } from 'yaml';

const strict = { additionalProperties: false } as const;
const id = Type.Union([Type.String({ minLength: 1, maxLength: 64 }), Type.Integer({ minimum: 1 })]);
const timeout = Type.Object(
  {
    connect: Type.Number({ exclusiveMinimum: 0 }),
    send: Type.Number({ exclusiveMinimum: 0 }),
    read: Type.Number({ exclusiveMinimum: 0 }),
  },
  strict,
);
const labels = Type.Record(Type.String(), Type.String());
const node = Type.Object(
  {
    host: Type.String({ minLength: 1 }),
    port: Type.Integer({ minimum: 1, maximum: 65_535 }),
    weight: Type.Integer({ minimum: 0 }),
  },
  strict,
);

const Upstream = Type.Object(
  {
    id: Type.Optional(id),
    name: Type.Optional(Type.String()),
    desc: Type.Optional(Type.String()),
    type: Type.Optional(Type.Literal('roundrobin')),
    scheme: Type.Optional(Type.Union([Type.Literal('http'), Type.Literal('https')])),
    nodes: Type.Union([Type.Array(node, { minItems: 1 }), Type.Record(Type.String(), Type.Integer({ minimum: 0 }))]),
    pass_host: Type.Optional(Type.Union([Type.Literal('pass'), Type.Literal('node')])),
    timeout: Type.Optional(timeout),
    labels: Type.Optional(labels),
  },
  strict,
);

const Route = Type.Object(
  {
    id,
    name: Type.Optional(Type.String()),
    desc: Type.Optional(Type.String()),
    uri: Type.Optional(Type.String({ pattern: '^/' })),
    uris: Type.Optional(Type.Array(Type.String({ pattern: '^/' }), { minItems: 1 })),
    host: Type.Optional(Type.String()),
    hosts: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
    methods: Type.Optional(Type.Array(Type.String({ pattern: '^[A-Z]+$' }), { minItems: 1 })),
    priority: Type.Optional(Type.Integer()),
    status: Type.Optional(Type.Union([Type.Literal(0), Type.Literal(1)])),
    labels: Type.Optional(labels),
    timeout: Type.Optional(timeout),
    upstream: Type.Optional(Upstream),
    upstream_id: Type.Optional(id),
    plugins: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  strict,
);

const ApisixFile = Type.Object({ routes: Type.Array(Route), upstreams: Type.Optional(Type.Array(Upstream)) }, strict);

export type RouteDefinition = Static<typeof Route>;
export type UpstreamDefinition = Static<typeof Upstream>;
export type GatewayFile = Static<typeof ApisixFile>;

export interface FileFault {
  /** From 1; 0 when the fault is the file's as a whole. */
  readonly line: number;
  readonly message: string;
}

export class GatewayFileError extends Error {
  readonly faults: readonly FileFault[];

  constructor(path: string, faults: readonly FileFault[]) {
    super(`${path} cannot be used:\n${faults.map((fault) => `  ${path}:${fault.line}: ${fault.message}`).join('\n')}`);
    this.faults = faults;
  }
}

/** What the plugins say of their own configuration. */
export interface PluginSchemas {
  get(name: string): TSchema | undefined;
  names(): readonly string[];
}

const ajv = new Ajv.default({ allErrors: true, strict: false, verbose: true });
const validateFile = ajv.compile(ApisixFile);

/** Throws `GatewayFileError` with every fault and its line. */
export function parseApisixFile(
  text: string,
  path: string,
  variables: Readonly<Record<string, string | undefined>>,
  plugins: PluginSchemas,
): GatewayFile {
  if (!/^#END\s*$/m.test(text.slice(text.lastIndexOf('#END'))))
    throw new GatewayFileError(path, [
      { line: 0, message: 'the last line must be #END; without it the file may be half written' },
    ]);
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, uniqueKeys: true });
  if (document.errors.length > 0) {
    throw new GatewayFileError(
      path,
      document.errors.map((error) => ({
        line: lineCounter.linePos(error.pos[0]).line,
        message: error.message.split('\n', 1)[0] ?? 'not YAML',
      })),
    );
  }
  const lines = new Lines(document, lineCounter);
  const faults: FileFault[] = [];
  const file = substitute(document.toJS(), variables, [], (at, message) =>
    faults.push({ line: lines.of(at), message }),
  ) as GatewayFile;
  if (!validateFile(file))
    for (const error of validateFile.errors ?? [])
      if (error.keyword !== 'anyOf') faults.push({ line: lines.of(pointer(error)), message: describe(error) });
  if (faults.length === 0) faults.push(...checkMeaning(file, plugins, lines));
  if (faults.length > 0) throw new GatewayFileError(path, faults);
  return file;
}

type At = readonly (string | number)[];

class Lines {
  readonly #document: Document.Parsed;
  readonly #counter: LineCounter;

  constructor(document: Document.Parsed, counter: LineCounter) {
    this.#document = document;
    this.#counter = counter;
  }

  /** The line of the deepest node on the way to `at`. */
  of(at: At): number {
    let found: ParsedNode | null = this.#document.contents;
    let offset = 0;
    for (const step of at) {
      if (isMap(found)) {
        const pair = found.items.find((item) => String((item.key as { value?: unknown }).value) === String(step));
        offset = (pair?.key as ParsedNode | undefined)?.range?.[0] ?? offset;
        found = (pair?.value ?? null) as ParsedNode | null;
      } else if (isSeq(found)) {
        found = (found.items[Number(step)] ?? null) as ParsedNode | null;
        offset = found?.range?.[0] ?? offset;
      }
    }
    return this.#counter.linePos(offset).line;
  }
}

type Fault = { instancePath: string; keyword: string; message?: string; params: Record<string, unknown> };

function pointer(error: Fault): At {
  const at = error.instancePath.split('/').slice(1);
  const extra = error.params['additionalProperty'];
  return typeof extra === 'string' ? [...at, extra] : at;
}

function describe(error: Fault): string {
  const extra = error.params['additionalProperty'];
  const where = error.instancePath === '' ? 'the file' : error.instancePath.slice(1).replaceAll('/', '.');
  return typeof extra === 'string'
    ? `${where} has '${extra}', which this gateway does not support`
    : `${where} ${error.message ?? 'is wrong'}`;
}

/** A text that is one variable and nothing else becomes a number when it looks like one, as in APISIX. */
function substitute(
  value: unknown,
  variables: Readonly<Record<string, string | undefined>>,
  at: At,
  fault: (at: At, message: string) => void,
): unknown {
  if (typeof value === 'string') {
    const result = value.replace(
      /\$\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?::=([^}]*))?\}\}/g,
      (_whole, name: string, otherwise: string | undefined) => {
        const found = variables[name] ?? otherwise?.trim();
        if (found === undefined) fault(at, `the environment variable ${name} is not set and has no default`);
        return found ?? '';
      },
    );
    return result !== value && /^\d+$/.test(result) ? Number(result) : result;
  }
  if (Array.isArray(value)) return value.map((item, index) => substitute(item, variables, [...at, index], fault));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, substitute(item, variables, [...at, key], fault)]),
    );
  return value;
}

function checkMeaning(file: GatewayFile, plugins: PluginSchemas, lines: Lines): readonly FileFault[] {
  const faults: FileFault[] = [];
  const upstreams = new Set((file.upstreams ?? []).map((upstream) => String(upstream.id)));
  const ids = new Set<string>();
  file.routes.forEach((route, index) => {
    const at: At = ['routes', index];
    const fault = (where: At, message: string): number => faults.push({ line: lines.of(where), message });
    if (ids.has(String(route.id))) fault([...at, 'id'], `the route id '${route.id}' stands twice`);
    ids.add(String(route.id));
    if (!route.uri === !route.uris) fault(at, `route '${route.id}' needs either uri or uris`);
    if (!route.upstream === !route.upstream_id) fault(at, `route '${route.id}' needs either upstream or upstream_id`);
    if (route.upstream_id !== undefined && !upstreams.has(String(route.upstream_id)))
      fault([...at, 'upstream_id'], `there is no upstream '${route.upstream_id}'`);
    for (const [name, configuration] of Object.entries(route.plugins ?? {})) {
      const where = [...at, 'plugins', name];
      const schema = plugins.get(name);
      if (!schema) {
        fault(where, `the plugin '${name}' is not supported; supported are ${plugins.names().join(', ')}`);
        continue;
      }
      const validate = ajv.compile(schema);
      if (!validate(configuration))
        for (const error of validate.errors ?? [])
          fault(
            [...where, ...pointer(error)],
            `plugin ${name}: ${describe({ ...error, instancePath: error.instancePath === '' ? `/${name}` : error.instancePath })}`,
          );
    }
  });
  return faults;
}
