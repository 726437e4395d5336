/** Starts the roles on a platform: control and decide behind, the gateway in front, the demo beside. */
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { createControl, createOpaListener } from './control.js';
import { exportApisixFile } from './gateway/export-file.js';
import { listenOn } from './gateway/listen-on.js';
import {
  type FileFeed,
  gatewaySource,
  openGatewayFile,
  ownAnswer,
  type RunningGateway,
  startGateway,
  startManagedResources,
} from './gateway-role.js';
import { ensureAdminToken } from './identity/bootstrap.js';
import { OpaSync } from './opa/sync.js';
import { buildPlatform, type Platform } from './platform.js';
import { startDemoService } from './seed/demo-service.js';
import { seed } from './seed/seed.js';
import type { Settings } from './settings.js';
import { createLogger, type Logger } from './telemetry/logger.js';
import { startTracing } from './telemetry/tracing.js';
import { openControlBridge } from './workers/control-bridge.js';
import { WorkerPool } from './workers/worker-pool.js';

export interface RunningServer {
  readonly port: number;
  /** Undefined when the control plane is reached through the gateway only. */
  readonly controlPort: number | undefined;
  readonly platform: Platform;
  /** A few lines that say where things are. */
  readonly greeting: string;
  stop(): Promise<void>;
}

/** `installationRoot` holds `deploy/`. `program` is what the gateway's workers run; without it there can be none but the process itself. */
export async function startServer(
  settings: Settings,
  installationRoot: string,
  program?: string,
): Promise<RunningServer> {
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
    const managed = await startManagedResources(platform, settings, installationRoot, logger, { isWriting: true });
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
      await opa.listen(host, port);
      stoppers.push(() => opa.close());
    }
    const demo = settings.demo && isGateway ? await startDemoService() : undefined;
    if (demo) stoppers.push(() => demo.close());
    await reserved?.release();
    if (isGateway) {
      const gatewayLogger = log.child({ service: 'gateway' });
      const file = openGatewayFile(settings, installationRoot, demo?.port, gatewayLogger);
      const about = { settings, platform, logger: gatewayLogger, publicPort, file };
      const gateway =
        settings.workers > 1 && program !== undefined
          ? await startWorkers({ ...about, installationRoot, program, publicUrl, control })
          : await startGateway({
              ...{ ...about, managed },
              control: (request, response) => void control.server.emit('request', request, response),
              ownAnswer: (path) => ownAnswer(path, { platform, settings }),
            });
      onSecretChange = () => gateway.refreshSecrets();
      stoppers.push(() => gateway.stop());
    }
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

interface WorkersParts {
  readonly program: string;
  readonly settings: Settings;
  readonly installationRoot: string;
  readonly platform: Platform;
  readonly logger: Logger;
  readonly control: FastifyInstance;
  readonly publicUrl: string;
  readonly publicPort: number;
  readonly file: FileFeed;
}

/** The gateway as processes of its own, before the control plane of this one. */
async function startWorkers(parts: WorkersParts): Promise<RunningGateway> {
  const { settings, installationRoot, platform, logger, control, publicUrl, publicPort, file } = parts;
  const bridge = await openControlBridge((request, response) => control.server.emit('request', request, response));
  const pool: WorkerPool = new WorkerPool({
    ...{ settings, logger, stores: platform.stores, rateLimits: platform.openRateLimits(undefined) },
    ...{ registry: platform.metrics.registry, instanceId: platform.instanceId },
    program: parts.program,
    file,
    about: { installationRoot, publicUrl, publicPort, controlPath: bridge.path },
    ownAnswer: (path) => ownAnswer(path, { platform, settings, workers: pool }),
  });
  platform.decisionLog.flushAlso(() => pool.flushDecisions());
  const stop = async (): Promise<void> => {
    await pool.stop();
    await bridge.close();
  };
  try {
    await pool.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { refreshSecrets: () => pool.refreshSecrets(), stop };
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
