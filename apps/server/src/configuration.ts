/** The configuration half of the platform, put together from its ports: state and feed, the one writer, services, and what follows changes. */
import { randomBytes } from 'node:crypto';
import type { AuditService } from './audit/audit-service.js';
import { AuditRelay } from './configs/audit-relay.js';
import { ConfigApprovalDesk } from './configs/config-approval-desk.js';
import { ConfigApprovals } from './configs/config-approvals.js';
import type { ConfigContentStored } from './configs/config-content.js';
import { ConfigService } from './configs/config-service.js';
import { ConfigurationFeed } from './configs/configuration-feed.js';
import type { AnyItem } from './configs/configuration-state.js';
import { ConfigurationWriter } from './configs/configuration-writer.js';
import { EnvironmentStreams } from './configs/environment-streams.js';
import { Environments } from './configs/environments.js';
import { FetchService } from './configs/fetch-service.js';
import { ReadRateLimits } from './configs/rate-limits.js';
import { steadyClock } from './configs/steady-clock.js';
import { UsageService } from './configs/usage-service.js';
import { ValueCipher } from './configs/value-cipher.js';
import { ExchangeService } from './exchange/exchange-service.js';
import { ReportService } from './exchange/report-service.js';
import { FlagService } from './flags/flag-service.js';
import { OfrepService } from './flags/ofrep-service.js';
import { ChangePublisher } from './notifications/change-publisher.js';
import { assertPublicUrl, openSafeFetch } from './notifications/safe-fetch.js';
import { WebhookService, type WebhookServiceParts } from './notifications/webhook-service.js';
import { WebhookWorker } from './notifications/webhook-worker.js';
import type { Cache } from './ports/cache.port.js';
import type { DeliveryStore } from './ports/delivery-store.port.js';
import type { EventBus } from './ports/event-bus.port.js';
import type { ResourceStore } from './ports/resource-store.port.js';
import type { SecretStore } from './ports/secret-store.port.js';
import { candidatesOf } from './rollouts/candidates.js';
import { Freezes } from './rollouts/freezes.js';
import { Guards } from './rollouts/guards.js';
import type { RolloutContent } from './rollouts/rollout-content.js';
import { type PolicyTargets, RolloutService } from './rollouts/rollout-service.js';
import { RolloutWorker } from './rollouts/rollout-worker.js';
import type { TrafficCounts } from './rollouts/traffic-counts.js';
import type { Settings } from './settings.js';
import type { Metrics } from './telemetry/metrics.js';

export interface ConfigurationParts {
  readonly resources: ResourceStore;
  readonly deliveries: DeliveryStore;
  readonly cache: Cache;
  readonly bus: EventBus;
  readonly secrets: SecretStore;
  readonly audit: AuditService;
  readonly traffic: TrafficCounts;
  readonly policies: PolicyTargets;
  readonly settings: Settings;
  readonly metrics: Metrics;
  readonly onError: (what: string) => (error: unknown) => void;
}

export interface Configuration {
  readonly store: ResourceStore;
  readonly feed: ConfigurationFeed;
  readonly writer: ConfigurationWriter;
  readonly environments: Environments;
  readonly streams: EnvironmentStreams;
  readonly configs: ConfigService;
  readonly flags: FlagService;
  readonly freezes: Freezes;
  readonly rollouts: RolloutService;
  readonly guards: Guards;
  readonly traffic: TrafficCounts;
  readonly webhooks: WebhookService;
  readonly approvals: ConfigApprovalDesk;
  readonly exchange: ExchangeService;
  readonly reports: ReportService;
  readonly limits: ReadRateLimits;
  readonly ofrep: OfrepService;
  readonly fetches: FetchService;
  readonly usage: UsageService;
  readonly cipher: Pick<ValueCipher, 'decrypt'>;
  /** What timetables and windows go by: see `steadyClock`. */
  readonly steadyMs: () => number;
  /** What the worker role does: steps of rollouts, and the audit facts on their way into the sealed chain. */
  startWork(): void;
  stopWork(): Promise<void>;
  stop(): Promise<void>;
}

/** Rejects when neither the database nor a snapshot of it can be had. */
export async function buildConfiguration(parts: ConfigurationParts): Promise<Configuration> {
  const { resources: store, cache, settings, onError, traffic } = parts;
  const nowMs = Date.now;
  const steadyMs = steadyClock({
    onAhead: (ms) =>
      onError(
        'the clock jumped ahead: rollouts, windows and freezes go by the time that passed; restart if the new time is right',
      )(new Error(`the machine's clock is ${Math.round(ms / 1_000)} s ahead`)),
  });
  const feed = new ConfigurationFeed({
    ...{ store, cache, pollMs: settings.configPollMs, nowMs },
    onError: onError('configuration cannot be read; the last known is served'),
  });
  await feed.start();
  const cipher = new ValueCipher(parts.secrets);
  const writer = new ConfigurationWriter({ store, feed, nowMs });
  const freezes = new Freezes({ store, feed, writer }, steadyMs);
  const approvals = new ConfigApprovalDesk(feed, writer, nowMs);
  const needed = { scopes: settings.requireApproval, fingerprintKey: await approvalKey(parts.secrets) };
  const rules = [freezes.rule, new ConfigApprovals({ ...needed, cipher, nowMs }).rule];
  const common = { store, feed, writer, cipher, rules, nowMs };
  const configs = new ConfigService({ ...common, maxValueChars: settings.maxConfigValueChars });
  const flags = new FlagService(common);
  const rollouts = new RolloutService({
    ...{ ...common, nowMs: steadyMs, configs, stepRules: [freezes.rule], policies: parts.policies },
  });
  const environments = new Environments(feed, cipher, () => candidatesOf(feed.state, cipher));
  const stopOpening = await keepOpen(feed, cipher, environments, onError);
  await environments.warm();
  const exchange = new ExchangeService({ ...common, environments, configs, flags });
  const streams = new EnvironmentStreams(feed, environments);
  const guards = new Guards(traffic, settings.prometheusUrl);
  const notifications = buildNotifications(parts, { ...common });
  const rolloutWorker = new RolloutWorker({
    ...{ rollouts, feed, guards, nowMs: steadyMs, everyMs: settings.rolloutTickMs },
    onError: onError('a rollout could not be carried on'),
  });
  const auditRelay = new AuditRelay(store, feed, parts.audit, onError('the audit of configuration waits'));
  observe(parts.metrics, feed, streams);
  return {
    ...{
      store,
      feed,
      writer,
      environments,
      streams,
      configs,
      flags,
      freezes,
      rollouts,
      guards,
      traffic,
      approvals,
      exchange,
    },
    cipher,
    steadyMs,
    webhooks: notifications.webhooks,
    reports: new ReportService(store),
    limits: new ReadRateLimits(cache, settings.readsPerMinute),
    ofrep: new OfrepService(feed, environments, steadyMs),
    fetches: new FetchService(feed, environments, steadyMs),
    usage: new UsageService(cache, feed),
    startWork: () => {
      auditRelay.start();
      rolloutWorker.start();
      notifications.start();
    },
    stopWork: async () => {
      await rolloutWorker.stop();
      await notifications.stop();
      await auditRelay.stop();
    },
    stop: async () => {
      stopOpening();
      await notifications.close();
      streams.stop();
      await feed.stop();
    },
  };
}

/** Change events on the bus, and webhooks. */
function buildNotifications(
  { resources: store, deliveries, bus, settings, onError }: ConfigurationParts,
  common: Omit<WebhookServiceParts, 'deliveries' | 'http' | 'assertUrl'>,
) {
  const mayBePrivate = settings.webhookPrivateAddresses;
  const http = openSafeFetch({ timeoutMs: 10_000, mayBePrivate });
  const assertUrl = mayBePrivate ? () => undefined : assertPublicUrl;
  const webhooks = new WebhookService({ ...common, deliveries, http, assertUrl });
  const publisher = new ChangePublisher(store, common.feed, bus, onError('change events wait'));
  const worker = new WebhookWorker(webhooks, bus, 1_000, onError('webhooks wait'));
  return {
    webhooks,
    // The queue is there before anything is published to it.
    start: () =>
      void worker
        .start()
        .catch(onError('webhooks wait'))
        .finally(() => publisher.start()),
    stop: async () => {
      await publisher.stop();
      await worker.stop();
    },
    close: () => http.close(),
  };
}

const approvalKeyPath = 'bailiwick/approval-fingerprints';

/** Made at the first start, and the same for all instances on one secret store. Without one, approvals of this process are its own. */
async function approvalKey(secrets: SecretStore): Promise<Buffer> {
  try {
    const known = await secrets.get(approvalKeyPath);
    if (known?.fields['key'] !== undefined) return Buffer.from(known.fields['key'], 'base64');
    const key = randomBytes(32);
    await secrets.put(approvalKeyPath, { key: key.toString('base64') });
    return key;
  } catch {
    return randomBytes(32);
  }
}

/** Sensitive values are opened as they come in; while the secret store is away that is tried again. Returns the function that ends it. */
async function keepOpen(
  feed: ConfigurationFeed,
  cipher: ValueCipher,
  environments: Environments,
  onError: ConfigurationParts['onError'],
): Promise<() => void> {
  const sealed = onError('sensitive values cannot be opened; the secret store is away');
  const open = (): void => {
    if (cipher.isOpen(feed.state)) return;
    const before = cipher.unwrapped;
    cipher
      .open(feed.state)
      .catch(sealed)
      .finally(() => {
        // While the secret store is away nothing new is there.
        if (cipher.unwrapped !== before) environments.forget();
      });
  };
  feed.onChange(({ items }) => {
    if (items.some(({ after }) => isSealed(after))) open();
  });
  const retry = setInterval(open, 5_000);
  retry.unref();
  await cipher.open(feed.state).catch(sealed);
  return () => clearInterval(retry);
}

const isSealed = (item: AnyItem | undefined): boolean =>
  (item?.kind === 'config' && (item.content as ConfigContentStored).encrypted !== undefined) ||
  (item?.kind === 'rollout' && 'encrypted' in (item.content as RolloutContent).target);

function observe(metrics: Metrics, feed: ConfigurationFeed, streams: EnvironmentStreams): void {
  metrics.gauge('bailiwick_config_streams', 'Clients that listen for changes now.', () => streams.size);
  metrics.gauge(
    'bailiwick_config_revision',
    'The revision of configuration that is served here.',
    () => feed.state.revision,
  );
  metrics.gauge('bailiwick_config_age_seconds', 'How long ago the database was last reached; 0 while it is.', () =>
    feed.ageSeconds(),
  );
  metrics.gauge('bailiwick_config_resources', 'Entries, flags, segments, rollouts … in force.', () => feed.state.size);
}
