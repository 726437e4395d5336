/**
 * The resources of an APISIX file as this gateway supports them: the shapes of APISIX 3.18's own schemas, closed, without what we do not
 * do (Lua functions and scripts, service discovery, stream routes). A document that these accept, APISIX accepts too.
 */
import { type Static, type TUnsafe, Type } from '@sinclair/typebox';

export const closed = { additionalProperties: false } as const;

export const id = Type.Union([
  Type.String({ minLength: 1, maxLength: 64, pattern: '^[a-zA-Z0-9-_.]+$' }),
  Type.Integer({ minimum: 1 }),
]);
const name = Type.String({ minLength: 1, maxLength: 256 });
const desc = Type.String({ maxLength: 256 });
const labels = Type.Record(Type.String(), Type.String({ minLength: 1, maxLength: 256, pattern: '^\\S+$' }));
const hostName = Type.String({ pattern: '^\\*$|^\\*?[0-9a-zA-Z-._\\[\\]:]+$' });
const times = { create_time: Type.Optional(Type.Integer()), update_time: Type.Optional(Type.Integer()) };
const plugins = Type.Record(Type.String(), Type.Unknown());
export const httpMethods = [
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'HEAD',
  'OPTIONS',
  'CONNECT',
  'TRACE',
  'PURGE',
] as const;
export const oneOf = <const T extends string>(values: readonly T[], more: Record<string, unknown> = {}): TUnsafe<T> =>
  Type.Unsafe<T>({ type: 'string', enum: [...values], ...more });

const octet = '([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])';
/** An address or a network, of either family. */
export const address = Type.Unsafe<string>({
  type: 'string',
  anyOf: [
    { format: 'ipv4' },
    { pattern: `^${octet}\\.${octet}\\.${octet}\\.${octet}/([12]?[0-9]|3[0-2])$` },
    { format: 'ipv6' },
    { pattern: '^([a-fA-F0-9]{0,4}:){1,8}(:[a-fA-F0-9]{0,4}){0,8}([a-fA-F0-9]{0,4})?/[0-9]{1,3}$' },
  ],
});

/** Seconds, fractions allowed. */
const timeout = Type.Object(
  {
    connect: Type.Number({ exclusiveMinimum: 0 }),
    send: Type.Number({ exclusiveMinimum: 0 }),
    read: Type.Number({ exclusiveMinimum: 0 }),
  },
  closed,
);

const statuses = (values: readonly number[]): TUnsafe<number[]> =>
  Type.Unsafe<number[]>({
    type: 'array',
    items: { type: 'integer', minimum: 200, maximum: 599 },
    minItems: 1,
    uniqueItems: true,
    default: [...values],
  });
const count = (value: number, minimum: number) => Type.Integer({ minimum, maximum: 254, default: value });

export const activeCheck = Type.Object(
  {
    type: oneOf(['http', 'https', 'tcp'], { default: 'http' }),
    timeout: Type.Number({ default: 1 }),
    concurrency: Type.Integer({ minimum: 1, default: 10 }),
    host: Type.Optional(hostName),
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
    http_method: oneOf(httpMethods, { default: 'GET' }),
    http_path: Type.String({ default: '/' }),
    http_req_body: Type.String({ default: '' }),
    https_verify_certificate: Type.Boolean({ default: true }),
    req_headers: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
    healthy: Type.Object(
      {
        interval: Type.Integer({ minimum: 1, default: 1 }),
        http_statuses: statuses([200, 302]),
        successes: count(2, 1),
      },
      { ...closed, default: {} },
    ),
    unhealthy: Type.Object(
      {
        interval: Type.Integer({ minimum: 1, default: 1 }),
        http_statuses: statuses([429, 404, 500, 501, 502, 503, 504, 505]),
        http_failures: count(5, 1),
        tcp_failures: count(2, 1),
        timeouts: count(3, 1),
      },
      { ...closed, default: {} },
    ),
  },
  closed,
);

const passiveCheck = Type.Object(
  {
    type: oneOf(['http', 'https', 'tcp'], { default: 'http' }),
    healthy: Type.Object(
      {
        http_statuses: statuses([
          200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308,
        ]),
        successes: count(5, 0),
      },
      { ...closed, default: {} },
    ),
    unhealthy: Type.Object(
      {
        http_statuses: statuses([429, 500, 503]),
        http_failures: count(5, 0),
        tcp_failures: count(2, 0),
        timeouts: count(7, 0),
      },
      { ...closed, default: {} },
    ),
  },
  closed,
);

const node = Type.Object(
  {
    host: hostName,
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
    weight: Type.Integer({ minimum: 0 }),
    priority: Type.Optional(Type.Integer()),
    metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  closed,
);

/** PEM text, or a reference to where it is kept. */
const pem = (minLength: number): TUnsafe<string> =>
  Type.Unsafe<string>({
    type: 'string',
    maxLength: 65_536,
    anyOf: [{ minLength }, { pattern: '^\\$(secret|env)://' }],
  });

export const Upstream = Type.Object(
  {
    id: Type.Optional(id),
    name: Type.Optional(name),
    desc: Type.Optional(desc),
    labels: Type.Optional(labels),
    ...times,
    type: oneOf(['roundrobin', 'chash', 'least_conn', 'ewma'], { default: 'roundrobin' }),
    hash_on: oneOf(['vars', 'header', 'cookie', 'consumer', 'vars_combinations'], { default: 'vars' }),
    key: Type.Optional(Type.String()),
    nodes: Type.Union([Type.Array(node), Type.Record(Type.String(), Type.Integer({ minimum: 0 }))]),
    scheme: oneOf(['http', 'https'], { default: 'http' }),
    pass_host: oneOf(['pass', 'node', 'rewrite'], { default: 'pass' }),
    upstream_host: Type.Optional(hostName),
    retries: Type.Optional(Type.Integer({ minimum: 0 })),
    retry_timeout: Type.Optional(Type.Number({ minimum: 0 })),
    timeout: Type.Optional(timeout),
    keepalive_pool: Type.Optional(
      Type.Object(
        {
          size: Type.Integer({ minimum: 1, default: 320 }),
          idle_timeout: Type.Number({ minimum: 0, default: 60 }),
          requests: Type.Integer({ minimum: 1, default: 1000 }),
        },
        closed,
      ),
    ),
    checks: Type.Optional(Type.Object({ active: activeCheck, passive: Type.Optional(passiveCheck) }, closed)),
    tls: Type.Optional(
      Type.Object(
        {
          client_cert: Type.Optional(pem(128)),
          client_key: Type.Optional(pem(64)),
          client_cert_id: Type.Optional(id),
          verify: Type.Boolean({ default: false }),
        },
        {
          ...closed,
          dependencies: {
            client_cert: { required: ['client_key'] },
            client_key: { required: ['client_cert'] },
            client_cert_id: { not: { required: ['client_cert', 'client_key'] } },
          },
        },
      ),
    ),
  },
  closed,
);

const either = (first: string, second: string) => ({
  oneOf: [
    { not: { anyOf: [{ required: [first] }, { required: [second] }] } },
    { required: [first] },
    { required: [second] },
  ],
});

export const Route = Type.Object(
  {
    id,
    name: Type.Optional(name),
    desc: Type.Optional(desc),
    labels: Type.Optional(labels),
    ...times,
    uri: Type.Optional(Type.String({ minLength: 1, maxLength: 4096, pattern: '^/' })),
    uris: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 4096, pattern: '^/' }), { minItems: 1, uniqueItems: true }),
    ),
    host: Type.Optional(hostName),
    hosts: Type.Optional(Type.Array(hostName, { minItems: 1, uniqueItems: true })),
    methods: Type.Optional(Type.Array(oneOf(httpMethods), { uniqueItems: true })),
    remote_addr: Type.Optional(address),
    remote_addrs: Type.Optional(Type.Array(address, { minItems: 1, uniqueItems: true })),
    vars: Type.Optional(Type.Array(Type.Unknown())),
    priority: Type.Integer({ default: 0 }),
    status: Type.Unsafe<0 | 1>({ type: 'integer', enum: [1, 0], default: 1 }),
    enable_websocket: Type.Optional(Type.Boolean()),
    timeout: Type.Optional(timeout),
    upstream: Type.Optional(Upstream),
    upstream_id: Type.Optional(id),
    service_id: Type.Optional(id),
    plugin_config_id: Type.Optional(id),
    plugins: Type.Optional(plugins),
  },
  {
    ...closed,
    allOf: [either('host', 'hosts'), either('remote_addr', 'remote_addrs')],
  },
);

export const Service = Type.Object(
  {
    id,
    name: Type.Optional(name),
    desc: Type.Optional(desc),
    labels: Type.Optional(labels),
    ...times,
    hosts: Type.Optional(Type.Array(hostName, { minItems: 1, uniqueItems: true })),
    enable_websocket: Type.Optional(Type.Boolean()),
    upstream: Type.Optional(Upstream),
    upstream_id: Type.Optional(id),
    plugins: Type.Optional(plugins),
  },
  closed,
);

export const Consumer = Type.Object(
  {
    id: Type.Optional(id),
    username: Type.String({ minLength: 1, maxLength: 256, pattern: '^[a-zA-Z0-9_\\-]+$' }),
    desc: Type.Optional(desc),
    labels: Type.Optional(labels),
    ...times,
    group_id: Type.Optional(id),
    plugins: Type.Optional(plugins),
  },
  closed,
);

export const ConsumerGroup = Type.Object(
  { id, name: Type.Optional(name), desc: Type.Optional(desc), labels: Type.Optional(labels), ...times, plugins },
  closed,
);

export const PluginConfig = Type.Object(
  {
    id,
    name: Type.Optional(Type.String()),
    desc: Type.Optional(desc),
    labels: Type.Optional(labels),
    ...times,
    plugins,
  },
  closed,
);

export const GlobalRule = Type.Object({ id, ...times, plugins }, closed);

/** The plugin's own metadata schema checks the rest. */
export const PluginMetadata = Type.Object({ id: Type.String({ minLength: 1 }) }, { additionalProperties: true });

export const Ssl = Type.Object(
  {
    id,
    desc: Type.Optional(desc),
    labels: Type.Optional(labels),
    ...times,
    type: oneOf(['server', 'client'], { default: 'server' }),
    status: Type.Unsafe<0 | 1>({ type: 'integer', enum: [1, 0], default: 1 }),
    sni: Type.Optional(hostName),
    snis: Type.Optional(Type.Array(hostName, { minItems: 1 })),
    cert: pem(128),
    key: pem(64),
    certs: Type.Optional(Type.Array(pem(128))),
    keys: Type.Optional(Type.Array(pem(64))),
    ssl_protocols: Type.Optional(
      Type.Array(oneOf(['TLSv1.1', 'TLSv1.2', 'TLSv1.3']), { maxItems: 3, uniqueItems: true }),
    ),
    client: Type.Optional(
      Type.Object(
        {
          ca: pem(128),
          depth: Type.Integer({ minimum: 0, default: 1 }),
          skip_mtls_uri_regex: Type.Optional(Type.Array(Type.String(), { minItems: 1, uniqueItems: true })),
        },
        closed,
      ),
    ),
  },
  closed,
);

/** `vault/NAME`. AppRole's fields are ours; a real APISIX reads `token` and ignores them. */
export const Secret = Type.Object(
  {
    id: Type.String({ pattern: '^vault/[a-zA-Z0-9-_.]+$' }),
    ...times,
    uri: Type.String({ pattern: '^[^\\/]+:\\/\\/([\\da-zA-Z.-]+|\\[[\\da-fA-F:]+\\])(:\\d+)?' }),
    prefix: Type.String({ minLength: 1 }),
    token: Type.Optional(Type.String({ minLength: 1 })),
    namespace: Type.Optional(Type.String({ minLength: 1 })),
    kv_version: Type.Unsafe<1 | 2>({ type: 'integer', enum: [1, 2], default: 1 }),
    role_id: Type.Optional(Type.String({ minLength: 1 })),
    secret_id: Type.Optional(Type.String({ minLength: 1 })),
    approle_mount: Type.String({ minLength: 1, default: 'approle' }),
    ca: Type.Optional(pem(128)),
    /** Shown to a Vault that demands one. */
    client_cert: Type.Optional(pem(128)),
    client_key: Type.Optional(pem(64)),
  },
  {
    ...closed,
    dependencies: {
      ca: { properties: { uri: { pattern: '^https://' } } },
      client_cert: { required: ['client_key'], properties: { uri: { pattern: '^https://' } } },
      client_key: { required: ['client_cert'] },
    },
    anyOf: [{ required: ['token'] }, { required: ['role_id', 'secret_id'] }],
  },
);

/** Every kind of resource: its list in the file, its schema. */
export const resourceKinds = {
  routes: Route,
  services: Service,
  upstreams: Upstream,
  consumers: Consumer,
  consumer_groups: ConsumerGroup,
  plugin_configs: PluginConfig,
  global_rules: GlobalRule,
  plugin_metadata: PluginMetadata,
  ssls: Ssl,
  secrets: Secret,
} as const;

export type ResourceKind = keyof typeof resourceKinds;
export type RouteDefinition = Static<typeof Route>;
export type ServiceDefinition = Static<typeof Service>;
export type UpstreamDefinition = Static<typeof Upstream>;
export type ConsumerDefinition = Static<typeof Consumer>;
export type SslDefinition = Static<typeof Ssl>;
export type SecretDefinition = Static<typeof Secret>;
export type PluginTable = Readonly<Record<string, unknown>>;
export type ActiveCheck = Static<typeof activeCheck>;
export type PassiveCheck = Static<typeof passiveCheck>;

/** A whole file, validated, with defaults filled in. */
export interface GatewayFile {
  readonly routes: readonly RouteDefinition[];
  readonly services: readonly ServiceDefinition[];
  readonly upstreams: readonly UpstreamDefinition[];
  readonly consumers: readonly ConsumerDefinition[];
  readonly consumer_groups: readonly Static<typeof ConsumerGroup>[];
  readonly plugin_configs: readonly Static<typeof PluginConfig>[];
  readonly global_rules: readonly Static<typeof GlobalRule>[];
  readonly plugin_metadata: readonly Static<typeof PluginMetadata>[];
  readonly ssls: readonly SslDefinition[];
  readonly secrets: readonly SecretDefinition[];
}
