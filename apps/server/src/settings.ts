/**
 * Every setting once: name, environment variable, type, default, unit, meaning. Nothing else reads the environment.
 * Unknown `BAILIWICK_*` variables and bad values are errors, all reported together at start. `docs/reference/settings.md` is generated.
 * Over 500 lines because it is one flat table: a setting is looked for in one place.
 */

type Kind = 'string' | 'integer' | 'number' | 'boolean' | 'list' | 'secret' | { readonly oneOf: readonly string[] };

export interface SettingDefinition {
  readonly variable: string;
  readonly kind: Kind;
  readonly default: string;
  readonly min?: number;
  readonly max?: number;
  readonly meaning: string;
}

const define = <T extends Record<string, SettingDefinition>>(table: T): T => table;

/** `list` is comma-separated. An empty default means: not set. */
export const settingDefinitions = define({
  host: {
    variable: 'BAILIWICK_HOST',
    kind: 'string',
    default: '127.0.0.1',
    meaning: 'Address the public port listens on.',
  },
  port: {
    variable: 'BAILIWICK_PORT',
    kind: 'integer',
    default: '9080',
    min: 0,
    max: 65_535,
    meaning: 'The one public port: the gateway. 0 takes a free one.',
  },
  dataDirectory: {
    variable: 'BAILIWICK_DATA_DIR',
    kind: 'string',
    default: './data',
    meaning: 'The folder that holds all embedded state, keys and the bootstrap token.',
  },
  roles: {
    variable: 'BAILIWICK_ROLES',
    kind: 'list',
    default: 'gateway,control,decide,sync,rag,worker',
    meaning: 'Roles this process plays.',
  },
  instanceId: {
    variable: 'BAILIWICK_INSTANCE_ID',
    kind: 'string',
    default: '',
    meaning: 'Name of this instance in lists and metrics; made up when empty.',
  },
  workers: {
    variable: 'BAILIWICK_WORKERS',
    kind: 'integer',
    default: '1',
    min: 1,
    max: 64,
    meaning:
      'Processes that carry the gateway’s traffic. 1: the main process itself; more: so many beside it, which share the public port and follow it.',
  },
  demo: {
    variable: 'BAILIWICK_DEMO',
    kind: 'boolean',
    default: 'true',
    meaning: 'Seed the demo project and run its demo upstream on a first start (`--no-demo` turns it off).',
  },
  controlPort: {
    variable: 'BAILIWICK_CONTROL_PORT',
    kind: 'integer',
    default: '0',
    min: 0,
    max: 65_535,
    meaning:
      'Port of the control plane’s own listener. 0: none beside the gateway in the same process, a free one otherwise.',
  },
  controlHost: {
    variable: 'BAILIWICK_CONTROL_HOST',
    kind: 'string',
    default: '127.0.0.1',
    meaning: 'Address the control plane listens on.',
  },
  opaAddress: {
    variable: 'BAILIWICK_OPA_ADDRESS',
    kind: 'string',
    default: '',
    meaning:
      'host:port of an extra listener that speaks OPA’s REST API without tokens, for a private network (an APISIX beside us). Off when empty.',
  },
  busyPollMicroseconds: {
    variable: 'BAILIWICK_BUSY_POLL_US',
    kind: 'integer',
    default: '400',
    min: 0,
    max: 10_000,
    meaning:
      'How long the process looks for the next decision or flag request before it sleeps, in microseconds, where callers come back that soon. 0: never; spares the processor.',
  },
  gatewayFile: {
    variable: 'BAILIWICK_GATEWAY_FILE',
    kind: 'string',
    default: '',
    meaning: 'The apisix.yaml the gateway reads. Default: deploy/apisix/apisix.yaml of this installation.',
  },
  apisixFile: {
    variable: 'BAILIWICK_APISIX_FILE',
    kind: 'string',
    default: '',
    meaning:
      'Where the gateway’s file and managed resources are written as one apisix.yaml for a real APISIX. Not written when empty.',
  },
  apisixEtcdPrefix: {
    variable: 'BAILIWICK_APISIX_ETCD_PREFIX',
    kind: 'string',
    default: '',
    meaning:
      'Prefix (such as /apisix) under which managed gateway resources are also written as APISIX’s own keys. None when empty.',
  },
  tlsPort: {
    variable: 'BAILIWICK_TLS_PORT',
    kind: 'integer',
    default: '0',
    min: 0,
    max: 65_535,
    meaning: 'A second public port with TLS, by the certificates of the gateway file’s `ssls`. 0: none.',
  },
  secretCacheSeconds: {
    variable: 'BAILIWICK_SECRET_CACHE_SECONDS',
    kind: 'integer',
    default: '300',
    min: 1,
    meaning:
      'How long the gateway uses a secret before it asks for it again, in seconds; a lease that ends sooner counts.',
  },
  publicUrl: {
    variable: 'BAILIWICK_PUBLIC_URL',
    kind: 'string',
    default: '',
    meaning: 'The address users reach the gateway at; also the built-in issuer’s. Default: http://HOST:PORT.',
  },

  keyValueStore: {
    variable: 'BAILIWICK_KEY_VALUE_STORE',
    kind: { oneOf: ['embedded', 'etcd'] },
    default: 'embedded',
    meaning: 'Where live policies are kept.',
  },
  etcdEndpoints: {
    variable: 'BAILIWICK_ETCD_ENDPOINTS',
    kind: 'list',
    default: 'http://127.0.0.1:2379',
    meaning: 'etcd’s client addresses.',
  },
  etcdUsername: { variable: 'BAILIWICK_ETCD_USERNAME', kind: 'string', default: '', meaning: 'etcd user.' },
  etcdPassword: { variable: 'BAILIWICK_ETCD_PASSWORD', kind: 'secret', default: '', meaning: 'etcd password.' },
  etcdCaFile: {
    variable: 'BAILIWICK_ETCD_CA_FILE',
    kind: 'string',
    default: '',
    meaning: 'PEM file of the authority that signed etcd’s certificates.',
  },
  etcdCertFile: {
    variable: 'BAILIWICK_ETCD_CERT_FILE',
    kind: 'string',
    default: '',
    meaning: 'PEM client certificate for etcd.',
  },
  etcdKeyFile: {
    variable: 'BAILIWICK_ETCD_KEY_FILE',
    kind: 'string',
    default: '',
    meaning: 'PEM client key for etcd.',
  },
  policyArchive: {
    variable: 'BAILIWICK_POLICY_ARCHIVE',
    kind: { oneOf: ['embedded', 'mongodb'] },
    default: 'embedded',
    meaning: 'Where policy versions and the audit trail are kept.',
  },
  mongodbUrl: { variable: 'BAILIWICK_MONGODB_URL', kind: 'secret', default: '', meaning: 'MongoDB connection string.' },
  mongodbDatabase: {
    variable: 'BAILIWICK_MONGODB_DATABASE',
    kind: 'string',
    default: 'bailiwick',
    meaning: 'MongoDB database.',
  },
  relationalStore: {
    variable: 'BAILIWICK_RELATIONAL_STORE',
    kind: { oneOf: ['embedded', 'postgres'] },
    default: 'embedded',
    meaning: 'Where configuration, flags, rollouts and their history are kept.',
  },
  postgresUrl: {
    variable: 'BAILIWICK_POSTGRES_URL',
    kind: 'secret',
    default: '',
    meaning: 'PostgreSQL connection string, postgres://user:password@host:port/database.',
  },
  postgresReadUrl: {
    variable: 'BAILIWICK_POSTGRES_READ_URL',
    kind: 'secret',
    default: '',
    meaning: 'A read replica for history and reports, which may lag. Empty: the primary answers them too.',
  },
  postgresPoolSize: {
    variable: 'BAILIWICK_POSTGRES_POOL_SIZE',
    kind: 'integer',
    default: '20',
    min: 1,
    max: 500,
    meaning: 'Connections to PostgreSQL at most, for each of the two.',
  },
  postgresCaFile: {
    variable: 'BAILIWICK_POSTGRES_CA_FILE',
    kind: 'string',
    default: '',
    meaning: 'PEM file of the authority that signed PostgreSQL’s certificate; TLS is used when it is set.',
  },
  postgresPrepared: {
    variable: 'BAILIWICK_POSTGRES_PREPARED',
    kind: 'boolean',
    default: 'true',
    meaning: 'Prepare statements. Off behind a pooler that forgets them.',
  },
  secretStore: {
    variable: 'BAILIWICK_SECRET_STORE',
    kind: { oneOf: ['embedded', 'vault'] },
    default: 'embedded',
    meaning:
      'Where secrets are kept, and what wraps the data keys of sensitive configuration. Several instances share one Vault.',
  },
  vaultAddress: {
    variable: 'BAILIWICK_VAULT_ADDRESS',
    kind: 'string',
    default: 'http://127.0.0.1:8200',
    meaning: 'Address of Vault or OpenBao.',
  },
  vaultRoleId: { variable: 'BAILIWICK_VAULT_ROLE_ID', kind: 'string', default: '', meaning: 'Role id for AppRole.' },
  vaultSecretId: {
    variable: 'BAILIWICK_VAULT_SECRET_ID',
    kind: 'secret',
    default: '',
    meaning: 'Secret id for AppRole.',
  },
  vaultToken: {
    variable: 'BAILIWICK_VAULT_TOKEN',
    kind: 'secret',
    default: '',
    meaning: 'A token, instead of AppRole.',
  },
  vaultNamespace: { variable: 'BAILIWICK_VAULT_NAMESPACE', kind: 'string', default: '', meaning: 'Vault namespace.' },
  vaultPrefix: {
    variable: 'BAILIWICK_VAULT_PREFIX',
    kind: 'string',
    default: 'secret/bailiwick',
    meaning: 'Mount of the KV 2 engine and a folder in it.',
  },
  vaultTransitKey: {
    variable: 'BAILIWICK_VAULT_TRANSIT_KEY',
    kind: 'string',
    default: 'bailiwick',
    meaning: 'Key of the transit engine (mounted at `transit`) that wraps data keys.',
  },
  vaultCaFile: {
    variable: 'BAILIWICK_VAULT_CA_FILE',
    kind: 'string',
    default: '',
    meaning: 'PEM file of the authority that signed Vault’s certificate.',
  },
  vaultClientCertFile: {
    variable: 'BAILIWICK_VAULT_CLIENT_CERT_FILE',
    kind: 'string',
    default: '',
    meaning: 'PEM file of the certificate that is shown to a Vault which demands one.',
  },
  vaultClientKeyFile: {
    variable: 'BAILIWICK_VAULT_CLIENT_KEY_FILE',
    kind: 'string',
    default: '',
    meaning: 'PEM file of its key.',
  },
  cache: {
    variable: 'BAILIWICK_CACHE',
    kind: { oneOf: ['memory', 'redis'] },
    default: 'memory',
    meaning: 'Shared short-lived memory: snapshots, exact rate limits, messages between instances.',
  },
  redisUrl: {
    variable: 'BAILIWICK_REDIS_URL',
    kind: 'secret',
    default: 'redis://127.0.0.1:6379',
    meaning: 'Redis, redis://[user:password@]host:port[/database]; rediss:// for TLS.',
  },
  redisSentinels: {
    variable: 'BAILIWICK_REDIS_SENTINELS',
    kind: 'list',
    default: '',
    meaning: 'host:port of each Sentinel; user, password and database are taken from the URL.',
  },
  redisMasterName: {
    variable: 'BAILIWICK_REDIS_MASTER_NAME',
    kind: 'string',
    default: 'mymaster',
    meaning: 'What the Sentinels call the master.',
  },
  redisClusterNodes: {
    variable: 'BAILIWICK_REDIS_CLUSTER_NODES',
    kind: 'list',
    default: '',
    meaning: 'host:port of some nodes of a Redis Cluster.',
  },
  eventBus: {
    variable: 'BAILIWICK_EVENT_BUS',
    kind: { oneOf: ['memory', 'rabbitmq'] },
    default: 'memory',
    meaning: 'What carries change events to webhooks and to other systems.',
  },
  rabbitmqUrls: {
    variable: 'BAILIWICK_RABBITMQ_URLS',
    kind: 'list',
    default: '',
    meaning: 'RabbitMQ, amqp://user:password@host:port/vhost; several are tried in turn.',
  },
  documentCatalog: {
    variable: 'BAILIWICK_DOCUMENT_CATALOG',
    kind: { oneOf: ['relational', 'cosmos', 'mongodb'] },
    default: 'relational',
    meaning:
      'Where documents, their chunks and vectors are kept. relational: with BAILIWICK_RELATIONAL_STORE; cosmos: in Cosmos DB; mongodb: with BAILIWICK_MONGODB_URL.',
  },
  cosmosEndpoint: {
    variable: 'BAILIWICK_COSMOS_ENDPOINT',
    kind: 'string',
    default: '',
    meaning: 'Cosmos DB account, https://ACCOUNT.documents.azure.com:443/. One region that writes.',
  },
  cosmosKey: {
    variable: 'BAILIWICK_COSMOS_KEY',
    kind: 'secret',
    default: '',
    meaning: 'Key of that account, which may read and write.',
  },
  cosmosDatabase: {
    variable: 'BAILIWICK_COSMOS_DATABASE',
    kind: 'string',
    default: 'bailiwick',
    meaning: 'Cosmos DB database; made when it is missing.',
  },
  cosmosContainer: {
    variable: 'BAILIWICK_COSMOS_CONTAINER',
    kind: 'string',
    default: 'documents',
    meaning:
      'Cosmos DB container; made when it is missing, with the partition key /project and the unique key /uniqueKey.',
  },
  vectorIndex: {
    variable: 'BAILIWICK_VECTOR_INDEX',
    kind: { oneOf: ['embedded', 'pgvector', 'chroma', 'qdrant', 'milvus'] },
    default: 'embedded',
    meaning:
      'What finds the nearest vectors. embedded: in memory. All are made again from the catalog when they are lost.',
  },
  pgvectorUrl: {
    variable: 'BAILIWICK_PGVECTOR_URL',
    kind: 'secret',
    default: '',
    meaning: 'PostgreSQL with the extension `vector`, postgres://user:password@host:port/database.',
  },
  pgvectorPoolSize: {
    variable: 'BAILIWICK_PGVECTOR_POOL_SIZE',
    kind: 'integer',
    default: '20',
    min: 1,
    max: 500,
    meaning: 'Connections to it at most.',
  },
  pgvectorCaFile: {
    variable: 'BAILIWICK_PGVECTOR_CA_FILE',
    kind: 'string',
    default: '',
    meaning: 'PEM file of the authority that signed its certificate; TLS is used when it is set.',
  },
  chromaUrl: {
    variable: 'BAILIWICK_CHROMA_URL',
    kind: 'string',
    default: '',
    meaning: 'Chroma, http://host:8000.',
  },
  chromaApiKey: {
    variable: 'BAILIWICK_CHROMA_API_KEY',
    kind: 'secret',
    default: '',
    meaning: 'Key for Chroma, sent as `x-chroma-token`. None when empty.',
  },
  chromaTenant: {
    variable: 'BAILIWICK_CHROMA_TENANT',
    kind: 'string',
    default: 'default_tenant',
    meaning: 'Chroma’s tenant.',
  },
  chromaDatabase: {
    variable: 'BAILIWICK_CHROMA_DATABASE',
    kind: 'string',
    default: 'default_database',
    meaning: 'Chroma’s database.',
  },
  qdrantUrl: {
    variable: 'BAILIWICK_QDRANT_URL',
    kind: 'string',
    default: '',
    meaning: 'Qdrant’s REST API, http://host:6333.',
  },
  qdrantApiKey: {
    variable: 'BAILIWICK_QDRANT_API_KEY',
    kind: 'secret',
    default: '',
    meaning: 'Key for Qdrant, sent as `api-key`. None when empty.',
  },
  milvusUrl: {
    variable: 'BAILIWICK_MILVUS_URL',
    kind: 'string',
    default: '',
    meaning: 'Milvus’s RESTful API, http://host:19530.',
  },
  milvusToken: {
    variable: 'BAILIWICK_MILVUS_TOKEN',
    kind: 'secret',
    default: '',
    meaning: 'Token for Milvus, user:password or an API key. None when empty.',
  },
  milvusDatabase: {
    variable: 'BAILIWICK_MILVUS_DATABASE',
    kind: 'string',
    default: 'default',
    meaning: 'Milvus’s database.',
  },
  configPollMs: {
    variable: 'BAILIWICK_CONFIG_POLL_MS',
    kind: 'integer',
    default: '1000',
    min: 50,
    max: 60_000,
    meaning: 'How often an instance looks for changes that no message told it of, in milliseconds.',
  },
  maxConfigValueChars: {
    variable: 'BAILIWICK_MAX_CONFIG_VALUE_CHARS',
    kind: 'integer',
    default: '262144',
    min: 1024,
    max: 1_048_576,
    meaning: 'Largest configuration value, in characters of its JSON.',
  },
  corsOrigins: {
    variable: 'BAILIWICK_CORS_ORIGINS',
    kind: 'list',
    default: '',
    meaning: 'Origins whose pages may read configuration and flags (client keys); * for all.',
  },
  readsPerMinute: {
    variable: 'BAILIWICK_READS_PER_MINUTE',
    kind: 'integer',
    default: '0',
    min: 0,
    max: 1_000_000_000,
    meaning:
      'How often an API key may fetch configuration or evaluate flags a minute, over all instances that share a cache. 0: no limit.',
  },
  webhookPrivateAddresses: {
    variable: 'BAILIWICK_WEBHOOK_PRIVATE_ADDRESSES',
    kind: 'boolean',
    default: 'false',
    meaning: 'Permits webhooks to private and loopback addresses.',
  },
  prometheusUrl: {
    variable: 'BAILIWICK_PROMETHEUS_URL',
    kind: 'string',
    default: '',
    meaning: 'The Prometheus that guards of rollouts ask their PromQL queries.',
  },
  rolloutTickMs: {
    variable: 'BAILIWICK_ROLLOUT_TICK_MS',
    kind: 'integer',
    default: '1000',
    min: 20,
    max: 60_000,
    meaning: 'How often steps that are due are taken and guards are asked, in milliseconds.',
  },
  opaUrls: {
    variable: 'BAILIWICK_OPA_URLS',
    kind: 'list',
    default: '',
    meaning: 'Real OPAs that the sync role keeps current by REST push.',
  },

  maxDocumentBytes: {
    variable: 'BAILIWICK_MAX_DOCUMENT_BYTES',
    kind: 'integer',
    default: '52428800',
    min: 1,
    meaning: 'The largest file that the RAG service takes in.',
  },
  documentDirectory: {
    variable: 'BAILIWICK_DOCUMENT_DIR',
    kind: 'string',
    default: '',
    meaning:
      'Where the files themselves are kept. Default: in the data folder. Instances that share one read what any of them took in; otherwise each reads its own.',
  },
  documentRoots: {
    variable: 'BAILIWICK_DOCUMENT_ROOTS',
    kind: 'list',
    default: '',
    meaning: 'Folders of this machine that references may read, with everything below. None when empty.',
  },
  documentPrivateAddresses: {
    variable: 'BAILIWICK_DOCUMENT_PRIVATE_ADDRESSES',
    kind: 'boolean',
    default: 'false',
    meaning: 'Permits references to pages and repositories at private and loopback addresses.',
  },
  embeddingFolder: {
    variable: 'BAILIWICK_EMBEDDING_DIR',
    kind: 'string',
    default: '',
    meaning:
      'Where the embedding model lies (`npx bailiwick rag fetch-model`). Default: the user’s cache folder. Without a model documents are found by words.',
  },
  embeddingThreads: {
    variable: 'BAILIWICK_EMBEDDING_THREADS',
    kind: 'integer',
    default: '1',
    min: 1,
    max: 64,
    meaning: 'Threads that run the embedding model.',
  },
  embeddingUrl: {
    variable: 'BAILIWICK_EMBEDDING_URL',
    kind: 'string',
    default: '',
    meaning: 'An OpenAI-compatible service instead of our own model, up to and including /embeddings.',
  },
  embeddingModel: {
    variable: 'BAILIWICK_EMBEDDING_MODEL',
    kind: 'string',
    default: '',
    meaning: 'That service’s model.',
  },
  embeddingDimensions: {
    variable: 'BAILIWICK_EMBEDDING_DIMENSIONS',
    kind: 'integer',
    default: '1536',
    min: 1,
    max: 16_384,
    meaning: 'Components of that model’s vectors.',
  },
  embeddingToken: {
    variable: 'BAILIWICK_EMBEDDING_TOKEN',
    kind: 'secret',
    default: '',
    meaning: 'Bearer token for that service.',
  },
  llmUrl: {
    variable: 'BAILIWICK_LLM_URL',
    kind: 'string',
    default: '',
    meaning:
      'Where answers are written: OpenAI’s chat completions, up to and including /chat/completions, usually a route of this gateway. Sentences are extracted when empty.',
  },
  llmModel: {
    variable: 'BAILIWICK_LLM_MODEL',
    kind: 'string',
    default: '',
    meaning: 'The model asked for; empty: the route decides.',
  },
  llmMaxTokens: {
    variable: 'BAILIWICK_LLM_MAX_TOKENS',
    kind: 'integer',
    default: '800',
    min: 16,
    meaning: 'Tokens of an answer, at most.',
  },
  llmTimeoutMs: {
    variable: 'BAILIWICK_LLM_TIMEOUT_MS',
    kind: 'integer',
    default: '30000',
    min: 100,
    meaning: 'How long the language model may be silent, in milliseconds.',
  },
  rerankUrl: {
    variable: 'BAILIWICK_RERANK_URL',
    kind: 'string',
    default: '',
    meaning: 'A reranker (Cohere’s, Jina’s form), up to and including /rerank. None when empty.',
  },
  rerankModel: { variable: 'BAILIWICK_RERANK_MODEL', kind: 'string', default: '', meaning: 'The reranker’s model.' },
  rerankToken: {
    variable: 'BAILIWICK_RERANK_TOKEN',
    kind: 'secret',
    default: '',
    meaning: 'Bearer token for the reranker.',
  },
  opaToken: { variable: 'BAILIWICK_OPA_TOKEN', kind: 'secret', default: '', meaning: 'Bearer token for those OPAs.' },

  maxRegoBytes: {
    variable: 'BAILIWICK_MAX_REGO_BYTES',
    kind: 'integer',
    default: '524288',
    min: 1,
    meaning: 'Largest Rego text, in bytes (UTF-8).',
  },
  maxDataBytes: {
    variable: 'BAILIWICK_MAX_DATA_BYTES',
    kind: 'integer',
    default: '1048576',
    min: 2,
    meaning: 'Largest data document, in bytes of compact JSON.',
  },
  maxJsonDepth: {
    variable: 'BAILIWICK_MAX_JSON_DEPTH',
    kind: 'integer',
    default: '64',
    min: 4,
    max: 512,
    meaning: 'Deepest nesting of a JSON body.',
  },
  keptVersions: {
    variable: 'BAILIWICK_KEPT_VERSIONS',
    kind: 'integer',
    default: '50',
    min: 5,
    meaning: 'Versions kept of each policy.',
  },
  idempotencyHours: {
    variable: 'BAILIWICK_IDEMPOTENCY_HOURS',
    kind: 'integer',
    default: '24',
    min: 1,
    meaning: 'How long an Idempotency-Key is remembered, in hours.',
  },
  allowedBuiltins: {
    variable: 'BAILIWICK_ALLOWED_BUILTINS',
    kind: 'list',
    default: '',
    meaning:
      'Built-ins that reach outside and that projects may use all the same (http.send, net.lookup_ip_addr, opa.runtime).',
  },
  decisionTimeoutMs: {
    variable: 'BAILIWICK_DECISION_TIMEOUT_MS',
    kind: 'integer',
    default: '50',
    min: 1,
    meaning: 'A decision that takes longer is a denial, in milliseconds.',
  },
  decisionSteps: {
    variable: 'BAILIWICK_DECISION_STEPS',
    kind: 'integer',
    default: '2000000',
    min: 1000,
    meaning: 'Evaluation steps after which a decision is a denial.',
  },
  requireCleanCheck: {
    variable: 'BAILIWICK_REQUIRE_CLEAN_CHECK',
    kind: 'list',
    default: '',
    meaning:
      'Scopes (platform, projects, or a project’s name) whose writes need a check without flips, or `acknowledge_flips`.',
  },
  requireApproval: {
    variable: 'BAILIWICK_REQUIRE_APPROVAL',
    kind: 'list',
    default: '',
    meaning:
      'Scopes whose writes need a second person’s approval. Policies: platform, projects, or a project’s name; configuration: configs, app:NAME or app:NAME/ENVIRONMENT.',
  },
  breakGlass: {
    variable: 'BAILIWICK_BREAK_GLASS',
    kind: 'boolean',
    default: 'false',
    meaning: 'Permits a platform policy that locks its own author out. For emergencies.',
  },

  issuers: {
    variable: 'BAILIWICK_ISSUERS',
    kind: 'list',
    default: '',
    meaning: 'Issuers of tokens we accept, by OIDC discovery, beside the built-in one.',
  },
  jwksFile: {
    variable: 'BAILIWICK_JWKS_FILE',
    kind: 'string',
    default: '',
    meaning: 'A static JWKS file whose keys are accepted for `BAILIWICK_JWKS_ISSUER`.',
  },
  jwksIssuer: {
    variable: 'BAILIWICK_JWKS_ISSUER',
    kind: 'string',
    default: '',
    meaning: 'The `iss` of tokens signed by the keys of BAILIWICK_JWKS_FILE.',
  },
  audience: {
    variable: 'BAILIWICK_AUDIENCE',
    kind: 'string',
    default: 'bailiwick',
    meaning: 'The `aud` that a token must carry.',
  },
  clockLeewaySeconds: {
    variable: 'BAILIWICK_CLOCK_LEEWAY_SECONDS',
    kind: 'integer',
    default: '30',
    min: 0,
    max: 300,
    meaning: 'Leeway for `exp` and `nbf`, in seconds.',
  },
  builtInIssuer: {
    variable: 'BAILIWICK_BUILT_IN_ISSUER',
    kind: 'boolean',
    default: 'true',
    meaning: 'Run the built-in OIDC issuer under /oidc (local use).',
  },

  auditRetentionDays: {
    variable: 'BAILIWICK_AUDIT_RETENTION_DAYS',
    kind: 'integer',
    default: '90',
    min: 1,
    meaning: 'Days audit records are kept.',
  },
  decisionLog: {
    variable: 'BAILIWICK_DECISION_LOG',
    kind: { oneOf: ['all', 'denied', 'off'] },
    default: 'all',
    meaning: 'Which decisions are logged.',
  },
  decisionLogSample: {
    variable: 'BAILIWICK_DECISION_LOG_SAMPLE',
    kind: 'number',
    default: '1',
    min: 0,
    max: 1,
    meaning: 'Share of the allowed decisions that is logged; denied ones always are.',
  },
  decisionLogKept: {
    variable: 'BAILIWICK_DECISION_LOG_KEPT',
    kind: 'integer',
    default: '100000',
    min: 100,
    meaning: 'Decisions kept for search and replay.',
  },
  replayedDecisions: {
    variable: 'BAILIWICK_REPLAYED_DECISIONS',
    kind: 'integer',
    default: '1000',
    min: 1,
    max: 10_000,
    meaning: 'Logged decisions that a check replays against a draft.',
  },

  metricsPublic: {
    variable: 'BAILIWICK_METRICS_PUBLIC',
    kind: 'boolean',
    default: 'true',
    meaning: 'Serve /metrics on the public address without a token.',
  },
  logLevel: {
    variable: 'BAILIWICK_LOG_LEVEL',
    kind: { oneOf: ['debug', 'info', 'warn', 'error', 'silent'] },
    default: 'info',
    meaning: 'Least level that is logged.',
  },
  otlpEndpoint: {
    variable: 'BAILIWICK_OTLP_ENDPOINT',
    kind: 'string',
    default: '',
    meaning: 'OTLP/HTTP endpoint for traces; no traces are sent when empty.',
  },
  upstreamTimeoutMs: {
    variable: 'BAILIWICK_UPSTREAM_TIMEOUT_MS',
    kind: 'integer',
    default: '60000',
    min: 1,
    meaning: 'Longest silence of an upstream when its route says nothing else, in milliseconds.',
  },
  maxProxyBodyBytes: {
    variable: 'BAILIWICK_MAX_PROXY_BODY_BYTES',
    kind: 'integer',
    default: '104857600',
    min: 1,
    meaning: 'Largest request body that the gateway passes on, in bytes.',
  },
});

type Definitions = typeof settingDefinitions;
type ValueOf<K> = K extends 'integer' | 'number'
  ? number
  : K extends 'boolean'
    ? boolean
    : K extends 'list'
      ? readonly string[]
      : string;
export type Settings = { readonly [N in keyof Definitions]: ValueOf<Definitions[N]['kind']> };

/** Thrown with every fault of the environment and the command line at once. */
export class SettingsError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`Bailiwick cannot start with these settings:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

/** Reads the environment; `overrides` (command line, tests) win. */
export function readSettings(
  environment: Readonly<Record<string, string | undefined>>,
  overrides: Partial<Record<keyof Definitions, string>> = {},
): Settings {
  const faults: string[] = [];
  const known = new Set<string>(Object.values(settingDefinitions).map((definition) => definition.variable));
  for (const name of Object.keys(environment)) {
    if (name.startsWith('BAILIWICK_') && !known.has(name) && !otherVariables.has(name))
      faults.push(`${name} is not a setting of Bailiwick; see docs/reference/settings.md.`);
  }
  const values: Record<string, unknown> = {};
  for (const [name, definition] of Object.entries(settingDefinitions) as [keyof Definitions, SettingDefinition][]) {
    const text = overrides[name] ?? environment[definition.variable] ?? definition.default;
    const parsed = parseSetting(definition, text);
    if (parsed instanceof Error) faults.push(parsed.message);
    else values[name] = parsed.value;
  }
  faults.push(...missingFor(values));
  if (faults.length > 0) throw new SettingsError(faults);
  return values as Settings;
}

/** What a choice needs: a setting, its value, and the settings that must then not be empty. */
const needs: readonly (readonly [keyof Definitions, string, readonly (keyof Definitions)[]])[] = [
  ['policyArchive', 'mongodb', ['mongodbUrl']],
  ['relationalStore', 'postgres', ['postgresUrl']],
  ['eventBus', 'rabbitmq', ['rabbitmqUrls']],
  ['documentCatalog', 'mongodb', ['mongodbUrl']],
  ['documentCatalog', 'cosmos', ['cosmosEndpoint', 'cosmosKey']],
  ['vectorIndex', 'pgvector', ['pgvectorUrl']],
  ['vectorIndex', 'chroma', ['chromaUrl']],
  ['vectorIndex', 'qdrant', ['qdrantUrl']],
  ['vectorIndex', 'milvus', ['milvusUrl']],
];

const webAddresses: ReadonlySet<keyof Definitions> = new Set(['cosmosEndpoint', 'chromaUrl', 'qdrantUrl', 'milvusUrl']);

const isWebAddress = (value: unknown): boolean =>
  typeof value === 'string' && /^https?:[/][/]/i.test(value) && URL.canParse(value);

function missingFor(values: Readonly<Record<string, unknown>>): readonly string[] {
  return needs.flatMap(([choice, value, needed]) => {
    if (values[choice] !== value) return [];
    const missing = needed.filter((name) => values[name] === '' || (values[name] as readonly unknown[])?.length === 0);
    const chosen = `${settingDefinitions[choice].variable}=${value}`;
    const unfit = needed.filter(
      (name) => webAddresses.has(name) && !missing.includes(name) && !isWebAddress(values[name]),
    );
    return [
      ...missing.map((name) => `${settingDefinitions[name].variable} must be set with ${chosen}.`),
      ...unfit.map((name) => `${settingDefinitions[name].variable} must be an address with http:// or https://.`),
    ];
  });
}

/** Read by the test tools, not by the server. */
const otherVariables = new Set(['BAILIWICK_BACKENDS', 'BAILIWICK_URL', 'BAILIWICK_TOKEN']);

function parseSetting(definition: SettingDefinition, text: string): { value: unknown } | Error {
  const { kind, variable } = definition;
  if (typeof kind === 'object') {
    return kind.oneOf.includes(text)
      ? { value: text }
      : new Error(`${variable} is '${text}', must be one of ${kind.oneOf.join(', ')}.`);
  }
  switch (kind) {
    case 'string':
    case 'secret':
      return { value: text };
    case 'list':
      return {
        value: text
          .split(',')
          .map((item) => item.trim())
          .filter((item) => item !== ''),
      };
    case 'boolean':
      if (/^(true|1|yes|on)$/i.test(text)) return { value: true };
      if (/^(false|0|no|off)$/i.test(text)) return { value: false };
      return new Error(`${variable} is '${text}', must be true or false.`);
    case 'integer':
    case 'number': {
      const value = text.trim() === '' ? Number.NaN : Number(text);
      if (!Number.isFinite(value) || (kind === 'integer' && !Number.isInteger(value)))
        return new Error(`${variable} is '${text}', must be ${kind === 'integer' ? 'a whole number' : 'a number'}.`);
      if (definition.min !== undefined && value < definition.min)
        return new Error(`${variable} is ${text}, must be at least ${definition.min}.`);
      if (definition.max !== undefined && value > definition.max)
        return new Error(`${variable} is ${text}, must be at most ${definition.max}.`);
      return { value };
    }
  }
}
