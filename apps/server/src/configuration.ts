/** The configuration half of the platform, put together from its ports: state and feed, the one writer, services, and what follows changes. */
import type { AuditService } from './audit/audit-service.js';
import { AuditRelay } from './configs/audit-relay.js';
import { ConfigService } from './configs/config-service.js';
import { ConfigurationFeed } from './configs/configuration-feed.js';
import { ConfigurationWriter } from './configs/configuration-writer.js';
import { EnvironmentStreams } from './configs/environment-streams.js';
import { Environments } from './configs/environments.js';
import { FetchService } from './configs/fetch-service.js';
import { ValueCipher } from './configs/value-cipher.js';
import { FlagService } from './flags/flag-service.js';
import { OfrepService } from './flags/ofrep-service.js';
import type { Cache } from './ports/cache.port.js';
import type { EventBus } from './ports/event-bus.port.js';
import type { ResourceStore } from './ports/resource-store.port.js';
import type { SecretStore } from './ports/secret-store.port.js';
import type { Settings } from './settings.js';
import type { Metrics } from './telemetry/metrics.js';

export interface ConfigurationParts {
  readonly resources: ResourceStore;
  readonly cache: Cache;
  readonly bus: EventBus;
  readonly secrets: SecretStore;
  readonly audit: AuditService;
  readonly settings: Settings;
  readonly metrics: Metrics;
  readonly onError: (what: string) => (error: unknown) => void;
}

export interface Configuration {
  readonly feed: ConfigurationFeed;
  readonly writer: ConfigurationWriter;
  readonly environments: Environments;
  readonly configs: ConfigService;
  readonly streams: EnvironmentStreams;
  readonly flags: FlagService;
  readonly ofrep: OfrepService;
  readonly fetches: FetchService;
  /** Brings the audit facts of configuration into the sealed chain; for the worker role. */
  readonly auditRelay: AuditRelay;
  stop(): Promise<void>;
}

/** Rejects when neither the database nor a snapshot of it can be had. */
export async function buildConfiguration(parts: ConfigurationParts): Promise<Configuration> {
  const { resources: store, cache, settings, onError } = parts;
  const feed = new ConfigurationFeed({
    ...{ store, cache, pollMs: settings.configPollMs, nowMs: Date.now },
    onError: onError('configuration cannot be read; the last known is served'),
  });
  await feed.start();
  const cipher = new ValueCipher(parts.secrets);
  const environments = new Environments(feed, cipher, noCandidates);
  const sealed = onError('sensitive values cannot be opened; the secret store is away');
  const open = (): void => {
    if (cipher.isOpen(feed.state)) return;
    cipher
      .open(feed.state)
      .catch(sealed)
      .finally(() => environments.forget());
  };
  feed.onChange(open);
  const retry = setInterval(open, 5_000);
  retry.unref();
  await cipher.open(feed.state).catch(sealed);
  const writer = new ConfigurationWriter({ store, feed, nowMs: Date.now });
  const configs = new ConfigService({
    ...{ store, feed, writer, cipher, rules: [] },
    maxValueChars: settings.maxConfigValueChars,
  });
  const streams = new EnvironmentStreams(feed, environments);
  const flags = new FlagService({ store, feed, writer, rules: [] });
  const ofrep = new OfrepService(feed, environments);
  const fetches = new FetchService(feed, environments);
  const auditRelay = new AuditRelay(store, feed, parts.audit, onError('the audit of configuration waits'));
  observe(parts.metrics, feed);
  parts.metrics.gauge('bailiwick_config_streams', 'Clients that listen for changes now.', () => streams.size);
  return {
    ...{ feed, writer, environments, streams, configs, flags, ofrep, fetches, auditRelay },
    stop: async () => {
      clearInterval(retry);
      streams.stop();
      await feed.stop();
    },
  };
}

const noCandidates = { configCandidate: () => undefined, flagCandidate: () => undefined };

function observe(metrics: Metrics, feed: ConfigurationFeed): void {
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
