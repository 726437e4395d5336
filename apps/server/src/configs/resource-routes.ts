/** The routes that every kind of configuration has: list, create, read, replace, delete, versions, diff, rollback. */
import {
  isNoneMatch,
  listOf,
  listQuery,
  ResourceDiff,
  ResourceRollback,
  ResourceVersionSummary,
  type resourceMembers,
} from '@bailiwick/contract';
import type { Value } from '@bailiwick/rego';
import { type Static, type TObject, Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { RouteAccess } from '../http/access.js';
import type { ResourceVersion } from '../ports/resource-store.port.js';
import type { Item } from './config-content.js';
import type { WriteContext } from './configuration-writer.js';
import { answerOnce, onceOf, type Secret, type WriteAnswer } from './idempotent-writes.js';
import { scopeOf } from './scope.js';
import { etagOf, type VersionedResources } from './versioned-resources.js';

export const ResourceId = Type.Object({ id: Type.String({ format: 'uuid' }) });
type Id = Static<typeof ResourceId>;
/** Of a write that may be repeated. */
export const OnceHeaders = Type.Object({
  'idempotency-key': Type.Optional(Type.String({ description: 'Makes a retry safe for 24 hours.' })),
});
const IfMatch = Type.Object({
  ...OnceHeaders.properties,
  'if-match': Type.Optional(Type.String({ description: 'The ETag you saw. Required.' })),
});
const ListQuery = Type.Object({
  ...listQuery,
  app_id: Type.Optional(Type.String({ description: 'Only of this app; empty: only what is for all apps.' })),
  environment: Type.Optional(Type.String({ description: 'Only of this environment; empty: only what is for all.' })),
  key: Type.Optional(Type.String()),
  prefix: Type.Optional(Type.String({ description: 'Keys that begin so.' })),
  search: Type.Optional(Type.String({ maxLength: 200, description: 'In key or description, whatever the case.' })),
});
const DiffQuery = Type.Object({ from: Type.Integer({ minimum: 1 }), to: Type.Integer({ minimum: 1 }) });

/** The scope and key of a create's body. */
interface NewBody {
  readonly key: string;
  readonly app_id?: string | null;
  readonly environment?: string | null;
}

export interface ResourceRouteOptions<C extends { readonly description?: string }> {
  /** `configs`: the path is `/api/v1/configs`. */
  readonly name: string;
  /** `entry`: for the summaries. */
  readonly noun: string;
  readonly resources: VersionedResources<C>;
  /** With `key`, `app_id`, `environment`. */
  readonly newSchema: TObject;
  /** Without. */
  readonly contentSchema: TObject;
  readonly answerSchema: TObject;
  /** The content of a body, checked as far as it can be alone; `id` of what it replaces, empty for something new. */
  readonly toContent: (draft: never, id: string) => C | Promise<C>;
  /** For something new, where that is not the same; its secrets are shown in the answer alone. */
  readonly toNewContent?: (
    draft: never,
  ) => Promise<{ readonly content: C; readonly secrets: Readonly<Record<string, Secret>> }>;
}

interface Access {
  readonly read: { readonly access: RouteAccess };
  readonly write: { readonly access: RouteAccess; readonly isOnce: true };
}

export function resourceRoutes<C extends { readonly description?: string }>(
  app: FastifyInstance,
  options: ResourceRouteOptions<C>,
): void {
  const { resources } = options;
  const facts = (request: FastifyRequest): Readonly<Record<string, Value>> => {
    const { key, appId, environment } = resources.get((request.params as Id).id);
    return { resource: { kind: resources.kind, key, app_id: appId, environment } };
  };
  const access: Access = {
    read: { access: { action: `${resources.kind}.read`, facts } },
    write: {
      access: {
        ...{ action: `${resources.kind}.write`, isWrite: true },
        prepare: (request) => findGone(resources, request),
        facts: (request) => goneFacts(request) ?? facts(request),
      },
      isOnce: true,
    },
  };
  collectionRoutes(app, options);
  itemRoutes(app, options, access);
  historyRoutes(app, options, access);
}

function collectionRoutes<C extends { readonly description?: string }>(
  app: FastifyInstance,
  options: ResourceRouteOptions<C>,
): void {
  const { name, noun, resources, answerSchema, newSchema, toContent } = options;
  const tags = [name];
  const path = `/api/v1/${name}`;
  app.get<{ Querystring: Static<typeof ListQuery> }>(
    path,
    {
      config: { access: { action: `${resources.kind}.list` } },
      schema: {
        tags,
        summary: `Every ${noun}, newest change first`,
        querystring: ListQuery,
        response: { 200: listOf(answerSchema, `${noun}-list`) },
      },
    },
    async (request) => {
      const { limit = 50, cursor, app_id, environment, ...filter } = request.query;
      const scope = { appId: orNull(app_id), environment: orNull(environment) };
      const page = resources.list({ ...scope, ...filter }, { limit, cursor });
      return { ...page, items: page.items.map((item) => shownItem(resources, item)) };
    },
  );
  app.post<{ Body: NewBody }>(
    path,
    {
      config: {
        access: {
          action: `${resources.kind}.write`,
          isWrite: true,
          isDecidedByBody: true,
          facts: ({ body }) => ({ resource: { kind: resources.kind, ...factsOfBody(body) } }),
        },
        isOnce: true,
      },
      schema: {
        ...{ tags, summary: `Create: ${noun}`, headers: OnceHeaders, body: newSchema, response: { 201: answerSchema } },
      },
    },
    async (request, reply) =>
      await answerOnce(request, reply, async () => {
        const { key, app_id, environment, ...draft } = request.body;
        const made = await options.toNewContent?.(draft as never);
        const content = made?.content ?? (await toContent(draft as never, ''));
        const answer = (item: Item<C>): WriteAnswer => ({
          status: 201,
          headers: { etag: etagOf(item), location: `${path}/${item.id}` },
          body: shownItem(resources, item),
          ...(made === undefined ? {} : { secrets: made.secrets }),
        });
        return answer(await resources.create(key, scopeOf(app_id, environment), content, contextOf(request, answer)));
      }),
  );
}

function itemRoutes<C extends { readonly description?: string }>(
  app: FastifyInstance,
  { name, noun, resources, answerSchema, contentSchema, toContent }: ResourceRouteOptions<C>,
  { read, write }: Access,
): void {
  const common = { tags: [name], params: ResourceId };
  const path = `/api/v1/${name}/:id`;
  app.get<{ Params: Id }>(
    path,
    { config: read, schema: { ...common, summary: `Read: ${noun}`, response: { 200: answerSchema } } },
    async (request, reply) => {
      const item = resources.get(request.params.id);
      reply.header('etag', etagOf(item)).header('cache-control', 'no-cache');
      if (isNoneMatch(request.headers['if-none-match'], String(item.revision))) return reply.status(304).send();
      return shownItem(resources, item);
    },
  );
  app.put<{ Params: Id }>(
    path,
    {
      config: write,
      schema: {
        ...common,
        summary: `Replace: ${noun}`,
        headers: IfMatch,
        body: contentSchema,
        response: { 200: answerSchema },
      },
    },
    async (request, reply) =>
      await answerOnce(request, reply, async () => {
        const content = await toContent(request.body as never, request.params.id);
        const answer = answerWith(resources);
        const context = contextOf(request, answer);
        return answer(await resources.replace(request.params.id, content, ifMatchOf(request), context));
      }),
  );
  app.delete<{ Params: Id }>(
    path,
    {
      config: write,
      schema: { ...common, summary: `Delete: ${noun}`, headers: IfMatch, response: { 204: Type.Null() } },
    },
    async (request, reply) =>
      await answerOnce(request, reply, async () => {
        await resources.remove(request.params.id, ifMatchOf(request), contextOf(request, gone));
        return gone();
      }),
  );
}

function historyRoutes<C extends { readonly description?: string }>(
  app: FastifyInstance,
  { name, noun, resources, answerSchema }: ResourceRouteOptions<C>,
  { read, write }: Access,
): void {
  const common = { tags: [name], params: ResourceId };
  const path = `/api/v1/${name}/:id`;
  // The history of what was deleted stays readable: there is nothing to take facts from.
  const history = { access: { action: read.access.action } };
  app.get<{ Params: Id; Querystring: { limit: number; cursor?: string } }>(
    `${path}/versions`,
    {
      config: history,
      schema: {
        ...common,
        summary: `Every version, newest first: ${noun}`,
        querystring: Type.Object(listQuery),
        response: { 200: listOf(ResourceVersionSummary, `${noun}-versions`) },
      },
    },
    async (request) => {
      const page = await resources.versions(request.params.id, request.query);
      return { ...page, items: page.items.map((version) => shownVersion(resources, version)) };
    },
  );
  app.get<{ Params: Id; Querystring: Static<typeof DiffQuery> }>(
    `${path}/diff`,
    {
      config: history,
      schema: {
        ...common,
        summary: `What changed between two versions: ${noun}`,
        querystring: DiffQuery,
        response: { 200: ResourceDiff },
      },
    },
    async (request) => await resources.diff(request.params.id, request.query.from, request.query.to),
  );
  app.post<{ Params: Id; Body: Static<typeof ResourceRollback> }>(
    `${path}/rollback`,
    {
      config: write,
      schema: {
        ...common,
        summary: `Bring the content of an earlier version back, as a new version: ${noun}`,
        headers: IfMatch,
        body: ResourceRollback,
        response: { 200: answerSchema },
      },
    },
    async (request, reply) =>
      await answerOnce(request, reply, async () => {
        const answer = answerWith(resources);
        const context = contextOf(request, answer);
        return answer(await resources.rollback(request.params.id, request.body.version, ifMatchOf(request), context));
      }),
  );
}

/** `answer`: of a write that may be repeated, from the first thing that it changes. */
export function contextOf<C>(request: FastifyRequest, answer?: (item: Item<C>) => WriteAnswer): WriteContext {
  const { actor, claims } = request.caller;
  const once = answer === undefined ? {} : onceOf(request, ({ items }) => answer(items[0] as Item<C>));
  return { actor, claims, requestId: request.id, clientIp: request.ip, ...once };
}

export const gone = (): WriteAnswer => ({ status: 204 });

const goneScopes = new WeakMap<FastifyRequest, Readonly<Record<string, Value>>>();

/** What a repeated write is about may be deleted by now, by that write itself: history knows where it stood. */
export async function findGone(
  resources: Pick<VersionedResources<never>, 'kind' | 'has' | 'versions'>,
  request: FastifyRequest,
): Promise<void> {
  const { id } = request.params as Id;
  if (request.headers['idempotency-key'] === undefined || resources.has(id)) return;
  const { items } = await resources.versions(id, { limit: 1 });
  const [last] = items;
  if (last === undefined) return;
  const { key, appId, environment } = last;
  goneScopes.set(request, { resource: { kind: resources.kind, key, app_id: appId, environment } });
}

export const goneFacts = (request: FastifyRequest): Readonly<Record<string, Value>> | undefined =>
  goneScopes.get(request);

export const ifMatchOf = (request: FastifyRequest): string | undefined => request.headers['if-match'];

const orNull = (text: string | undefined): string | null | undefined => (text === '' ? null : text);

function factsOfBody(body: unknown): Readonly<Record<string, Value>> {
  const { key = null, app_id = null, environment = null } = (body ?? {}) as Partial<NewBody>;
  return { key, app_id, environment };
}

const answerWith =
  <C extends { readonly description?: string }>(resources: VersionedResources<C>) =>
  (item: Item<C>): WriteAnswer => ({
    status: 200,
    headers: { etag: etagOf(item) },
    body: shownItem(resources, item),
  });

type ShownResource = Static<TObject<typeof resourceMembers>>;

/** The members that every resource has, as the API names them. */
export function shownMembers(item: Item<unknown>): ShownResource {
  const { id, key, appId, environment, version, revision, createdAt, createdBy, updatedAt, updatedBy } = item;
  return {
    ...{ id, key, app_id: appId, environment, version, revision },
    ...{ created_at: createdAt, created_by: createdBy, updated_at: updatedAt, updated_by: updatedBy },
  };
}

export function shownItem<C extends { readonly description?: string }>(
  resources: VersionedResources<C>,
  item: Item<C>,
): ShownResource {
  return { ...shownMembers(item), ...(resources.shown(item.content) as object) };
}

export function shownVersion<C extends { readonly description?: string }>(
  resources: VersionedResources<C>,
  version: ResourceVersion,
): ResourceVersionSummary {
  const { content, rolledBackTo, revision, action, updatedAt, updatedBy } = version;
  return {
    ...{ version: version.version, revision, action, updated_at: updatedAt, updated_by: updatedBy },
    ...(rolledBackTo === null ? {} : { rolled_back_to: rolledBackTo }),
    ...(content === null ? {} : { content: resources.shown(JSON.parse(content) as C) }),
  };
}
