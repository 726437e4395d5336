/** `/policies/…`: the policy API of design section 4. Routes parse, call, map; nothing is decided here. */
import {
  AppliedReport,
  BailiwickError,
  CheckReport,
  CheckRequest,
  InstanceReport,
  listOf,
  listQuery,
  PolicyContent,
  PolicyPatch,
  PolicyVersionDocument,
  PolicyVersionSummary,
  parseEtags,
  quoteEtag,
  RollbackRequest,
  WriteReceipt,
} from '@bailiwick/contract';
import { stringifyJsonInSteps, type Value } from '@bailiwick/rego';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import type { Enforcer } from '../decisions/enforcer.js';
import type { InstanceRegistry } from '../decisions/instances.js';
import { inSlices } from '../decisions/slices.js';
import type { PolicyVersion } from '../ports/policy-archive.port.js';
import type { CheckService } from './check-service.js';
import { assertPolicyName } from './policy-model.js';
import type { Change, PolicyService, WriteContext } from './policy-service.js';

export interface PolicyRouteParts {
  readonly enforcer: Enforcer;
  readonly metrics: { propagated(seconds: number): void };
  readonly policies: PolicyService;
  readonly checks: CheckService;
  readonly instances: InstanceRegistry;
}

const PolicyParams = Type.Object({ project: Type.String({ description: 'A project’s name, or `platform`.' }) });
type PolicyParams = Static<typeof PolicyParams>;
const VersionParams = Type.Object({ project: Type.String(), version: Type.Integer({ minimum: 1 }) });
const WriteQuery = Type.Object({
  wait: Type.Optional(
    Type.Literal('applied', { description: 'Answer only when every live instance enforces the write.' }),
  ),
  timeout: Type.Optional(
    Type.String({
      pattern: '^[0-9]{1,6}(ms|s)$',
      description: 'With `wait`: at most this long, `500ms` or `2s` (default 2s, at most 60s).',
    }),
  ),
  acknowledge_flips: Type.Optional(
    Type.Integer({
      minimum: 0,
      description: 'Where a clean check is required: the number of flips you have seen and mean.',
    }),
  ),
});
type WriteQuery = Static<typeof WriteQuery>;
const WriteHeaders = Type.Object({
  'if-match': Type.Optional(Type.String({ description: 'The ETag you saw. Required to change what exists.' })),
  'if-none-match': Type.Optional(Type.String({ description: '`*`: only create.' })),
  'idempotency-key': Type.Optional(Type.String({ description: 'Makes a retry safe for 24 hours.' })),
});
const PolicyAnswer = Type.Object({ rego: Type.String(), data: Type.Unknown() }, { $id: 'PolicyDocument' });

const tags = ['policies'];
const read = { access: { action: 'policy.read' } } as const;
const write = { access: { action: 'policy.write', isWrite: true } } as const;

export function policyRoutes(app: FastifyInstance, parts: PolicyRouteParts): void {
  const { policies, checks, instances } = parts;

  app.get(
    '/policies',
    {
      config: { access: { action: 'policy.list' } },
      schema: {
        tags,
        summary: 'The names of all policies',
        response: { 200: Type.Object({ items: Type.Array(Type.String()) }) },
      },
    },
    async () => ({ items: await policies.names() }),
  );

  app.get<{ Params: PolicyParams }>(
    '/policies/:project',
    {
      config: read,
      schema: { tags, summary: 'A policy as it is in force', params: PolicyParams, response: { 200: PolicyAnswer } },
    },
    async (request, reply) => {
      const document = await policies.read(request.params.project);
      const etag = quoteEtag(document.revision);
      reply.header('etag', etag).header('cache-control', 'no-cache');
      const asked = request.headers['if-none-match'];
      if (asked !== undefined && matches(asked, document.revision)) return reply.status(304).send();
      // The data is sent as it is stored, so that numbers keep their digits.
      return reply
        .type('application/json; charset=utf-8')
        .serializer(String)
        .send(`{"rego":${JSON.stringify(document.rego)},"data":${document.dataText}}`);
    },
  );

  const writeSchema = {
    tags,
    params: PolicyParams,
    querystring: WriteQuery,
    headers: WriteHeaders,
    response: { 200: WriteReceipt },
  };
  app.put<{ Params: PolicyParams; Body: PolicyContent; Querystring: WriteQuery }>(
    '/policies/:project',
    {
      config: write,
      schema: {
        ...writeSchema,
        summary: 'Create or replace a policy',
        body: PolicyContent,
        response: { 200: WriteReceipt, 201: WriteReceipt },
      },
    },
    async (request, reply) =>
      answer(parts, request, reply, {
        kind: 'put',
        rego: request.body.rego,
        dataText: (await textOf(request.body.data)) ?? '{}',
      }),
  );
  app.patch<{ Params: PolicyParams; Body: PolicyPatch; Querystring: WriteQuery }>(
    '/policies/:project',
    { config: write, schema: { ...writeSchema, summary: 'Replace the Rego or the data', body: PolicyPatch } },
    async (request, reply) =>
      answer(parts, request, reply, {
        kind: 'patch',
        rego: request.body.rego,
        dataText: await textOf(request.body.data),
      }),
  );
  app.delete<{ Params: PolicyParams; Querystring: WriteQuery }>(
    '/policies/:project',
    { config: write, schema: { ...writeSchema, summary: 'Delete a policy', response: { 204: Type.Null() } } },
    async (request, reply) => answer(parts, request, reply, { kind: 'delete' }),
  );
  app.post<{ Params: PolicyParams; Body: RollbackRequest; Querystring: WriteQuery }>(
    '/policies/:project/rollback',
    {
      config: write,
      schema: {
        ...writeSchema,
        summary: 'Bring the content of an earlier version back, as a new version',
        body: RollbackRequest,
      },
    },
    async (request, reply) => answer(parts, request, reply, { kind: 'rollback', version: request.body.version }),
  );

  app.get<{ Params: PolicyParams; Querystring: { limit: number; cursor?: string } }>(
    '/policies/:project/versions',
    {
      config: read,
      schema: {
        tags,
        summary: 'The kept versions, newest first',
        params: PolicyParams,
        querystring: Type.Object(listQuery),
        response: { 200: listOf(PolicyVersionSummary, 'PolicyVersions') },
      },
    },
    async (request) => {
      const page = await policies.versions(request.params.project, request.query);
      return { ...page, items: page.items.map(summaryOf) };
    },
  );
  app.get<{ Params: Static<typeof VersionParams> }>(
    '/policies/:project/versions/:version',
    {
      config: read,
      schema: {
        tags,
        summary: 'One version with its content',
        params: VersionParams,
        response: { 200: PolicyVersionDocument },
      },
    },
    async (request, reply) => {
      const version = await policies.version(request.params.project, request.params.version);
      const summary = JSON.stringify(summaryOf(version));
      return reply
        .type('application/json; charset=utf-8')
        .serializer(String)
        .send(`${summary.slice(0, -1)},"rego":${JSON.stringify(version.rego)},"data":${version.dataText}}`);
    },
  );

  app.post<{ Params: PolicyParams; Body: CheckRequest }>(
    '/policies/:project/check',
    {
      config: { access: { action: 'policy.check' } },
      schema: {
        tags,
        summary: 'What a draft would do: errors, tests, decisions that would flip',
        params: PolicyParams,
        body: CheckRequest,
        response: { 200: CheckReport },
      },
    },
    async (request) =>
      await checks.check(request.params.project, {
        rego: request.body.rego,
        dataText: await textOf(request.body.data),
        replay: request.body.replay,
      }),
  );

  app.get<{ Params: PolicyParams }>(
    '/policies/:project/instances',
    {
      config: read,
      schema: {
        tags,
        summary: 'Every enforcing instance and the revision it runs',
        params: PolicyParams,
        response: { 200: listOf(InstanceReport, 'Instances') },
      },
    },
    async (request) => {
      assertPolicyName(request.params.project);
      return { items: instances.list(request.params.project) };
    },
  );
  app.addSchema(AppliedReport);
}

async function answer(
  parts: PolicyRouteParts,
  request: FastifyRequest<{ Params: PolicyParams; Querystring: WriteQuery }>,
  reply: FastifyReply,
  change: Change,
): Promise<unknown> {
  const outcome = await parts.policies.write(request.params.project, change, contextOf(request));
  const acknowledgedMs = performance.timeOrigin + performance.now();
  const { receipt } = outcome;
  if (!outcome.isReplay) void observePropagation(parts, receipt.revision);
  if (outcome.isReplay) reply.header('idempotent-replayed', 'true');
  const isDeletion = change.kind === 'delete';
  if (!isDeletion) reply.header('etag', receipt.etag);
  const wait =
    request.query.wait === 'applied'
      ? await parts.instances.whenApplied(receipt.revision, acknowledgedMs, timeoutMs(request.query.timeout))
      : undefined;
  if (isDeletion) return reply.status(204).send();
  return reply.status(outcome.isNew ? 201 : 200).send(wait ? { ...receipt, applied: wait } : receipt);
}

/** How long the write takes to be enforced in this process. */
async function observePropagation(parts: PolicyRouteParts, revision: number): Promise<void> {
  const started = performance.now();
  if (await parts.enforcer.whenApplied(revision, 10_000))
    parts.metrics.propagated((performance.now() - started) / 1000);
}

function contextOf(request: FastifyRequest<{ Params: PolicyParams; Querystring: WriteQuery }>): WriteContext {
  const header = (name: string): string | undefined => {
    const value = request.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  };
  return {
    actor: request.caller.actor,
    claims: request.caller.claims,
    requestId: request.id,
    clientIp: request.ip,
    ifMatch: header('if-match'),
    ifNoneMatch: header('if-none-match'),
    idempotencyKey: header('idempotency-key'),
    acknowledgedFlips: request.query.acknowledge_flips,
  };
}

function timeoutMs(text: string | undefined): number {
  if (text === undefined) return 2_000;
  const number = Number.parseInt(text, 10);
  const ms = text.endsWith('ms') ? number : number * 1000;
  if (ms > 60_000)
    throw new BailiwickError('invalid', { reason: 'request.timeout_too_long', message: 'The longest timeout is 60s.' });
  return ms;
}

function matches(header: string, revision: number): boolean {
  // If-None-Match compares weakly (RFC 9110 13.1.2).
  const tags = parseEtags(header.replaceAll('W/"', '"'));
  return tags === '*' || tags.includes(String(revision));
}

/** The text that is stored. Large data is written between other requests. */
async function textOf(data: unknown): Promise<string | undefined> {
  return data === undefined ? undefined : await inSlices(stringifyJsonInSteps(data as Value));
}

function summaryOf(version: PolicyVersion): PolicyVersionSummary {
  const { scope, project, version: number, etag, ts, actor, action, rolledBackTo } = version;
  return {
    scope,
    ...(project === undefined ? {} : { project }),
    version: number,
    etag: quoteEtag(etag),
    ts,
    actor,
    action,
    ...(rolledBackTo === undefined ? {} : { rolled_back_to: rolledBackTo }),
  };
}
