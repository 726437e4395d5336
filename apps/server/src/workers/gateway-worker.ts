/**
 * One of several gateway processes: the data path and its decisions, on stores that are the primary's. It is an instance like any other: it
 * follows the same policies, and reports what it enforces. Without its primary it does not know what holds, so it ends with it.
 */

import type { GatewayFile } from '../gateway/resource-schemas.js';
import { startGateway, startManagedResources } from '../gateway-role.js';
import { buildPlatform } from '../platform.js';
import { createLogger } from '../telemetry/logger.js';
import { startTracing } from '../telemetry/tracing.js';
import { bridgedService } from './control-bridge.js';
import { type Message, Relay } from './relay.js';
import { relayedRateLimits, relayedStores } from './relayed-stores.js';
import type { WorkerStart } from './worker-pool.js';

interface Running {
  useFile(file: GatewayFile): void;
  refreshSecrets(): void;
  flushDecisions(): Promise<void>;
  metrics(): Promise<unknown>;
  stop(): Promise<void>;
}

/** Waits for the primary's word; ends the process when the primary says so, or is gone. */
export function runGatewayWorker(): void {
  // The primary decides when to stop; a terminal's Ctrl-C comes to all processes at once.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  // Nobody would tell of a policy's change any more: no request may be decided by an old one.
  process.on('disconnect', () => process.exit(1));
  const relay = new Relay({
    send: (message) => void process.send?.(message),
    onMessage: (listener) => process.on('message', (message) => listener(message as Message)),
  });
  let running: Running | undefined;
  relay.serve('worker', {
    start: async (start: WorkerStart) => {
      running = await startWorker(relay, start);
    },
    useFile: (file: GatewayFile) => running?.useFile(file),
    refreshSecrets: () => running?.refreshSecrets(),
    flushDecisions: () => running?.flushDecisions(),
    metrics: () => running?.metrics(),
    stop: async () => {
      await running?.stop();
      setImmediate(() => process.exit(0));
    },
  });
  // The primary has gone already: `disconnect` follows.
  relay.call('hello', 'iListen').catch(() => undefined);
}

async function startWorker(relay: Relay, about: WorkerStart): Promise<Running> {
  const { settings, installationRoot, publicUrl, publicPort, controlPath, file } = about;
  const logger = createLogger(settings.logLevel).child({ service: 'gateway', worker: settings.instanceId });
  const tracing = await startTracing(settings.otlpEndpoint, 'bailiwick', settings.instanceId);
  const platform = await buildPlatform(settings, logger, publicUrl, {
    stores: relayedStores(relay),
    localRateLimits: relayedRateLimits(relay),
  });
  const managed = await startManagedResources(platform, settings, installationRoot, logger, { isWriting: false });
  let useFile: (file: GatewayFile) => void = () => undefined;
  const gateway = await startGateway({
    ...{ settings, platform, logger, publicPort, managed },
    file: {
      first: file,
      follow: (apply) => {
        useFile = apply;
        return () => undefined;
      },
    },
    control: bridgedService(controlPath),
    ownAnswer: (path) => ownAnswer(relay, path, settings.metricsPublic),
  });
  return {
    useFile: (next) => {
      try {
        useFile(next);
      } catch (error) {
        logger.error({ error }, 'the gateway keeps its old routes: the new file cannot be used');
      }
    },
    refreshSecrets: () => gateway.refreshSecrets(),
    flushDecisions: () => platform.decisionLog.flush(),
    metrics: () => platform.metrics.registry.getMetricsAsJSON(),
    stop: async () => {
      await gateway.stop();
      await managed.stop();
      await platform.stop();
      await tracing.stop();
    },
  };
}

type OwnAnswer = { readonly status: number; readonly type: string; readonly body: string };

/** That this process lives it knows itself; what holds for all only the primary knows. */
function ownAnswer(relay: Relay, path: string, areMetricsPublic: boolean): Promise<OwnAnswer> | undefined {
  if (path === '/livez') return Promise.resolve({ status: 200, type: 'text/plain; charset=utf-8', body: 'ok\n' });
  if (path === '/readyz' || (path === '/metrics' && areMetricsPublic))
    return relay.call('primary', 'ownAnswer', path) as Promise<OwnAnswer>;
  return undefined;
}
