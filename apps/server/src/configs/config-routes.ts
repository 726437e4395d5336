/** `/api/v1/configs`: entries, their versions, their effective values. Routes parse, call, map. */
import {
  BailiwickError,
  Config,
  ConfigContent,
  isNoneMatch,
  listOf,
  listQuery,
  NewConfig,
  ResourceDiff,
  ResourceRollback,
  ResourceVersionSummary,
} from '@bailiwick/contract';
import type { Value } from '@bailiwick/rego';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ResourceVersion } from '../ports/resource-store.port.js';
import type { ConfigContentStored } from './config-content.js';
import { type ConfigItem, type ConfigService, etagOf, shownContent } from './config-service.js';
import type { WriteContext } from './configuration-writer.js';
import { scopeOf } from './scope.js';

const tags = ['configs'];
const Id = Type.Object({ id: Type.String({ format: 'uuid' }) });
type Id = Static<typeof Id>;
const IfMatch = Type.Object({ 'if-match': Type.Optional(Type.String({ description: 'The ETag you saw. Required.' })) });
const ListQuery = Type.Object({
  ...listQuery,
  app_id: Type.Optional(Type.String({ description: 'Only of this app; empty: only what is for all apps.' })),
  environment: Type.Optional(Type.String({ description: 'Only of this environment; empty: only what is for all.' })),
  key: Type.Optional(Type.String()),
  prefix: Type.Optional(Type.String({ description: 'Keys that begin so.' })),
  search: Type.Optional(Type.String({ maxLength: 200, description: 'In key or description, whatever the case.' })),
});
const DiffQuery = Type.Object({ from: Type.Integer({ minimum: 1 }), to: Type.Integer({ minimum: 1 }) });

export function configRoutes(app: FastifyInstance, configs: ConfigService): void {
  /** What the platform policy sees of an entry that the path names. */
  const named = (request: FastifyRequest): Readonly<Record<string, Value>> => {
    const { id } = request.params as Id;
    return { resource: { kind: 'config', ...factsOf(configs.get(id)) } };
  };
  const read = { access: { action: 'config.read', facts: named } };
  const write = { access: { action: 'config.write', isWrite: true, facts: named } };

  app.get<{ Querystring: Static<typeof ListQuery> }>(
    '/api/v1/configs',
    {
      config: { access: { action: 'config.list' } },
      schema: {
        tags,
        summary: 'Entries, newest change first',
        querystring: ListQuery,
        response: { 200: listOf(Config, 'Configs') },
      },
    },
    async (request) => {
      const { limit = 50, cursor, app_id, environment, key, prefix, search } = request.query;
      const scope = { appId: orNull(app_id), environment: orNull(environment) };
      const page = configs.list({ ...scope, key, prefix, search }, { limit, cursor });
      return { ...page, items: page.items.map((item) => shown(item)) };
    },
  );

  app.post<{ Body: NewConfig }>(
    '/api/v1/configs',
    {
      config: {
        access: {
          action: 'config.write',
          isWrite: true,
          isDecidedByBody: true,
          facts: ({ body }) => ({ resource: { kind: 'config', ...bodyFacts(body as NewConfig) } }),
        },
      },
      schema: { tags, summary: 'Create an entry', body: NewConfig, response: { 201: Config } },
    },
    async (request, reply) => {
      const { key, app_id, environment, ...draft } = request.body;
      const item = await configs.create(key, scopeOf(app_id, environment), draft, contextOf(request));
      return reply
        .status(201)
        .header('etag', etagOf(item))
        .header('location', `/api/v1/configs/${item.id}`)
        .send(shown(item));
    },
  );

  app.get<{ Params: Id }>(
    '/api/v1/configs/:id',
    { config: read, schema: { tags, summary: 'An entry', params: Id, response: { 200: Config } } },
    async (request, reply) => answer(request, reply, configs.get(request.params.id)),
  );

  app.get<{ Params: Id }>(
    '/api/v1/configs/:id/value',
    {
      config: { access: { action: 'config.reveal', isSensitiveRead: true, facts: named } },
      schema: {
        tags,
        summary: 'The value of an entry, also of a sensitive one; audited',
        params: Id,
        response: { 200: Type.Object({ value: Type.Unknown() }) },
      },
    },
    async (request, reply) => {
      const value = configs.valueOf(configs.get(request.params.id));
      if (value === undefined)
        throw new BailiwickError('unavailable', {
          reason: 'config.sealed',
          message: 'The secret store is away, and the value cannot be opened without it. Try again later.',
          retryAfterSeconds: 5,
        });
      return reply.header('cache-control', 'no-store').send({ value });
    },
  );

  app.put<{ Params: Id; Body: ConfigContent }>(
    '/api/v1/configs/:id',
    {
      config: write,
      schema: {
        tags,
        summary: 'Replace what an entry says',
        params: Id,
        headers: IfMatch,
        body: ConfigContent,
        response: { 200: Config },
      },
    },
    async (request, reply) => {
      const item = await configs.replace(request.params.id, request.body, ifMatch(request), contextOf(request));
      return reply.header('etag', etagOf(item)).send(shown(item));
    },
  );

  app.delete<{ Params: Id }>(
    '/api/v1/configs/:id',
    {
      config: write,
      schema: { tags, summary: 'Delete an entry', params: Id, headers: IfMatch, response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      await configs.remove(request.params.id, ifMatch(request), contextOf(request));
      return reply.status(204).send();
    },
  );

  historyRoutes(app, configs, read, write);
}

type RouteConfig = { readonly access: NonNullable<FastifyRequest['routeOptions']['config']['access']> };

function historyRoutes(app: FastifyInstance, configs: ConfigService, read: RouteConfig, write: RouteConfig): void {
  // The history of what was deleted stays readable: there is no entry to take facts from.
  const history = { access: { action: read.access.action } };
  app.get<{ Params: Id; Querystring: { limit: number; cursor?: string } }>(
    '/api/v1/configs/:id/versions',
    {
      config: history,
      schema: {
        tags,
        summary: 'Every version, newest first',
        params: Id,
        querystring: Type.Object(listQuery),
        response: { 200: listOf(ResourceVersionSummary, 'ConfigVersions') },
      },
    },
    async (request) => {
      const page = await configs.versions(request.params.id, request.query);
      return { ...page, items: page.items.map(shownVersion) };
    },
  );
  app.get<{ Params: Id; Querystring: Static<typeof DiffQuery> }>(
    '/api/v1/configs/:id/diff',
    {
      config: history,
      schema: {
        tags,
        summary: 'What changed between two versions',
        params: Id,
        querystring: DiffQuery,
        response: { 200: ResourceDiff },
      },
    },
    async (request) => await configs.diff(request.params.id, request.query.from, request.query.to),
  );
  app.post<{ Params: Id; Body: Static<typeof ResourceRollback> }>(
    '/api/v1/configs/:id/rollback',
    {
      config: write,
      schema: {
        tags,
        summary: 'Bring the content of an earlier version back, as a new version',
        params: Id,
        headers: IfMatch,
        body: ResourceRollback,
        response: { 200: Config },
      },
    },
    async (request, reply) => {
      const { version } = request.body;
      const item = await configs.rollback(request.params.id, version, ifMatch(request), contextOf(request));
      return reply.header('etag', etagOf(item)).send(shown(item));
    },
  );
}

export function contextOf(request: FastifyRequest): WriteContext {
  return { actor: request.caller.actor, requestId: request.id, clientIp: request.ip };
}

export const ifMatch = (request: FastifyRequest): string | undefined => request.headers['if-match'];

const orNull = (text: string | undefined): string | null | undefined => (text === '' ? null : text);

export const factsOf = (item: { key: string; appId: string | null; environment: string | null }) => ({
  key: item.key,
  app_id: item.appId,
  environment: item.environment,
});

export const bodyFacts = (body: { key?: string; app_id?: string | null; environment?: string | null } | null) => ({
  key: body?.key ?? null,
  app_id: body?.app_id ?? null,
  environment: body?.environment ?? null,
});

function answer(request: FastifyRequest, reply: FastifyReply, item: ConfigItem): unknown {
  reply.header('etag', etagOf(item)).header('cache-control', 'no-cache');
  if (isNoneMatch(request.headers['if-none-match'], String(item.revision))) return reply.status(304).send();
  return shown(item);
}

function shown(item: ConfigItem): Record<string, unknown> {
  return { ...resourceShown(item), ...(shownContent(item.content) as Record<string, unknown>) };
}

export function resourceShown(item: Omit<ConfigItem, 'content'>): Record<string, unknown> {
  const { id, key, appId, environment, version, revision, createdAt, createdBy, updatedAt, updatedBy } = item;
  return {
    ...{ id, key, app_id: appId, environment, version, revision },
    ...{ created_at: createdAt, created_by: createdBy, updated_at: updatedAt, updated_by: updatedBy },
  };
}

function shownVersion(version: ResourceVersion): ResourceVersionSummary {
  const { content, rolledBackTo, revision, action, updatedAt, updatedBy } = version;
  return {
    ...{ version: version.version, revision, action, updated_at: updatedAt, updated_by: updatedBy },
    ...(rolledBackTo === null ? {} : { rolled_back_to: rolledBackTo }),
    ...(content === null ? {} : { content: shownContent(JSON.parse(content) as ConfigContentStored) }),
  };
}
