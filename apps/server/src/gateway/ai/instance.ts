/**
 * One configured model of one provider, ready to be asked: its address and credentials (the file's alone), what it sets or defaults in the
 * request, and the backend that speaks its format.
 */
import { type Static, Type } from '@sinclair/typebox';
import { closed, oneOf } from '../resource-schemas.js';
import { GcpToken, serviceAccountFault } from './gcp-token.js';
import type { Json, LlmCall, LlmKind } from './llm-call.js';
import { type ProviderName, providerNames, providers } from './providers.js';
import { Transport } from './transport.js';

/** Header lines or parameters of an address by their names. */
export const texts = Type.Record(Type.String({ pattern: '^[a-zA-Z0-9._-]+$' }), Type.String(), closed);

const anyObject = Type.Optional(Type.Record(Type.String(), Type.Unknown()));

/** Fields of `ai-proxy` itself, and of each of `ai-proxy-multi`'s instances. */
export const instanceFields = {
  provider: oneOf(providerNames),
  provider_conf: Type.Optional(
    Type.Object(
      {
        region: Type.Optional(Type.String({ minLength: 1 })),
        /** Google's, for `vertex-ai`. */
        project_id: Type.Optional(Type.String({ minLength: 1 })),
      },
      closed,
    ),
  ),
  auth: Type.Object(
    {
      header: Type.Optional(texts),
      query: Type.Optional(texts),
      aws: Type.Optional(
        Type.Object(
          {
            access_key_id: Type.String({ minLength: 1 }),
            secret_access_key: Type.String({ minLength: 1 }),
            session_token: Type.Optional(Type.String({ minLength: 1 })),
          },
          closed,
        ),
      ),
      gcp: Type.Optional(
        Type.Object(
          {
            service_account_json: Type.Optional(Type.String()),
            /** Seconds, both. */
            expire_early_secs: Type.Integer({ minimum: 0, default: 60 }),
            max_ttl: Type.Optional(Type.Integer({ minimum: 1 })),
          },
          closed,
        ),
      ),
    },
    closed,
  ),
  options: Type.Optional(Type.Object({ model: Type.Optional(Type.String()) }, { additionalProperties: true })),
  override: Type.Optional(
    Type.Object(
      {
        endpoint: Type.Optional(Type.String({ minLength: 1, pattern: '^https?://' })),
        llm_options: Type.Optional(Type.Object({ max_tokens: Type.Optional(Type.Integer({ minimum: 1 })) }, closed)),
        request_body: Type.Optional(
          Type.Object(
            {
              'openai-chat': anyObject,
              'openai-responses': anyObject,
              'openai-embeddings': anyObject,
              'anthropic-messages': anyObject,
            },
            closed,
          ),
        ),
        request_body_force_override: Type.Boolean({ default: false }),
      },
      closed,
    ),
  ),
};

/** Fields that `ai-proxy` and `ai-proxy-multi` share. */
export const connectionFields = {
  /** Milliseconds, as all of them here. */
  timeout: Type.Integer({ minimum: 1, maximum: 600_000, default: 30_000 }),
  keepalive: Type.Boolean({ default: true }),
  keepalive_timeout: Type.Integer({ minimum: 1000, default: 60_000 }),
  keepalive_pool: Type.Integer({ minimum: 1, default: 30 }),
  ssl_verify: Type.Boolean({ default: true }),
  max_req_body_size: Type.Integer({ minimum: 1, default: 67_108_864 }),
  max_response_bytes: Type.Optional(Type.Integer({ minimum: 1 })),
  max_stream_duration_ms: Type.Optional(Type.Integer({ minimum: 1 })),
  /** Pieces of a stream that come in a burst are held back so long at most, and go out together; 0: each goes at once. */
  streaming_flush_interval_ms: Type.Integer({ minimum: 0, default: 10 }),
  logging: Type.Optional(
    Type.Object({ summaries: Type.Boolean({ default: false }), payloads: Type.Boolean({ default: false }) }, closed),
  ),
};

const instanceSchema = Type.Object(instanceFields);
const connectionSchema = Type.Object(connectionFields);
export type InstanceConfiguration = Static<typeof instanceSchema> & { readonly name: string };
export type ConnectionConfiguration = Static<typeof connectionSchema>;

/** What the schemas cannot say; undefined when it is right. */
export function instanceFault({
  provider,
  override,
  auth,
  provider_conf: conf,
}: Omit<InstanceConfiguration, 'name'>): string | undefined {
  const { endpoint } = override ?? {};
  if (endpoint !== undefined) {
    if (!URL.canParse(endpoint)) return `'${endpoint}' is no address`;
    const { username, password } = new URL(endpoint);
    if (username !== '' || password !== '') return 'credentials belong to auth, not into the endpoint';
  }
  if (provider === 'bedrock') {
    if (!auth.aws) return 'bedrock needs auth.aws';
    if (conf?.region === undefined && endpoint === undefined) return 'bedrock needs provider_conf.region';
  } else if (auth.aws) return 'auth.aws is for bedrock';
  if (auth.gcp) {
    const { service_account_json: account } = auth.gcp;
    if (provider === 'bedrock' || provider === 'anthropic') return `auth.gcp is not for ${provider}`;
    if (account === undefined)
      return 'auth.gcp needs service_account_json, such as $env://GCP_SERVICE_ACCOUNT or $secret://…';
    const fault = serviceAccountFault(account);
    if (fault !== undefined) return fault;
  }
  if (provider === 'vertex-ai') {
    if (endpoint === undefined && (conf?.region === undefined || conf.project_id === undefined))
      return 'vertex-ai needs provider_conf.project_id and provider_conf.region, or override.endpoint';
  } else if (conf?.project_id !== undefined) return 'provider_conf.project_id is for vertex-ai';
  if (provider !== 'bedrock' && provider !== 'vertex-ai' && endpoint === undefined && !providers[provider].origin)
    return `${provider} needs override.endpoint`;
  const endsHeader = ['\r', '\n', '\0'];
  if (Object.values(auth.header ?? {}).some((value) => endsHeader.some((one) => value.includes(one))))
    return 'auth.header has a line break in a value';
  return undefined;
}

export class Instance {
  readonly name: string;
  readonly provider: ProviderName;
  readonly configuration: InstanceConfiguration;
  readonly url: URL;
  readonly connection: ConnectionConfiguration;
  readonly #hasOwnPath: boolean;
  readonly #authHeaders: readonly string[];
  readonly #query: string;
  readonly #gcp: GcpToken | undefined;
  #transport: Transport | undefined;

  constructor(configuration: InstanceConfiguration, connection: ConnectionConfiguration) {
    const { provider, override, auth, provider_conf: conf } = configuration;
    this.name = configuration.name;
    this.provider = provider;
    this.configuration = configuration;
    this.connection = connection;
    this.url = new URL(override?.endpoint ?? providers[provider].origin ?? regionalOrigin(provider, conf?.region));
    this.#gcp = auth.gcp && new GcpToken(auth.gcp, connection.ssl_verify);
    this.#hasOwnPath = this.url.pathname !== '/';
    this.#authHeaders = Object.entries(auth.header ?? {}).map(([name, value]) => `${name}: ${value}`);
    const query = new URLSearchParams(this.url.search);
    for (const [name, value] of Object.entries(auth.query ?? {})) query.set(name, value);
    this.#query = query.size === 0 ? '' : `?${query}`;
  }

  get transport(): Transport {
    const {
      timeout,
      keepalive,
      keepalive_timeout: keepaliveMs,
      keepalive_pool: size,
      ssl_verify: sslVerify,
    } = this.connection;
    this.#transport ??= new Transport({
      url: this.url,
      sslVerify,
      keepaliveMs,
      keepaliveSize: keepalive ? size : 0,
      timeoutMs: timeout,
    });
    return this.#transport;
  }

  /** Lines of the request's head. A promise only while a token has to be fetched, which may be refused. */
  get authHeaders(): readonly string[] | Promise<readonly string[]> {
    const { token } = this;
    if (token === undefined) return this.#authHeaders;
    const withToken = (value: string): readonly string[] => [
      ...this.#authHeaders.filter((line) => !/^authorization:/i.test(line)),
      `authorization: Bearer ${value}`,
    ];
    return typeof token === 'string' ? withToken(token) : token.then(withToken);
  }

  /** Google's, for `auth.gcp`. */
  get token(): string | Promise<string> | undefined {
    return this.#gcp?.get();
  }

  /** What must not be repeated anywhere, beyond what the configuration says. */
  get derivedSecrets(): readonly string[] {
    return this.#gcp?.secrets ?? [];
  }

  /** The model that will be asked for. */
  modelFor(call: LlmCall): string {
    return this.configuration.options?.model ?? call.requestedModel;
  }

  /** With the query; undefined: the format must be translated. */
  nativePath(kind: LlmKind): string | undefined {
    if (this.speaksGoogle) return undefined;
    const path = this.provider === 'vertex-ai' ? this.#vertexPath(kind) : providers[this.provider].native[kind];
    if (path === undefined) return undefined;
    if (!this.#hasOwnPath) return path + this.#query;
    const own = this.url.pathname;
    // An address that is for chats alone takes no other format; its sibling has the embeddings.
    const isChat = own.endsWith('/chat/completions') && kind !== 'openai-chat';
    if (isChat && kind !== 'openai-embeddings') return undefined;
    return (isChat ? own.replace(/chat\/completions$/, 'embeddings') : own) + this.#query;
  }

  /** Chats in OpenAI's format; embeddings have a format of their own there. */
  #vertexPath(kind: LlmKind): string | undefined {
    return kind === 'openai-chat' ? `/v1beta1/${this.vertexLocation}/endpoints/openapi/chat/completions` : undefined;
  }

  get vertexLocation(): string {
    const { project_id: project = '-', region = '-' } = this.configuration.provider_conf ?? {};
    return `projects/${encodeURIComponent(project)}/locations/${encodeURIComponent(region)}`;
  }

  /** `gemini` with Google's own kind of key: its native format, translated. */
  get speaksGoogle(): boolean {
    return (
      this.provider === 'gemini' &&
      Object.keys(this.configuration.auth.header ?? {}).some((name) => name.toLowerCase() === 'x-goog-api-key')
    );
  }

  /** The body with this instance's model, options and overrides; the very object when nothing has to change. */
  bodyFor(call: LlmCall): Record<string, unknown> {
    const { options, override } = this.configuration;
    const changes: Record<string, unknown> = { ...options };
    const most = override?.llm_options?.max_tokens;
    if (most !== undefined && call.kind !== 'openai-embeddings') changes[maxTokensField(call, this.provider)] = most;
    let body = call.body;
    for (const [name, value] of Object.entries(changes)) {
      if (body[name] === value) continue;
      if (body === call.body) body = { ...call.body };
      body[name] = value;
    }
    const defaults = override?.request_body?.[call.kind];
    if (!defaults) return body;
    return merged(body, defaults, override?.request_body_force_override === true);
  }

  close(): void {
    this.#transport?.close();
    this.#gcp?.close();
  }
}

const regionalOrigin = (provider: ProviderName, region = 'us-east-1'): string =>
  provider === 'vertex-ai'
    ? `https://${region}-aiplatform.googleapis.com`
    : `https://bedrock-runtime.${region}.amazonaws.com`;

function maxTokensField({ kind, body }: LlmCall, provider: ProviderName): string {
  if (kind === 'openai-responses') return 'max_output_tokens';
  if (kind === 'openai-chat' && provider === 'vertex-ai') return 'max_completion_tokens';
  return kind === 'openai-chat' && body['max_completion_tokens'] !== undefined ? 'max_completion_tokens' : 'max_tokens';
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Objects field by field; without `isForced` what the client said stays. */
function merged(body: Json, more: Json, isForced: boolean): Record<string, unknown> {
  const result: Record<string, unknown> = { ...body };
  for (const [name, value] of Object.entries(more)) {
    const own = result[name];
    if (isObject(own) && isObject(value)) result[name] = merged(own, value, isForced);
    else if (own === undefined || isForced) result[name] = value;
  }
  return result;
}
