/** The gateway role on a platform: what it stands before, the file it follows, what it answers itself. In the main process, or in a worker. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { exportApisixFile, writeApisixFile } from './gateway/export-file.js';
import { readGatewayFile, WatchedGatewayFile } from './gateway/file-watch.js';
import { Gateway, type GatewayOptions } from './gateway/gateway.js';
import { ManagedResources } from './gateway/managed-resources.js';
import { plugins } from './gateway/plugins/index.js';
import { ownEngine, projectOf } from './gateway/plugins/opa.js';
import { ownDiscovery } from './gateway/plugins/openid-connect.js';
import type { GatewayFile } from './gateway/resource-schemas.js';
import { toProblem } from './http/problems.js';
import type { Platform } from './platform.js';
import type { Settings } from './settings.js';
import type { Logger } from './telemetry/logger.js';

/** Stands for the control plane of this process in the gateway's file; never resolved. */
const controlService = 'control.bailiwick.internal';

interface GatewayParts {
  readonly settings: Settings;
  readonly managed: ManagedResources;
  readonly platform: Platform;
  readonly logger: Logger;
  /** The control plane, as a service that needs no connection of the gateway's own. */
  readonly control: (request: IncomingMessage, response: ServerResponse) => void;
  readonly file: FileFeed;
  readonly publicPort: number;
  readonly ownAnswer: GatewayOptions['ownAnswer'];
}

export interface RunningGateway {
  /** Asks for all secrets again, now. */
  refreshSecrets(): void;
  stop(): Promise<void>;
}

/** Resolves when it listens. Rejects with the lines of a file that is wrong. */
export async function startGateway(parts: GatewayParts): Promise<RunningGateway> {
  const { settings, managed, platform, logger, control, publicPort } = parts;
  const gateway = new Gateway({
    services: platform,
    logger,
    metrics: platform.metrics,
    onAnswer: (exchange, status) => platform.traffic.count('error_rate', projectOf(exchange), status >= 500),
    toProblem,
    localServices: new Map([[controlService, control]]),
    upstreamTimeoutMs: settings.upstreamTimeoutMs,
    maxBodyBytes: settings.maxProxyBodyBytes,
    ownAnswer: parts.ownAnswer,
    secrets: { environment: process.env, local: platform.secrets, openVault: platform.openVault },
    secretCacheMs: settings.secretCacheSeconds * 1000,
  });
  let file = parts.file.first;
  const apply = (next: GatewayFile): void => {
    gateway.load(managed.merged(next));
    file = next;
  };
  apply(file);
  managed.onChange(() => {
    try {
      apply(file);
    } catch (error) {
      logger.error({ error }, 'the gateway keeps its old routes: the managed resources cannot be used');
    }
  });
  await gateway.settled();
  await gateway.listen(settings.host, publicPort);
  if (settings.tlsPort !== 0) await gateway.listenTls(settings.host, settings.tlsPort);
  const unfollow = parts.file.follow(apply);
  return {
    refreshSecrets: () => gateway.refreshSecrets(),
    stop: async () => {
      unfollow();
      await gateway.close();
    },
  };
}

/** The gateway's file as it is now, and as it becomes. */
export interface FileFeed {
  readonly first: GatewayFile;
  /** `apply` throws for a file that cannot be used. Returns the function that stops it. */
  follow(apply: (file: GatewayFile) => void): () => void;
}

/** From the disk. Throws with the lines of a file that is wrong. */
export function openGatewayFile(
  settings: Settings,
  installationRoot: string,
  demoPort: number | undefined,
  logger: Logger,
): FileFeed {
  const source = gatewaySource(settings, installationRoot);
  // Without the demo nothing listens there: the route answers 503.
  const variables = { ...source.variables, BAILIWICK_DEMO_PORT: String(demoPort ?? 9) };
  return new WatchedGatewayFile(source.path, variables, logger);
}

export interface GatewaySource {
  readonly path: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** The gateway's file, and what its variables are in this process. */
export function gatewaySource(settings: Settings, installationRoot: string): GatewaySource {
  return {
    path:
      settings.gatewayFile === '' ? join(installationRoot, 'deploy', 'apisix', 'apisix.yaml') : settings.gatewayFile,
    variables: {
      ...process.env,
      BAILIWICK_CONTROL_HOST: controlService,
      BAILIWICK_CONTROL_PORT: '80',
      BAILIWICK_DEMO_HOST: '127.0.0.1',
      BAILIWICK_DEMO_PORT: '9',
      BAILIWICK_OPA_URL: ownEngine,
      BAILIWICK_DISCOVERY_URL: ownDiscovery,
    },
  };
}

/** Follows the managed resources, and writes them out for a real APISIX where that is asked for. */
export async function startManagedResources(
  platform: Pick<Platform, 'store'>,
  settings: Settings,
  installationRoot: string,
  logger: Logger,
  { isWriting }: { readonly isWriting: boolean },
): Promise<ManagedResources> {
  const source = gatewaySource(settings, installationRoot);
  const managed = new ManagedResources({
    store: platform.store,
    plugins,
    base: () => readGatewayFile(source.path, source.variables),
    apisixPrefix: settings.apisixEtcdPrefix,
    keptVersions: settings.keptVersions,
    nowMs: Date.now,
  });
  await managed.start();
  const write = (): void => {
    try {
      writeApisixFile(settings.apisixFile, exportApisixFile(source.path, managed.exported()));
    } catch (error) {
      logger.error({ error, file: settings.apisixFile }, 'cannot write the file for APISIX');
    }
  };
  if (isWriting && settings.apisixFile !== '') {
    write();
    managed.onChange(write);
  }
  return managed;
}

/** How ready what stands behind is, and the metrics; `workers` when the gateway is processes of its own. */
export interface OwnAnswerParts {
  readonly platform: Platform;
  readonly settings: Settings;
  readonly workers?: { readonly ready: number; metrics(): Promise<string> } | undefined;
}

/** What the public address answers itself, without a token. */
export function ownAnswer(
  path: string,
  { platform, settings, workers }: OwnAnswerParts,
): Promise<{ status: number; type: string; body: string }> | undefined {
  switch (path) {
    case '/livez':
      return Promise.resolve({ status: 200, type: 'text/plain; charset=utf-8', body: 'ok\n' });
    case '/readyz':
      return readiness(platform, settings, workers?.ready);
    case '/metrics':
      if (!settings.metricsPublic) return undefined;
      return (workers ?? platform.metrics.registry)
        .metrics()
        .then((body) => ({ status: 200, type: platform.metrics.registry.contentType, body }));
    default:
      return undefined;
  }
}

/** Ready means that decisions can be made. A store that is away makes writes fail, not decisions: it is shown, and does not take us out. */
async function readiness(
  platform: Platform,
  settings: Settings,
  workersReady: number | undefined,
): Promise<{ status: number; type: string; body: string }> {
  const { enforcer } = platform;
  const isReady = enforcer.state('platform')?.kind === 'ready' && workersReady !== 0;
  const body = {
    ready: isReady,
    revision: enforcer.revision,
    store_connected: enforcer.isConnected,
    policy_age_seconds: enforcer.ageSeconds(),
    outbox_depth: platform.outbox.depth,
    ...(workersReady === undefined ? {} : { workers: settings.workers, workers_ready: workersReady }),
  };
  return { status: isReady ? 200 : 503, type: 'application/json', body: `${JSON.stringify(body)}\n` };
}
