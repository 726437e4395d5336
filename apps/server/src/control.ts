/** The control plane's application with all its routes: what the `control` and `decide` roles serve behind the gateway. */
import type { RequestListener } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { auditRoutes } from './audit/audit-routes.js';
import { bootstrapRoutes } from './configs/bootstrap-routes.js';
import type { EncryptedValue } from './configs/config-content.js';
import { configRoutes } from './configs/config-routes.js';
import { environmentRoutes } from './configs/environment-routes.js';
import { fetchRoutes } from './configs/fetch-routes.js';
import { idempotentWrites } from './configs/idempotent-writes.js';
import { createReadListener } from './configs/read-listener.js';
import { usageRoutes } from './configs/usage-routes.js';
import { decisionRoutes } from './decisions/decision-routes.js';
import { documentRoutes } from './documents/document-routes.js';
import { referenceRoutes } from './documents/reference-routes.js';
import { searchRoutes } from './documents/search-routes.js';
import { exchangeRoutes, reportRoutes } from './exchange/exchange-routes.js';
import { flagRoutes } from './flags/flag-routes.js';
import { ofrepRoutes } from './flags/ofrep-routes.js';
import type { ManagedResources } from './gateway/managed-resources.js';
import { gatewayResourceRoutes } from './gateway/resource-routes.js';
import { createApplication } from './http/application.js';
import { BusyPoll } from './http/busy-poll.js';
import { CrossOrigin } from './http/cross-origin.js';
import { docsRoutes, openApiRoutes } from './http/docs-routes.js';
import { TokenBucket } from './http/token-bucket.js';
import { identityRoutes } from './identity/identity-routes.js';
import { oidcRoutes } from './identity/oidc-routes.js';
import { webhookRoutes } from './notifications/webhook-routes.js';
import { bundleRoutes } from './opa/bundle-routes.js';
import { DataListener } from './opa/data-listener.js';
import { acceptOpaBodies } from './opa/opa-bodies.js';
import { opaRoutes } from './opa/opa-routes.js';
import type { Platform } from './platform.js';
import { approvalRoutes } from './policies/approval-routes.js';
import { policyRoutes } from './policies/policy-routes.js';
import { rolloutRoutes } from './rollouts/rollout-routes.js';
import { secretRoutes } from './secrets/secret-routes.js';
import type { Settings } from './settings.js';
import type { Logger } from './telemetry/logger.js';

const settleMs = 1_000;

export async function createControl(
  platform: Platform,
  settings: Settings,
  logger: Logger,
  publicUrl: string,
  gatewayResources: {
    readonly managed: ManagedResources;
    readonly exportText: () => string;
    readonly onSecretChange: () => void;
  },
): Promise<FastifyInstance> {
  const app = createApplication(applicationParts(platform, settings, logger));
  await openApiRoutes(app);
  if (settings.roles.includes('control')) {
    const { store, cipher } = platform.configuration;
    const open = async (encrypted: EncryptedValue): Promise<unknown> => await cipher.decrypt(encrypted);
    tellSteadyTime(app, platform.configuration.steadyMs);
    idempotentWrites(app, store, { keptHours: settings.idempotencyHours, open });
    policyRoutes(app, platform);
    gatewayResourceRoutes(app, gatewayResources.managed, gatewayResources.exportText);
    secretRoutes(app, { secrets: platform.secrets, audit: platform.audit, onChange: gatewayResources.onSecretChange });
    approvalRoutes(app, platform.approvals, platform.configuration.approvals);
    decisionRoutes(app, platform.decisionLog, platform.explanations, () => platform.settled(settleMs));
    auditRoutes(app, platform.audit, () => platform.settled(settleMs), platform.localKeys.auditPublicKeyPem);
    identityRoutes(app, platform.apiKeys, platform.users);
    configRoutes(app, platform.configuration.configs);
    fetchRoutes(app, platform.configuration.fetches, platform.configuration.limits);
    environmentRoutes(app, platform.configuration);
    bootstrapRoutes(app, platform.configuration, platform.localKeys);
    usageRoutes(app, platform.configuration.usage);
    flagRoutes(app, platform.configuration.flags);
    exchangeRoutes(app, platform.configuration.exchange);
    reportRoutes(app, platform.configuration.reports);
    webhookRoutes(app, platform.configuration.webhooks);
    rolloutRoutes(app, platform.configuration);
    ofrepRoutes(app, platform.configuration.ofrep, platform.configuration.limits);
  }
  if (settings.roles.includes('rag')) {
    await documentRoutes(app, platform.documents, settings.maxDocumentBytes);
    referenceRoutes(app, platform.documents);
    searchRoutes(app, platform.documents);
  }
  if (settings.roles.includes('decide')) {
    opaRoutes(app, platform);
    bundleRoutes(app, platform);
  }
  if (settings.builtInIssuer && settings.roles.includes('control')) {
    await oidcRoutes(app, {
      publicUrl,
      keys: platform.localKeys,
      users: platform.users,
      cache: platform.cache,
      audience: settings.audience,
      apiKey: (credential) => platform.apiKeys.authenticate(credential),
    });
  }
  docsRoutes(app);
  await app.ready();
  if (settings.roles.includes('control')) answerReadsFirst(platform, settings, app);
  return app;
}

/** SDKs take the time from answers: when this machine's clock jumped ahead, they are told what counts here. */
function tellSteadyTime(app: FastifyInstance, steadyMs: () => number): void {
  app.addHook('onRequest', (_request, reply, done) => {
    const now = steadyMs();
    if (Date.now() - now > 1_000) reply.header('date', new Date(now).toUTCString());
    done();
  });
}

/** Puts the reads that applications make all the time before the application, on whatever server it listens. */
function answerReadsFirst(platform: Platform, settings: Settings, application: FastifyInstance): void {
  const { server } = application;
  const [others] = server.listeners('request') as RequestListener[];
  if (!others) throw new Error('the application has no listener');
  const { apiKeys, decisions, metrics, configuration } = platform;
  server.removeAllListeners('request');
  server.on(
    'request',
    createReadListener({
      ...{ application, others, apiKeys, decisions, metrics, maxJsonDepth: settings.maxJsonDepth },
      ...{ fetches: configuration.fetches, ofrep: configuration.ofrep, limits: configuration.limits },
      crossOrigin: new CrossOrigin(settings.corsOrigins),
      busyPoll: new BusyPoll(settings.busyPollMicroseconds),
    }),
  );
}

/** OPA's REST API alone and without tokens, for a private network. */
export async function createOpaListener(platform: Platform, settings: Settings, logger: Logger): Promise<DataListener> {
  const parts = applicationParts(platform, settings, logger);
  const application = createApplication({ ...parts, isAuthorised: false });
  acceptOpaBodies(application, settings.maxJsonDepth);
  opaRoutes(application, platform);
  await application.ready();
  const busyPoll = new BusyPoll(settings.busyPollMicroseconds);
  return new DataListener(platform, { ...parts, application, busyPoll });
}

function applicationParts(platform: Platform, settings: Settings, logger: Logger) {
  return {
    authenticator: platform.authenticator,
    decisions: platform.decisions,
    audit: platform.audit,
    logger,
    metrics: platform.metrics,
    anonymousRefusals: new TokenBucket(5, 20),
    // JSON escapes may double a text; what is stored is measured exactly later.
    maxBodyBytes: 2 * (settings.maxRegoBytes + settings.maxDataBytes) + 64 * 1024,
    maxJsonDepth: settings.maxJsonDepth,
    crossOrigin: new CrossOrigin(settings.corsOrigins),
  };
}
