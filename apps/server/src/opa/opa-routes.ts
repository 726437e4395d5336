/**
 * OPA's REST API over our engine: `/v1/data`, `/v0/data`, `/v1/query`, `/v1/policies`, `/health`. Which world a path means:
 * `projects/NAME/…` that project's, `platform/…` the platform's, `bailiwick/authz` the decision rule; any other path is read in the
 * world of `?project=`, else of the token's `project` claim, else in the platform's.
 */
import { BailiwickError } from '@bailiwick/contract';
import { isRegoErrors, isRegoEvaluationError, parseJson, stringifyJson, type Value } from '@bailiwick/rego';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { claimedProject, type DecisionService } from '../decisions/decision-service.js';
import type { Enforcer } from '../decisions/enforcer.js';
import type { World } from '../decisions/world.js';
import type { Authenticator } from '../identity/authenticator.js';
import { decisionInput, isApisixInput } from './apisix-input.js';

export interface OpaRouteParts {
  readonly enforcer: Enforcer;
  readonly decisions: DecisionService;
  readonly authenticator: Authenticator;
}

const tags = ['opa'];
const query = { access: { action: 'decision.query' } } as const;
const DataQuery = Type.Object({
  input: Type.Optional(Type.String()),
  pretty: Type.Optional(Type.Boolean()),
  metrics: Type.Optional(Type.Boolean()),
  provenance: Type.Optional(Type.Boolean()),
  'strict-builtin-errors': Type.Optional(Type.Boolean()),
  project: Type.Optional(Type.String()),
});
type DataQuery = Static<typeof DataQuery>;
type DataRequest = FastifyRequest<{ Params: { '*'?: string }; Querystring: DataQuery; Body: unknown }>;

export function opaRoutes(app: FastifyInstance, parts: OpaRouteParts): void {
  app.get(
    '/health',
    {
      config: { access: { action: 'public' } },
      schema: { tags, summary: 'Decisions are being answered; how old what they are answered from is' },
    },
    async (_request, reply) => {
      const { enforcer } = parts;
      return reply
        .status(enforcer.state('platform')?.kind === 'ready' ? 200 : 500)
        .send({ revision: enforcer.revision, connected: enforcer.isConnected, age_seconds: enforcer.ageSeconds() });
    },
  );

  const schema = { tags, querystring: DataQuery };
  for (const path of ['/v1/data', '/v1/data/*']) {
    app.post(
      path,
      { config: query, schema: { ...schema, summary: 'Evaluate a document with an input' } },
      async (request, reply) => dataV1(parts, request as DataRequest, reply, inputOfBody(request.body)),
    );
    app.get(
      path,
      { config: query, schema: { ...schema, summary: 'Evaluate a document; `?input=` is JSON text' } },
      async (request, reply) => {
        const { input } = request.query as DataQuery;
        return dataV1(parts, request as DataRequest, reply, input === undefined ? undefined : parseInput(input));
      },
    );
  }
  for (const path of ['/v0/data', '/v0/data/*']) {
    app.post(
      path,
      {
        config: query,
        schema: { ...schema, summary: 'Evaluate a document; the body is the input, the answer the document' },
      },
      async (request, reply) => {
        const outcome = await evaluate(parts, request as DataRequest, (request.body ?? undefined) as Value | undefined);
        if (outcome.value === undefined)
          return reply.status(404).send({ code: 'undefined_document', message: 'document is undefined' });
        return sendValue(reply, stringifyJson(outcome.value), request as DataRequest);
      },
    );
  }

  app.post<{ Body: { query?: unknown; input?: unknown }; Querystring: DataQuery }>(
    '/v1/query',
    { config: query, schema: { ...schema, summary: 'Evaluate an ad-hoc query' } },
    async (request, reply) =>
      runQuery(
        parts,
        request as unknown as DataRequest,
        reply,
        request.body?.query,
        request.body?.input as Value | undefined,
      ),
  );
  app.get<{ Querystring: DataQuery & { q?: string } }>(
    '/v1/query',
    {
      config: query,
      schema: {
        tags,
        querystring: Type.Object({
          q: Type.String(),
          project: Type.Optional(Type.String()),
          pretty: Type.Optional(Type.Boolean()),
        }),
        summary: 'Evaluate an ad-hoc query',
      },
    },
    async (request, reply) => runQuery(parts, request as unknown as DataRequest, reply, request.query.q, undefined),
  );

  app.get(
    '/v1/policies',
    { config: { access: { action: 'policy.list' } }, schema: { tags, summary: 'Every policy module in force' } },
    async () => ({
      result: parts.enforcer
        .names()
        .map((name) => ({ id: policyId(name), raw: parts.enforcer.entry(name)?.document.rego })),
    }),
  );
  app.get<{ Params: { '*': string } }>(
    '/v1/policies/*',
    { config: { access: { action: 'policy.list' } }, schema: { tags, summary: 'One policy module' } },
    async (request, reply) => {
      const name = parts.enforcer.names().find((known) => policyId(known) === request.params['*']);
      if (name === undefined)
        return reply
          .status(404)
          .send({ code: 'resource_not_found', message: `storage_not_found_error: policy id "${request.params['*']}"` });
      return { result: { id: policyId(name), raw: parts.enforcer.entry(name)?.document.rego } };
    },
  );
}

const policyId = (name: string): string => (name === 'platform' ? 'platform/rego.rego' : `projects/${name}/rego.rego`);

interface Outcome {
  readonly value: Value | undefined;
  readonly decisionId: string | undefined;
  readonly nanoseconds: number;
}

async function dataV1(
  parts: OpaRouteParts,
  request: DataRequest,
  reply: FastifyReply,
  input: Value | undefined,
): Promise<FastifyReply> {
  try {
    const { value, decisionId, nanoseconds } = await evaluate(parts, request, input);
    const members = [
      ...(decisionId === undefined ? [] : [`"decision_id":${JSON.stringify(decisionId)}`]),
      ...(request.query.metrics ? [`"metrics":{"timer_rego_query_eval_ns":${nanoseconds}}`] : []),
      ...(request.query.provenance
        ? [`"provenance":{"version":"bailiwick","bundles":{},"revision":${parts.enforcer.revision}}`]
        : []),
      ...(value === undefined ? [] : [`"result":${stringifyJson(value)}`]),
    ];
    return sendValue(reply, `{${members.join(',')}}`, request);
  } catch (error) {
    return sendOpaError(reply, error);
  }
}

async function evaluate(parts: OpaRouteParts, request: DataRequest, input: Value | undefined): Promise<Outcome> {
  const path = (request.params['*'] ?? '')
    .split('/')
    .filter((segment) => segment !== '')
    .map(decodeSegment);
  if (path[0] === 'bailiwick' && path[1] === 'authz') return await decide(parts, request, input, path.slice(2));
  const { world, rest } = worldOf(parts, path, request);
  const started = process.hrtime.bigint();
  const value = world?.policy.evaluate(rest.map((step) => `[${JSON.stringify(step)}]`).join(''), input, {
    strictBuiltinErrors: request.query['strict-builtin-errors'] ?? false,
  });
  return { value, decisionId: undefined, nanoseconds: Number(process.hrtime.bigint() - started) };
}

/** The decision rule as a document: `{allow, reason?, decision_id}`, also what APISIX's `opa` plugin asks for. */
async function decide(
  parts: OpaRouteParts,
  request: DataRequest,
  input: Value | undefined,
  rest: readonly string[],
): Promise<Outcome> {
  const prepared = isApisixInput(input) ? await decisionInput(input, parts.authenticator) : input;
  const members = (typeof prepared === 'object' && prepared !== null && !Array.isArray(prepared) ? prepared : {}) as {
    readonly project?: Value;
    readonly claims?: Value;
    readonly request_id?: Value;
  };
  const claims = (typeof members.claims === 'object' && members.claims !== null ? members.claims : {}) as Record<
    string,
    Value
  >;
  const claimed = claimedProject(claims);
  const started = process.hrtime.bigint();
  const decision = parts.decisions.decideOn(prepared ?? {}, {
    project: typeof members.project === 'string' ? members.project : claimed,
    claimedProject: claimed,
    isControlPlane: false,
    actor: typeof claims['sub'] === 'string' ? claims['sub'] : 'anonymous',
    requestId: typeof members.request_id === 'string' ? members.request_id : request.id,
  });
  const reason =
    decision.reasons.length > 0
      ? { reason: decision.reasons.length === 1 ? (decision.reasons[0] as Value) : decision.reasons }
      : {};
  const document: Record<string, Value> = {
    allow: decision.allowed,
    ...(decision.allowed ? {} : { status_code: decision.decidedBy === 'error' ? 503 : 403 }),
    ...reason,
  };
  const value =
    rest.length === 0
      ? document
      : rest.length === 1 && Object.hasOwn(document, rest[0] ?? '')
        ? document[rest[0] ?? '']
        : undefined;
  return { value, decisionId: decision.id, nanoseconds: Number(process.hrtime.bigint() - started) };
}

function worldOf(
  parts: OpaRouteParts,
  path: readonly string[],
  request: DataRequest,
): { world: World | undefined; rest: readonly string[] } {
  const named = (name: string, rest: readonly string[]): { world: World | undefined; rest: readonly string[] } => {
    const state = parts.enforcer.state(name);
    if (state?.kind === 'broken')
      throw new BailiwickError('unavailable', {
        reason: 'policy.broken',
        message: `The policy of '${name}' does not run: ${state.error}`,
        retryAfterSeconds: 5,
      });
    return { world: state?.world, rest };
  };
  if (path[0] === 'projects' && path[1] !== undefined) return named(path[1], path.slice(2));
  if (request.query.project !== undefined) return named(request.query.project, path);
  const claimed = claimedProject(request.caller.claims);
  if (claimed !== undefined) return named(claimed, path);
  const platform = named('platform', path);
  // `package platform.authz` lives at platform/authz in its own world; `platform/` before another path names the world.
  if (path[0] === 'platform' && platform.world && platform.world.packageSteps[0] !== 'platform')
    return named('platform', path.slice(1));
  return platform;
}

async function runQuery(
  parts: OpaRouteParts,
  request: DataRequest,
  reply: FastifyReply,
  text: unknown,
  input: Value | undefined,
): Promise<FastifyReply> {
  if (typeof text !== 'string' || text === '')
    throw new BailiwickError('invalid', {
      reason: 'opa.no_query',
      message: 'Send the query: {"query": "data.example.allow = x"} or ?q=.',
    });
  try {
    const { world } = worldOf(parts, [], request);
    const result = world?.policy.query(text, input) ?? [];
    return sendValue(
      reply,
      result.length === 0 ? '{}' : stringifyJson({ result: result.map((bindings) => ({ ...bindings })) }),
      request,
    );
  } catch (error) {
    return sendOpaError(reply, error);
  }
}

function sendValue(reply: FastifyReply, text: string, request: DataRequest): FastifyReply {
  const shown = request.query.pretty ? `${JSON.stringify(JSON.parse(text), null, 2)}\n` : `${text}\n`;
  return reply.status(200).type('application/json').serializer(String).send(shown);
}

/** Faults of a policy or a query, in OPA's own form. */
function sendOpaError(reply: FastifyReply, error: unknown): FastifyReply {
  if (isRegoErrors(error)) {
    const errors = error.errors.map((item) => ({ code: item.code, message: item.message, location: item.location }));
    return reply
      .status(400)
      .serializer(JSON.stringify)
      .send({ code: 'invalid_parameter', message: 'error(s) occurred while compiling module(s)', errors });
  }
  if (isRegoEvaluationError(error)) {
    return reply
      .status(500)
      .serializer(JSON.stringify)
      .send({
        code: 'internal_error',
        message: 'error(s) occurred while evaluating query',
        errors: [{ code: error.code, message: error.reason, location: error.location }],
      });
  }
  throw error;
}

function inputOfBody(body: unknown): Value | undefined {
  if (body === undefined || body === null) return undefined;
  if (typeof body !== 'object' || Array.isArray(body))
    throw new BailiwickError('invalid', { reason: 'opa.bad_body', message: 'The body is {"input": …}.' });
  return (body as { input?: Value }).input;
}

function parseInput(text: string): Value {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new BailiwickError('invalid', {
      reason: 'opa.bad_input',
      message: 'The parameter `input` is not JSON.',
      cause,
    });
  }
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
