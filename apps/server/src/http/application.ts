/**
 * The control plane's HTTP application. Order for every request: id → size and header limits → who → may they (before the body is read) →
 * strict JSON → schema → route → problem or answer → log line, metrics, audit of refusals.
 */
import { randomUUID } from 'node:crypto';
import { BailiwickError, isBailiwickError } from '@bailiwick/contract';
import { parseNumber } from '@bailiwick/rego';
import Ajv from 'ajv';
import Fastify, { type FastifyBodyParser, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { AuditService } from '../audit/audit-service.js';

import { type Caller, claimedProject, type Decision, type DecisionService } from '../decisions/decision-service.js';
import { inSlices } from '../decisions/slices.js';
import type { Authenticator } from '../identity/authenticator.js';
import type { Logger } from '../telemetry/logger.js';
import type { Metrics } from '../telemetry/metrics.js';
import { auditContext, nobody, type RouteAccess } from './access.js';
import type { CrossOrigin } from './cross-origin.js';
import { toProblem } from './problems.js';
import { parseStrictJson, parseStrictJsonInSteps } from './strict-json.js';
import type { TokenBucket } from './token-bucket.js';

export interface ApplicationParts {
  readonly authenticator: Authenticator;
  readonly decisions: DecisionService;
  readonly audit: AuditService;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** How many refusals of unknown callers are audited. */
  readonly anonymousRefusals: TokenBucket;
  readonly maxBodyBytes: number;
  readonly maxJsonDepth: number;
  readonly crossOrigin: CrossOrigin;
  /** `false` on a listener that speaks OPA's REST API on a private network. */
  readonly isAuthorised?: boolean;
}

export const requestIdPattern = /^[A-Za-z0-9._~-]{1,128}$/;
const maxUrlLength = 8 * 1024;

export function createApplication(parts: ApplicationParts): FastifyInstance {
  const app = Fastify({
    logger: false,
    bodyLimit: parts.maxBodyBytes,
    requestIdHeader: false,
    genReqId: (raw) => {
      const given = raw.headers['x-request-id'];
      return typeof given === 'string' && requestIdPattern.test(given) ? given : randomUUID();
    },
    // The gateway in front of us names the client; nobody else reaches this listener from elsewhere.
    trustProxy: 'loopback',
    routerOptions: { maxParamLength: 256 },
    forceCloseConnections: 'idle',
    requestTimeout: 60_000,
    exposeHeadRoutes: true,
  });
  app.decorateRequest('caller', null as unknown as Caller);
  app.decorateRequest('decisionId', undefined);
  app.decorateRequest('startedNs', 0n);
  acceptStrictJson(app, parts.maxJsonDepth);
  validateStrictly(app);

  app.addHook('onRequest', async (request, reply) => {
    request.startedNs = process.hrtime.bigint();
    request.caller = nobody;
    reply.header('x-request-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
    const shared = parts.crossOrigin.headersFor(request.url, request.headers.origin);
    if (shared) reply.headers(shared);
    if (shared && request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined)
      return reply.status(204).headers(parts.crossOrigin.preflight).send();
    if (request.url.length > maxUrlLength)
      throw new BailiwickError('invalid', {
        reason: 'request.url_too_long',
        message: `The address is longer than ${maxUrlLength} characters.`,
      });
    const access = request.routeOptions.config.access;
    // An unknown path is a 404 for everybody: it tells nothing.
    if (!access || access.action === 'public' || parts.isAuthorised === false) return;
    request.caller = await parts.authenticator.authenticate(request.headers);
    await access.prepare?.(request);
    if (!access.isDecidedByBody) authorise(parts, request, access);
  });
  app.addHook('preValidation', async (request) => {
    const access = request.routeOptions.config.access;
    if (access?.isDecidedByBody && parts.isAuthorised !== false) authorise(parts, request, access);
  });
  app.addHook('preHandler', async (request, reply) => await auditRead(parts, request, reply));
  app.addHook('onResponse', async (request, reply) => finish(parts, request, reply));
  app.setNotFoundHandler(() => {
    throw new BailiwickError('not-found', {
      reason: 'request.no_route',
      message: 'There is nothing at this address. GET /docs shows what there is.',
    });
  });
  app.setErrorHandler(async (error, request, reply) => {
    const problem = toProblem(error, request.id);
    if (problem.isFault)
      parts.logger.error(
        {
          request_id: request.id,
          error,
          ...(isBailiwickError(error) ? { operator: error.details.operatorMessage } : {}),
        },
        'request failed',
      );
    await auditRefusal(parts, request, problem.body.code).catch((cause: unknown) =>
      parts.logger.error({ request_id: request.id, error: cause }, 'audit of a refusal failed'),
    );
    return reply.status(problem.status).headers(problem.headers).serializer(JSON.stringify).send(problem.body);
  });
  return app;
}

function authorise(parts: ApplicationParts, request: FastifyRequest, access: RouteAccess): void {
  const facts = access.facts?.(request);
  const decision = parts.decisions.decide({
    caller: request.caller,
    method: request.method,
    path: request.url.split('?', 1)[0] ?? '',
    headers: flatHeaders(request.headers),
    query: request.query as Record<string, string>,
    project: projectOf(request),
    requestId: request.id,
    action: access.action,
    isOfProject: access.isOfProject === true,
    ...(facts === undefined ? {} : { facts }),
  });
  request.decisionId = decision.id;
  if (decision.allowed) return;
  if (access.isOfProject === true) throw refusalOfProject(request, access.action, decision);
  throw new BailiwickError('forbidden', {
    reason: 'request.denied',
    message: `The platform policy does not allow ${request.caller.actor} to do this (${access.action}).`,
    extra: { decision_id: decision.id, ...(decision.reasons.length > 0 ? { reasons: decision.reasons } : {}) },
  });
}

/** The same for a project that is not there as for one that is not the caller's: only in his own project he is told why. */
function refusalOfProject(request: FastifyRequest, action: string, decision: Decision): BailiwickError {
  const isOwn = claimedProject(request.caller.claims) === projectOf(request);
  return new BailiwickError('forbidden', {
    reason: 'request.denied',
    message: `The policies do not allow ${request.caller.actor} to do this (${action}).`,
    extra: { decision_id: decision.id, ...(isOwn && decision.reasons.length > 0 ? { reasons: decision.reasons } : {}) },
  });
}

function projectOf(request: FastifyRequest): string | undefined {
  const project = (request.params as { project?: string } | undefined)?.project;
  return project === 'platform' ? undefined : project;
}

function flatHeaders(headers: FastifyRequest['headers']): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(', ') : value;
  return flat;
}

/** Refused writes are audited with the same durability as successful ones; those of nobody known only up to a rate, or anybody could fill the store. */
async function auditRefusal(parts: ApplicationParts, request: FastifyRequest, code: string): Promise<void> {
  const access = request.routeOptions.config.access;
  if (!access?.isWrite || code === 'unavailable') return;
  if (request.caller === nobody && !parts.anonymousRefusals.take()) return;
  const params = request.params as { project?: string };
  await parts.audit.record({
    ...auditContext(request),
    action: access.action,
    resource: request.url.split('?', 1)[0] ?? '',
    etag_before: null,
    etag_after: null,
    result: code,
    chain:
      params.project !== undefined && /^[a-z0-9][a-z0-9-]{0,62}$/.test(params.project) ? params.project : 'platform',
  });
}

async function finish(parts: ApplicationParts, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const seconds = Number(process.hrtime.bigint() - request.startedNs) / 1e9;
  const route = request.routeOptions.url ?? 'unknown';
  parts.metrics.apiRequest({ method: request.method, route, status: reply.statusCode }, seconds);
  parts.logger.info({
    request_id: request.id,
    method: request.method,
    path: request.url.split('?', 1)[0],
    status: reply.statusCode,
    latency_ms: Math.round(seconds * 1e6) / 1000,
    ...(request.caller === nobody ? {} : { actor: request.caller.actor }),
    ...(request.decisionId === undefined ? {} : { decision_id: request.decisionId }),
  });
}

/** A read of something sensitive is answered only when the record of it is durable. */
async function auditRead(parts: ApplicationParts, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const access = request.routeOptions.config.access;
  if (!access?.isSensitiveRead || reply.statusCode >= 400) return;
  await parts.audit.record({
    ...auditContext(request),
    action: access.action,
    resource: request.url.split('?', 1)[0] ?? '',
    etag_before: null,
    etag_after: null,
    result: 'success',
    chain: 'platform',
  });
}

/** Bytes of a body that are read at once. */
const maxReadAtOnce = 128 * 1024;

function acceptStrictJson(app: FastifyInstance, maxDepth: number): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    /^application\/(?:[\w.+-]+\+)?json(?:;|$)/,
    { parseAs: 'buffer' },
    strictJsonParser(maxDepth),
  );
}

/** Reads a body as strict JSON, a large one in slices. */
export function strictJsonParser(maxDepth: number): FastifyBodyParser<Buffer> {
  const options = { maxDepth, onBigNumber: parseNumber };
  return (_request, body, done) => {
    if (body.length > maxReadAtOnce) {
      inSlices(parseStrictJsonInSteps(body, options)).then((value) => done(null, value), done);
      return;
    }
    try {
      done(null, parseStrictJson(body, options));
    } catch (error) {
      done(error as Error);
    }
  };
}

/** Bodies are taken as they are; query parameters are texts and may become numbers. */
function validateStrictly(app: FastifyInstance): void {
  const options = { allErrors: false, strict: false, allowUnionTypes: true, useDefaults: true } as const;
  const exact = new Ajv.default(options);
  const coercing = new Ajv.default({ ...options, coerceTypes: true });
  for (const ajv of [exact, coercing]) {
    ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/);
    ajv.addFormat('uuid', /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  }
  app.setValidatorCompiler(({ schema, httpPart }) =>
    (httpPart === 'body' ? exact : coercing).compile(schema as object),
  );
  // Answers are written as they are: numbers of policies must keep their digits, and the schema is documentation.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
}
