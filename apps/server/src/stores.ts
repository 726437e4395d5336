/** Opens the backends that the settings name: the only file that picks adapters. What is not named is embedded. */
import { readFileSync } from 'node:fs';
import type { Kysely } from 'kysely';
import { openEncryptedFileSecrets } from './adapters/embedded/encrypted-file-secrets.js';
import { localRateLimits } from './adapters/embedded/local-rate-limits.js';
import { type Embedded, openEmbedded } from './adapters/embedded/open-embedded.js';
import { SqliteDecisionStore } from './adapters/embedded/sqlite-decision-store.js';
import { MemoryCache } from './adapters/memory/memory-cache.js';
import { MemoryEventBus } from './adapters/memory/memory-event-bus.js';
import { OpenAiLanguageModel } from './adapters/openai/openai-language-model.js';
import type { Postgres } from './adapters/postgres/open-postgres.js';
import type { DocumentTables } from './adapters/relational/document-tables.js';
import { RelationalDeliveryStore } from './adapters/relational/relational-delivery-store.js';
import { RelationalDocumentCatalog } from './adapters/relational/relational-document-catalog.js';
import { RelationalResourceStore } from './adapters/relational/relational-resource-store.js';
import type { ResourceTables } from './adapters/relational/resource-tables.js';
import { openVaultSecrets } from './adapters/vault/vault-secrets.js';
import type { SecretDefinition } from './gateway/resource-schemas.js';
import type { AnswerStore } from './ports/answer-store.port.js';
import type { AuditLogStore } from './ports/audit-log.port.js';
import type { Cache } from './ports/cache.port.js';
import type { DecisionStore } from './ports/decision-store.port.js';
import type { DeliveryStore } from './ports/delivery-store.port.js';
import type { DocumentCatalog } from './ports/document-catalog.port.js';
import type { Embedder } from './ports/embedder.port.js';
import type { EventBus } from './ports/event-bus.port.js';
import type { KeyValueStore } from './ports/key-value-store.port.js';
import type { LanguageModel } from './ports/language-model.port.js';
import type { PolicyArchive } from './ports/policy-archive.port.js';
import type { RateLimitStore, RedisLocation } from './ports/rate-limit-store.port.js';
import type { ResourceStore } from './ports/resource-store.port.js';
import type { SecretStore } from './ports/secret-store.port.js';
import type { VectorIndex } from './ports/vector-index.port.js';
import type { Settings } from './settings.js';

export interface Stores {
  readonly keyValueStore: KeyValueStore;
  readonly policyArchive: PolicyArchive;
  readonly auditLog: AuditLogStore;
  readonly decisionStore: DecisionStore;
  readonly resources: ResourceStore;
  readonly deliveries: DeliveryStore;
  readonly documents: DocumentCatalog;
  /** Undefined: the embedded index, in memory, which the documents' service keeps itself. */
  readonly vectors: VectorIndex | undefined;
  readonly cache: Cache;
  readonly bus: EventBus;
  readonly secrets: SecretStore;
  /** The relational store's connections, where it has a pool. */
  readonly pool: (() => { readonly total: number; readonly idle: number; readonly waiting: number }) | undefined;
  close(): Promise<void>;
}

/** A Vault that the gateway's file names, as its `secrets` have it. */
export function openVault(definition: SecretDefinition): SecretStore {
  const { uri, namespace, ca, prefix, kv_version: kvVersion, token, role_id: roleId, secret_id: secretId } = definition;
  return openVaultSecrets({
    address: uri,
    namespace,
    ca,
    clientCert: definition.client_cert,
    clientKey: definition.client_key,
    prefix,
    kvVersion,
    transitMount: 'transit',
    transitKey: 'bailiwick',
    login:
      roleId !== undefined && secretId !== undefined
        ? { kind: 'approle', roleId, secretId, mount: definition.approle_mount }
        : { kind: 'token', token: token ?? '' },
  });
}

const pemOf = (file: string): string | undefined => (file === '' ? undefined : readFileSync(file, 'utf8'));

async function openSecrets(settings: Settings): Promise<SecretStore> {
  if (settings.secretStore !== 'vault') return await openEncryptedFileSecrets(settings.dataDirectory);
  return openVaultSecrets({
    address: settings.vaultAddress,
    namespace: settings.vaultNamespace === '' ? undefined : settings.vaultNamespace,
    ca: pemOf(settings.vaultCaFile),
    clientCert: pemOf(settings.vaultClientCertFile),
    clientKey: pemOf(settings.vaultClientKeyFile),
    prefix: settings.vaultPrefix,
    kvVersion: 2,
    transitMount: 'transit',
    transitKey: settings.vaultTransitKey,
    login:
      settings.vaultToken === ''
        ? { kind: 'approle', roleId: settings.vaultRoleId, secretId: settings.vaultSecretId, mount: 'approle' }
        : { kind: 'token', token: settings.vaultToken },
  });
}

/** Counters for the gateway's limits: of this process, or in the Redis that a plugin names, whose client is loaded then. */
export function openRateLimits(location: RedisLocation | undefined): RateLimitStore {
  if (!location) return localRateLimits();
  const opened = import('./adapters/redis/redis-rate-limits.js').then(({ redisRateLimits }) =>
    redisRateLimits(location),
  );
  return {
    countFixed: async (...about) => await (await opened).countFixed(...about),
    countSliding: async (...about) => await (await opened).countSliding(...about),
    reserve: async (...about) => await (await opened).reserve(...about),
    settle: async (...about) => await (await opened).settle(...about),
    leak: async (...about) => await (await opened).leak(...about),
    enter: async (...about) => await (await opened).enter(...about),
    leave: async (key) => await (await opened).leave(key),
    close: async () => await (await opened).close(),
  };
}

/** Answers of language models in the Redis that a plugin names, whose client is loaded then. */
export function openAnswers(location: RedisLocation, index: string): AnswerStore {
  const opened = import('./adapters/redis/redis-answers.js').then(({ redisAnswers }) => redisAnswers(location, index));
  return {
    get: async (key) => await (await opened).get(key),
    set: async (...about) => await (await opened).set(...about),
    nearest: async (...about) => await (await opened).nearest(...about),
    addNear: async (...about) => await (await opened).addNear(...about),
    close: async () => await (await opened).close(),
  };
}

/** Undefined until there is a model. Rejects with what is wrong with it. */
export async function openEmbedder(settings: Settings): Promise<Embedder | undefined> {
  if (settings.embeddingUrl !== '') {
    const { OpenAiEmbedder } = await import('./adapters/openai/openai-embedder.js');
    return new OpenAiEmbedder({
      url: settings.embeddingUrl,
      model: settings.embeddingModel,
      dimensions: settings.embeddingDimensions,
      token: settings.embeddingToken,
    });
  }
  const { defaultModelFolder, hasModel, openOnnxEmbedder } = await import('./adapters/onnx/onnx-embedder.js');
  const folder = settings.embeddingFolder === '' ? defaultModelFolder() : settings.embeddingFolder;
  return hasModel(folder) ? await openOnnxEmbedder(folder, settings.embeddingThreads) : undefined;
}

/** Undefined: answers are extracted. */
export function openLanguageModel(settings: Settings): LanguageModel | undefined {
  if (settings.llmUrl === '') return undefined;
  const { llmUrl: url, llmModel: model, llmMaxTokens: maxTokens, llmTimeoutMs: timeoutMs } = settings;
  return new OpenAiLanguageModel({ url, model, maxTokens, timeoutMs });
}

type OnError = (what: string) => (error: unknown) => void;
type Closable = { close(): Promise<void> };

/** Rejects with what is wrong: a locked data folder, a database that cannot be reached. */
export async function openStores(settings: Settings, onError: OnError): Promise<Stores> {
  const opened: Closable[] = [];
  const keep = <T extends Closable>(one: T): T => {
    opened.push(one);
    return one;
  };
  const close = async (): Promise<void> => {
    for (const one of opened.splice(0).reverse()) await one.close();
  };
  try {
    const embedded = keep(await openEmbedded({ directory: settings.dataDirectory }));
    const secrets = keep(await openSecrets(settings));
    const decisionStore = await SqliteDecisionStore.open(embedded);
    const keyValueStore = await openKeyValueStore(settings, embedded, keep);
    const history = await openHistory(settings, embedded, keep);
    const relational = await openRelational(settings, embedded, keep, onError);
    const { resources, deliveries, pool } = relational;
    const documents = await openDocuments(settings, relational, keep);
    const vectors = await openVectors(settings, keep, onError);
    const cache = keep(await openCache(settings, onError));
    const bus = keep(await openBus(settings, onError));
    return {
      ...{ keyValueStore, ...history, decisionStore, resources, deliveries, documents, vectors },
      ...{ cache, bus, secrets, pool, close },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

type Keep = <T extends Closable>(one: T) => T;

async function openKeyValueStore(settings: Settings, embedded: Embedded, keep: Keep): Promise<KeyValueStore> {
  if (settings.keyValueStore !== 'etcd') return embedded.keyValueStore;
  const { openEtcd } = await import('./adapters/etcd/etcd-key-value-store.js');
  return keep(openEtcd(etcdOptions(settings)));
}

async function openHistory(
  settings: Settings,
  embedded: Embedded,
  keep: Keep,
): Promise<Pick<Stores, 'policyArchive' | 'auditLog'>> {
  if (settings.policyArchive !== 'mongodb')
    return { policyArchive: embedded.policyArchive, auditLog: embedded.auditLog };
  const { openMongo } = await import('./adapters/mongodb/open-mongo.js');
  return keep(openMongo({ url: settings.mongodbUrl, database: settings.mongodbDatabase }));
}

interface Relational extends Pick<Stores, 'resources' | 'deliveries' | 'pool'> {
  openDocuments(): Promise<DocumentCatalog>;
}

async function openRelational(
  settings: Settings,
  embedded: Embedded,
  keep: Keep,
  onError: OnError,
): Promise<Relational> {
  if (settings.relationalStore !== 'postgres') {
    const database = embedded.database as unknown as Kysely<ResourceTables>;
    const documents = embedded.database as unknown as Kysely<DocumentTables>;
    return {
      openDocuments: () => RelationalDocumentCatalog.open({ database: documents, dialect: 'sqlite' }),
      resources: await RelationalResourceStore.open({ database }),
      deliveries: await RelationalDeliveryStore.open({ database }),
      pool: undefined,
    };
  }
  const { openPostgres, toPostgresError } = await import('./adapters/postgres/open-postgres.js');
  const common = {
    poolSize: settings.postgresPoolSize,
    arePrepared: settings.postgresPrepared,
    onError: onError('a connection to PostgreSQL was lost'),
    ...(settings.postgresCaFile === '' ? {} : { ca: readFileSync(settings.postgresCaFile, 'utf8') }),
  };
  const primary = keep(openPostgres<ResourceTables>({ ...common, url: settings.postgresUrl }));
  const replica =
    settings.postgresReadUrl === ''
      ? undefined
      : keep(openPostgres<ResourceTables>({ ...common, url: settings.postgresReadUrl }));
  const { database, exclusively } = primary;
  const onPrimary = { database, exclusively, toError: toPostgresError };
  const openDocuments = (): Promise<DocumentCatalog> =>
    RelationalDocumentCatalog.open({
      ...(primary as unknown as Postgres<DocumentTables>),
      ...{ toError: toPostgresError, dialect: 'postgres' },
    });
  const deliveries = await RelationalDeliveryStore.open(onPrimary);
  const resources = await RelationalResourceStore.open({
    ...onPrimary,
    ...(replica === undefined ? {} : { readDatabase: replica.database }),
  });
  return { resources, deliveries, openDocuments, pool: primary.pool };
}

async function openDocuments(settings: Settings, relational: Relational, keep: Keep): Promise<DocumentCatalog> {
  switch (settings.documentCatalog) {
    case 'cosmos': {
      const { CosmosDocumentCatalog } = await import('./adapters/cosmos/cosmos-document-catalog.js');
      const {
        cosmosEndpoint: endpoint,
        cosmosKey: key,
        cosmosDatabase: database,
        cosmosContainer: container,
      } = settings;
      return keep(new CosmosDocumentCatalog({ endpoint, key, database, container }));
    }
    case 'mongodb': {
      const { MongoDocumentCatalog } = await import('./adapters/mongodb/mongo-document-catalog.js');
      return keep(new MongoDocumentCatalog({ url: settings.mongodbUrl, database: settings.mongodbDatabase }));
    }
    default:
      return await relational.openDocuments();
  }
}

async function openVectors(settings: Settings, keep: Keep, onError: OnError): Promise<VectorIndex | undefined> {
  switch (settings.vectorIndex) {
    case 'pgvector': {
      const { PgvectorIndex } = await import('./adapters/pgvector/pgvector-index.js');
      const { pgvectorUrl: url, pgvectorPoolSize: poolSize, pgvectorCaFile } = settings;
      const ca = pgvectorCaFile === '' ? {} : { ca: readFileSync(pgvectorCaFile, 'utf8') };
      return keep(new PgvectorIndex({ url, poolSize, ...ca, onError: onError('the vector index has a problem') }));
    }
    case 'chroma': {
      const { ChromaIndex } = await import('./adapters/chroma/chroma-index.js');
      const { chromaUrl: url, chromaApiKey: apiKey, chromaTenant: tenant, chromaDatabase: database } = settings;
      return keep(new ChromaIndex({ url, apiKey, tenant, database }));
    }
    case 'qdrant': {
      const { QdrantIndex } = await import('./adapters/qdrant/qdrant-index.js');
      return keep(new QdrantIndex({ url: settings.qdrantUrl, apiKey: settings.qdrantApiKey }));
    }
    case 'milvus': {
      const { MilvusIndex } = await import('./adapters/milvus/milvus-index.js');
      const { milvusUrl: url, milvusToken: token, milvusDatabase: database } = settings;
      return keep(new MilvusIndex({ url, token, database }));
    }
    default:
      return undefined;
  }
}

async function openCache(settings: Settings, onError: OnError): Promise<Cache> {
  if (settings.cache !== 'redis') return new MemoryCache();
  const { RedisCache } = await import('./adapters/redis/redis-cache.js');
  return await RedisCache.open({
    url: settings.redisUrl,
    sentinels: settings.redisSentinels,
    masterName: settings.redisMasterName,
    clusterNodes: settings.redisClusterNodes,
    onError: onError('Redis cannot be reached'),
  });
}

async function openBus(settings: Settings, onError: OnError): Promise<EventBus> {
  if (settings.eventBus !== 'rabbitmq') return new MemoryEventBus();
  const { RabbitMqEventBus } = await import('./adapters/rabbitmq/rabbitmq-event-bus.js');
  return await RabbitMqEventBus.open({ urls: settings.rabbitmqUrls, onError: onError('RabbitMQ cannot be reached') });
}

function etcdOptions(settings: Settings) {
  const file = (path: string): string | undefined => (path === '' ? undefined : readFileSync(path, 'utf8'));
  const ca = file(settings.etcdCaFile);
  const cert = file(settings.etcdCertFile);
  const key = file(settings.etcdKeyFile);
  return {
    endpoints: settings.etcdEndpoints,
    ...(settings.etcdUsername === '' ? {} : { username: settings.etcdUsername, password: settings.etcdPassword }),
    ...(ca === undefined ? {} : { tls: { ca, ...(cert !== undefined && key !== undefined ? { cert, key } : {}) } }),
  };
}
