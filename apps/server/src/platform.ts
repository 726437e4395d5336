/**
 * The composition root. Builds the parts in the order in which they need each other, on the backends that `stores.ts` opened, and knows how
 * to stop them in the reverse one.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { AuditService } from './audit/audit-service.js';
import { OutboxWorker } from './audit/outbox-worker.js';
import { buildConfiguration, type Configuration } from './configuration.js';
import { DecisionLog } from './decisions/decision-log.js';
import { DecisionService } from './decisions/decision-service.js';
import { Enforcer } from './decisions/enforcer.js';
import { ExplanationService } from './decisions/explanation.js';
import { ImpactService } from './decisions/impact.js';
import { InstanceRegistry } from './decisions/instances.js';
import { WorldCompiler } from './decisions/world.js';
import { FeedbackLog } from './documents/answers/feedback-log.js';
import { buildDocuments, type Documents } from './documents/documents.js';
import { openConnector } from './documents/open-connector.js';
import { httpReranker, type Reranker } from './documents/retrieval/reranker.js';
import type { SecretDefinition } from './gateway/resource-schemas.js';
import { ApiKeys } from './identity/api-keys.js';
import { Authenticator } from './identity/authenticator.js';
import { discoveredKeys, fileKeys, fixedKeys } from './identity/key-sources.js';
import { bootstrapIssuer, type LocalKeys, loadLocalKeys } from './identity/local-keys.js';
import { type IssuerKeys, TokenVerifier } from './identity/token-verifier.js';
import { Users } from './identity/users.js';
import { webhookQueue } from './notifications/webhook-worker.js';
import { CheckService } from './policies/check-service.js';
import { IdempotencyKeys } from './policies/idempotency.js';
import { PolicyService } from './policies/policy-service.js';
import { Approvals, cleanCheck, lockoutProtection } from './policies/write-conditions.js';
import type { Cache } from './ports/cache.port.js';
import type { KeyValueStore } from './ports/key-value-store.port.js';
import type { PolicyArchive } from './ports/policy-archive.port.js';
import type { RateLimitStore, RedisLocation } from './ports/rate-limit-store.port.js';
import type { ResourceStore } from './ports/resource-store.port.js';
import type { SecretStore } from './ports/secret-store.port.js';
import { PolicyCandidates } from './rollouts/policy-candidates.js';
import type { PolicyTargets } from './rollouts/rollout-service.js';
import { TrafficCounts } from './rollouts/traffic-counts.js';
import type { Settings } from './settings.js';
import {
  openAnswers,
  openEmbedder,
  openLanguageModel,
  openRateLimits,
  openStores,
  openVault,
  type Stores,
} from './stores.js';
import type { Logger } from './telemetry/logger.js';
import { Metrics } from './telemetry/metrics.js';
import { RagMetrics } from './telemetry/rag-metrics.js';

export interface Platform {
  readonly instanceId: string;
  readonly store: KeyValueStore;
  readonly archive: PolicyArchive;
  readonly metrics: Metrics;
  readonly localKeys: LocalKeys;
  readonly enforcer: Enforcer;
  readonly compiler: WorldCompiler;
  readonly instances: InstanceRegistry;
  readonly decisions: DecisionService;
  readonly decisionLog: DecisionLog;
  readonly explanations: ExplanationService;
  readonly policies: PolicyService;
  readonly checks: CheckService;
  readonly approvals: Approvals;
  readonly audit: AuditService;
  readonly outbox: OutboxWorker;
  readonly apiKeys: ApiKeys;
  readonly users: Users;
  readonly authenticator: Authenticator;
  readonly secrets: SecretStore;
  readonly configuration: Configuration;
  readonly documents: Documents;
  readonly cache: Cache;
  /** Counters for the gateway's limits: of this process, or in the Redis that a plugin names. */
  readonly openRateLimits: (location: RedisLocation | undefined) => RateLimitStore;
  readonly openAnswers: typeof openAnswers;
  /** Failed and denied requests of late, of all instances. */
  readonly traffic: TrafficCounts;
  /** All of them, for the gateway's workers. */
  readonly stores: Stores;
  /** A Vault that the gateway's file names. */
  readonly openVault: (definition: SecretDefinition) => SecretStore;
  /** Waits, at most `timeoutMs`, until every write acknowledged so far has reached history. */
  settled(timeoutMs: number): Promise<void>;
  stop(): Promise<void>;
}

/** `publicUrl` is where users reach the gateway. Rejects with what is wrong: a locked data folder, a store that is away. */
export async function buildPlatform(
  settings: Settings,
  logger: Logger,
  publicUrl: string,
  /** In a worker: the primary's stores and counters. */
  given?: { readonly stores: Stores; readonly localRateLimits: RateLimitStore },
): Promise<Platform> {
  const instanceId =
    settings.instanceId === '' ? `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}` : settings.instanceId;
  const onError = (what: string) => (error: unknown) => logger.error({ error }, what);
  const stores = given?.stores ?? (await openStores(settings, onError));
  const stoppers: (() => Promise<unknown>)[] = [() => stores.close()];
  const stop = async (): Promise<void> => {
    for (const stopOne of stoppers.splice(0).reverse()) await stopOne();
  };
  try {
    const { keyValueStore: store, policyArchive: archive } = stores;
    const { secrets } = stores;
    const metrics = new Metrics();
    const localKeys = await loadLocalKeys(settings.dataDirectory);
    const compiler = new WorldCompiler({
      allowedBuiltins: settings.allowedBuiltins,
      maxSteps: settings.decisionSteps,
      timeoutMs: settings.decisionTimeoutMs,
    });
    const enforcer = new Enforcer(store, compiler);
    await enforcer.start();
    stoppers.push(() => enforcer.stop());
    const instances = new InstanceRegistry({
      store,
      enforcer,
      id: instanceId,
      roles: settings.roles,
      // On the embedded store there are no others that could ask, but for a worker's primary.
      reportEveryMs: settings.keyValueStore === 'embedded' && !given ? 1_000 : 10,
      onError: onError('cannot report what this instance enforces'),
    });
    await instances.start();
    stoppers.push(() => instances.stop());

    const decisionLog = new DecisionLog(stores.decisionStore, enforcer, {
      mode: settings.decisionLog as 'all' | 'denied' | 'off',
      sample: settings.decisionLogSample,
      kept: settings.decisionLogKept,
      instanceId,
      onError: onError('cannot write the decision log'),
    });
    stoppers.push(() => decisionLog.flush());
    const traffic = new TrafficCounts(stores.cache);
    traffic.start();
    stoppers.push(() => traffic.stop());
    const decisions = new DecisionService(enforcer, decisionLog, {
      decided: (verdict, seconds, project) => {
        metrics.decided(verdict, seconds);
        traffic.count('denial_rate', project, !verdict.allowed);
      },
    });
    const explanations = new ExplanationService(decisionLog, archive, compiler, (name, etag) => {
      const document = enforcer.entry(name)?.document;
      return document && String(document.revision) === etag ? document : undefined;
    });
    const impact = new ImpactService(decisionLog, enforcer);
    const audit = new AuditService(store, stores.auditLog);
    const approvals = new Approvals(store, settings.requireApproval);
    const idempotency = new IdempotencyKeys(store, settings.idempotencyHours);
    const limits = { maxRegoBytes: settings.maxRegoBytes, maxDataBytes: settings.maxDataBytes };
    const conditions = [
      ...(settings.breakGlass ? [] : [lockoutProtection]),
      cleanCheck(impact, settings.requireCleanCheck, settings.replayedDecisions),
      approvals,
    ];
    const policies = new PolicyService({
      store,
      archive,
      enforcer,
      compiler,
      idempotency,
      conditions,
      limits,
      nowMs: Date.now,
    });
    const checks = new CheckService({ enforcer, compiler, impact, limits, replayed: settings.replayedDecisions });

    const apiKeys = new ApiKeys(store, audit);
    await apiKeys.start();
    stoppers.push(() => apiKeys.stop());
    const users = new Users(store, audit);
    const tokens = new TokenVerifier({
      issuers: issuersOf(settings, localKeys, publicUrl),
      audience: settings.audience,
      leewaySeconds: settings.clockLeewaySeconds,
    });
    const authenticator = new Authenticator(tokens, apiKeys);

    const outbox = new OutboxWorker({
      store,
      archive,
      log: stores.auditLog,
      signingKey: localKeys.auditKey,
      keptVersions: settings.keptVersions,
      instanceId,
      onError: onError('history is away; it waits in the outbox'),
      nowMs: Date.now,
      newId: randomUUID,
    });
    if (settings.roles.includes('worker')) {
      outbox.start();
      stoppers.push(() => outbox.stop());
      stoppers.push(
        startHousekeeping(
          settings,
          { audit, idempotency, feedback: new FeedbackLog(store), answers: stores.resources },
          onError('housekeeping failed'),
        ),
      );
    }
    const { resources, deliveries, cache, bus } = stores;
    const configuration = await buildConfiguration({
      resources,
      deliveries,
      cache,
      bus,
      secrets,
      audit,
      settings,
      metrics,
      traffic,
      policies: policyTargets(enforcer, policies),
      onError,
    });
    const candidates = new PolicyCandidates({
      ...{ rollouts: configuration.rollouts, feed: configuration.feed, environments: configuration.environments },
      ...{ enforcer, compiler, traffic, instanceId, nowMs: configuration.steadyMs },
    });
    stoppers.push(async () => candidates.stop());
    stoppers.push(() => configuration.stop());
    if (settings.roles.includes('worker')) {
      configuration.startWork();
      stoppers.push(() => configuration.stopWork());
    }
    const documents = buildDocuments({
      ...{ catalog: stores.documents, vectors: stores.vectors, store, enforcer, audit, instanceId, onError },
      openEmbedder: async () => await openEmbedder(settings),
      model: openLanguageModel(settings),
      reranker: rerankerOf(settings),
      openConnector: (reference) =>
        openConnector(reference, {
          allowedRoots: settings.documentRoots,
          mayBePrivate: settings.documentPrivateAddresses,
          maxFileBytes: settings.maxDocumentBytes,
        }),
      metrics: new RagMetrics(metrics),
      folder:
        settings.documentDirectory === '' ? join(settings.dataDirectory, 'documents') : settings.documentDirectory,
      isAlone: settings.documentCatalog === 'relational' && settings.relationalStore === 'embedded',
    });
    if (settings.roles.includes('rag')) {
      documents.start();
      stoppers.push(() => documents.stop());
      documents.startWork();
    }
    observe(metrics, { enforcer, outbox, decisionLog });
    observeStores(metrics, stores);
    const settled = async (timeoutMs: number): Promise<void> => await waitForOutbox(store, timeoutMs);
    return {
      instanceId,
      store,
      archive,
      metrics,
      localKeys,
      enforcer,
      compiler,
      instances,
      decisions,
      decisionLog,
      explanations,
      policies,
      checks,
      approvals,
      audit,
      outbox,
      apiKeys,
      users,
      authenticator,
      secrets,
      configuration,
      documents,
      cache,
      openRateLimits: (location) => (location || !given ? openRateLimits(location) : given.localRateLimits),
      openAnswers,
      stores,
      openVault,
      traffic,
      settled,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function rerankerOf(settings: Settings): Reranker | undefined {
  if (settings.rerankUrl === '') return undefined;
  const { rerankUrl: url, rerankModel: model, rerankToken: token } = settings;
  return httpReranker({ url, model, token, depth: 30, timeoutMs: 5_000 });
}

/** What rollouts of policies ask of the policies. */
function policyTargets(enforcer: Enforcer, policies: PolicyService): PolicyTargets {
  const asWriter = { claims: {}, requestId: '', clientIp: '', actor: 'rollout-worker' };
  return {
    current: (project) => enforcer.entry(project)?.document,
    review: async (project, content, context) =>
      await policies.review(project, content, { ...context, claims: context.claims ?? {} }),
    adopt: async (project, content, baseRevision) => await policies.adopt(project, content, baseRevision, asWriter),
  };
}

function issuersOf(settings: Settings, localKeys: LocalKeys, publicUrl: string): readonly IssuerKeys[] {
  const local = fixedKeys(localKeys.publicKeySet);
  return [
    { issuer: bootstrapIssuer, source: local },
    ...(settings.builtInIssuer ? [{ issuer: `${publicUrl}/oidc`, source: local }] : []),
    ...settings.issuers.map((issuer) => ({ issuer, source: discoveredKeys(issuer) })),
    ...(settings.jwksFile === '' ? [] : [{ issuer: settings.jwksIssuer, source: fileKeys(settings.jwksFile) }]),
  ];
}

/** Hourly: expired idempotency keys and audit records beyond their retention. */
function startHousekeeping(
  settings: Settings,
  parts: {
    audit: AuditService;
    idempotency: IdempotencyKeys;
    feedback: FeedbackLog;
    answers: Pick<ResourceStore, 'forgetAnswers'>;
  },
  onError: (error: unknown) => void,
): () => Promise<void> {
  const timer = setInterval(() => {
    void Promise.all([
      parts.idempotency.sweep(),
      parts.audit.prune(settings.auditRetentionDays),
      parts.feedback.prune(),
      parts.answers.forgetAnswers(Date.now()),
    ]).catch(onError);
  }, 3_600_000);
  timer.unref();
  return async () => clearInterval(timer);
}

function observe(
  metrics: Metrics,
  parts: { enforcer: Enforcer; outbox: OutboxWorker; decisionLog: DecisionLog },
): void {
  metrics.gauge(
    'bailiwick_policy_revision',
    'The store’s revision that is enforced here.',
    () => parts.enforcer.revision,
    'min',
  );
  metrics.gauge(
    'bailiwick_policy_age_seconds',
    'How long ago the store was last connected; 0 while it is.',
    () => parts.enforcer.ageSeconds(),
    'max',
  );
  metrics.gauge('bailiwick_policies', 'Policies in force.', () => parts.enforcer.names().length);
  metrics.gauge(
    'bailiwick_policies_broken',
    'Policies that do not run and therefore deny.',
    () => parts.enforcer.names().filter((name) => parts.enforcer.state(name)?.kind === 'broken').length,
  );
  metrics.gauge('bailiwick_outbox_depth', 'Writes whose history still waits in the outbox.', () => parts.outbox.depth);
  metrics.gauge(
    'bailiwick_decision_log_dropped_total',
    'Decisions that were not logged because too many waited.',
    () => parts.decisionLog.dropped,
    'sum',
  );
}

function observeStores(metrics: Metrics, { pool, deliveries, bus }: Stores): void {
  if (pool) {
    metrics.gauge('bailiwick_postgres_connections', 'Connections to PostgreSQL.', () => pool().total);
    metrics.gauge('bailiwick_postgres_connections_idle', 'Of which idle.', () => pool().idle);
    metrics.gauge('bailiwick_postgres_waiting', 'Callers that wait for a connection.', () => pool().waiting);
  }
  metrics.gauge('bailiwick_webhooks_waiting', 'Deliveries to webhooks that are still to be made.', () =>
    deliveries.waiting(),
  );
  metrics.gauge(
    'bailiwick_bus_backlog',
    'Events that wait for the webhooks’ consumers.',
    async () => (await bus.backlog(webhookQueue)).waiting,
  );
  metrics.gauge(
    'bailiwick_bus_dead_letters',
    'Events that no consumer could take.',
    async () => (await bus.backlog(webhookQueue)).dead,
  );
}

async function waitForOutbox(store: KeyValueStore, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  const { revision } = await store.status();
  for (;;) {
    const { items } = await store.range('/bailiwick/outbox/', { limit: 1, keysOnly: true });
    const oldest = items[0];
    if (!oldest || oldest.modRevision > revision || Date.now() > deadline) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
