/** OPA's REST API over our engine: `/v1/data`, `/v0/data`, `/v1/query`, `/v1/policies`, `/health`. */
import { BailiwickError } from '@bailiwick/contract';
import { isRegoErrors, isRegoEvaluationError, parseJson, stringifyJson, type Value } from '@bailiwick/rego';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { claimedProject } from '../decisions/decision-service.js';
import { answerData, type DataParts, type DataQuestion, worldOf } from './data-evaluation.js';

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

export function opaRoutes(app: FastifyInstance, parts: DataParts): void {
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
        const outcome = await answerData(
          parts,
          questionOf(request as DataRequest),
          (request.body ?? undefined) as Value | undefined,
        );
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

async function dataV1(
  parts: DataParts,
  request: DataRequest,
  reply: FastifyReply,
  input: Value | undefined,
): Promise<FastifyReply> {
  try {
    const { value, decisionId, nanoseconds } = await answerData(parts, questionOf(request), input);
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

async function runQuery(
  parts: DataParts,
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
    const { world } = worldOf(parts, [], questionOf(request));
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

function questionOf(request: DataRequest): DataQuestion {
  return {
    path: request.params['*'] ?? '',
    project: request.query.project,
    claimedProject: claimedProject(request.caller.claims),
    isStrict: request.query['strict-builtin-errors'] ?? false,
    requestId: () => request.id,
  };
}
