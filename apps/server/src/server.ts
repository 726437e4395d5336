/** Starts the roles on a platform: control and decide behind, the gateway in front, the demo beside. */
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { createControl, createOpaListener } from './control.js';
import { exportApisixFile, writeApisixFile } from './gateway/export-file.js';
import { followGatewayFile, readGatewayFile } from './gateway/file-watch.js';
import { Gateway } from './gateway/gateway.js';
import { listenOn } from './gateway/listen-on.js';
import { ManagedResources } from './gateway/managed-resources.js';
import { plugins } from './gateway/plugins/index.js';
import { ownEngine, projectOf } from './gateway/plugins/opa.js';
import { ownDiscovery } from './gateway/plugins/openid-connect.js';
import type { GatewayFile } from './gateway/resource-schemas.js';
import { toProblem } from './http/problems.js';
import { ensureAdminToken } from './identity/bootstrap.js';
import { OpaSync } from './opa/sync.js';
import { buildPlatform, type Platform } from './platform.js';
import { type DemoService, startDemoService } from './seed/demo-service.js';
import { seed } from './seed/seed.js';
import type { Settings } from './settings.js';
import { createLogger, type Logger } from './telemetry/logger.js';
import { startTracing } from './telemetry/tracing.js';

export interface RunningServer {
  readonly port: number;
  /** Undefined when the control plane is reached through the gateway only. */
  readonly controlPort: number | undefined;
  readonly platform: Platform;
  /** A few lines that say where things are. */
  readonly greeting: string;
  stop(): Promise<void>;
}

/** `installationRoot` holds `deploy/`. */
export async function startServer(settings: Settings, installationRoot: string): Promise<RunningServer> {
  const startedMs = performance.now();
  mkdirSync(settings.dataDirectory, { recursive: true, mode: 0o700 });
  const log = createLogger(settings.logLevel);
  const logger = log.child({ service: 'control' });
  const reserved = settings.port === 0 ? await reservePort(settings.host) : undefined;
  const publicPort = reserved?.port ?? settings.port;
  const publicUrl =
    settings.publicUrl === '' ? `http://${settings.host}:${publicPort}` : settings.publicUrl.replace(/\/$/, '');
  const tracing = await startTracing(settings.otlpEndpoint, 'bailiwick', settings.instanceId);
  const platform = await buildPlatform(settings, logger, publicUrl).catch(async (error: unknown) => {
    await reserved?.release();
    throw error;
  });
  const stoppers: (() => Promise<unknown>)[] = [() => tracing.stop(), () => platform.stop()];
  if (reserved) stoppers.push(reserved.release);
  const stop = async (): Promise<void> => {
    for (const stopOne of stoppers.splice(0).reverse()) await stopOne();
  };
  try {
    if (settings.roles.includes('control')) await seed(platform.policies, { isDemo: settings.demo });
    const tokenPath = await ensureAdminToken(settings.dataDirectory, platform.localKeys, settings.audience);
    const source = gatewaySource(settings, installationRoot);
    const managed = await startManagedResources(platform, settings, source, logger);
    stoppers.push(() => managed.stop());
    // The gateway starts after the control plane that it stands before.
    let onSecretChange = (): void => undefined;
    const exportText = (): string => exportApisixFile(source.path, managed.exported());
    const control = await createControl(platform, settings, logger, publicUrl, {
      managed,
      exportText,
      onSecretChange: () => onSecretChange(),
    });
    stoppers.push(() => control.close());
    if (settings.roles.includes('sync') && settings.opaUrls.length > 0) {
      const sync = new OpaSync(platform.enforcer, {
        urls: settings.opaUrls,
        token: settings.opaToken,
        onError: (url, error) => logger.warn({ opa: url, error }, 'cannot push to this OPA; trying again'),
        onPushed: (url, revision) => logger.debug({ opa: url, revision }, 'pushed'),
      });
      stoppers.push(() => sync.stop());
    }
    const isGateway = settings.roles.includes('gateway');
    // Behind our own gateway it needs no address of its own, unless one is asked for.
    const controlPort =
      isGateway && settings.controlPort === 0
        ? undefined
        : await listen(control, settings.controlHost, settings.controlPort);
    if (settings.opaAddress !== '') {
      const opa = await createOpaListener(platform, settings, logger);
      const [host, port] = splitAddress(settings.opaAddress);
      await new Promise<void>((resolve, reject) => opa.once('error', reject).listen(port, host, resolve));
      stoppers.push(async () => {
        opa.closeIdleConnections();
        await new Promise((resolve) => opa.close(resolve));
      });
    }
    const demo = settings.demo && isGateway ? await startDemoService() : undefined;
    if (demo) stoppers.push(() => demo.close());
    await reserved?.release();
    if (isGateway)
      stoppers.push(
        await startGateway({
          settings,
          platform,
          logger: log.child({ service: 'gateway' }),
          control,
          demo,
          publicPort,
          source,
          managed,
          onReady: (gateway) => {
            onSecretChange = () => gateway.refreshSecrets();
          },
        }),
      );
    // Streams end only when they are ended: first of all, so that the gateway need not wait for them.
    stoppers.push(async () => platform.configuration.streams.stop());
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    const greeting = isGateway
      ? greetingText({ publicUrl, seconds, tokenPath, settings })
      : `Bailiwick (${settings.roles.join(', ')}) is ready after ${seconds} s on ${settings.controlHost}:${controlPort}.`;
    return { port: publicPort, controlPort, platform, greeting, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Stands for the control plane of this process in the gateway's file; never resolved. */
const controlService = 'control.bailiwick.internal';

interface GatewayParts {
  readonly settings: Settings;
  readonly source: GatewaySource;
  readonly managed: ManagedResources;
  readonly onReady: (gateway: Gateway) => void;
  readonly platform: Platform;
  readonly logger: Logger;
  readonly control: FastifyInstance;
  readonly demo: DemoService | undefined;
  readonly publicPort: number;
}

/** Returns the function that stops it. */
async function startGateway({
  settings,
  source,
  managed,
  onReady,
  platform,
  logger,
  control,
  demo,
  publicPort,
}: GatewayParts): Promise<() => Promise<void>> {
  const gateway = new Gateway({
    services: platform,
    logger,
    metrics: platform.metrics,
    onAnswer: (exchange, status) => platform.traffic.count('error_rate', projectOf(exchange), status >= 500),
    toProblem,
    localServices: new Map([
      [controlService, (request, response) => void control.server.emit('request', request, response)],
    ]),
    upstreamTimeoutMs: settings.upstreamTimeoutMs,
    maxBodyBytes: settings.maxProxyBodyBytes,
    ownAnswer: (path) => ownAnswer(path, platform, settings),
    secrets: { environment: process.env, local: platform.secrets, openVault: platform.openVault },
    secretCacheMs: settings.secretCacheSeconds * 1000,
  });
  onReady(gateway);
  // Without the demo nothing listens there: the route answers 503.
  const variables = { ...source.variables, BAILIWICK_DEMO_PORT: String(demo?.port ?? 9) };
  let file = readGatewayFile(source.path, variables);
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
  const unfollow = followGatewayFile(source.path, variables, apply, logger);
  return async () => {
    unfollow();
    await gateway.close();
  };
}

interface GatewaySource {
  readonly path: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** The gateway's file, and what its variables are in this process. */
function gatewaySource(settings: Settings, installationRoot: string): GatewaySource {
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
async function startManagedResources(
  platform: Platform,
  settings: Settings,
  source: GatewaySource,
  logger: Logger,
): Promise<ManagedResources> {
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
  if (settings.apisixFile !== '') {
    write();
    managed.onChange(write);
  }
  return managed;
}

/** What the public address answers itself, without a token. */
function ownAnswer(
  path: string,
  platform: Platform,
  settings: Settings,
): Promise<{ status: number; type: string; body: string }> | undefined {
  switch (path) {
    case '/livez':
      return Promise.resolve({ status: 200, type: 'text/plain; charset=utf-8', body: 'ok\n' });
    case '/readyz':
      return readiness(platform);
    case '/metrics':
      if (!settings.metricsPublic) return undefined;
      return platform.metrics.registry
        .metrics()
        .then((body) => ({ status: 200, type: platform.metrics.registry.contentType, body }));
    default:
      return undefined;
  }
}

/** Ready means that decisions can be made. A store that is away makes writes fail, not decisions: it is shown, and does not take us out. */
async function readiness(platform: Platform): Promise<{ status: number; type: string; body: string }> {
  const { enforcer } = platform;
  const isReady = enforcer.state('platform')?.kind === 'ready';
  const body = {
    ready: isReady,
    revision: enforcer.revision,
    store_connected: enforcer.isConnected,
    policy_age_seconds: enforcer.ageSeconds(),
    outbox_depth: platform.outbox.depth,
  };
  return { status: isReady ? 200 : 503, type: 'application/json', body: `${JSON.stringify(body)}\n` };
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<number> {
  await app.listen({ host, port });
  const address = app.server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

interface ReservedPort {
  readonly port: number;
  release(): Promise<void>;
}

/** A port of the system's choice, kept from everybody else until it is released: our own address is needed long before we listen. */
async function reservePort(host: string): Promise<ReservedPort> {
  const holder = createServer((socket) => socket.destroy());
  const port = await listenOn(holder, host, 0);
  return { port, release: () => new Promise((resolve) => holder.close(() => resolve())) };
}

function splitAddress(address: string): [host: string, port: number] {
  const at = address.lastIndexOf(':');
  return [address.slice(0, at).replace(/^\[|\]$/g, '') || '127.0.0.1', Number(address.slice(at + 1))];
}

function greetingText(about: { publicUrl: string; seconds: string; tokenPath: string; settings: Settings }): string {
  const { publicUrl, seconds, tokenPath, settings } = about;
  return [
    `Bailiwick is ready after ${seconds} s at ${publicUrl}`,
    `  API and its description   ${publicUrl}/docs`,
    `  administrator's token     ${tokenPath}`,
    `  state                     ${settings.dataDirectory}`,
    ...(settings.demo ? [`  demo service              ${publicUrl}/demo/hello (needs a token)`] : []),
  ].join('\n');
}
