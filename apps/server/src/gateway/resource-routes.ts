/** `/api/v1/gateway/resources`: the gateway's resources as versioned documents, and `/api/v1/gateway/export`: all of it as `apisix.yaml`. */
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { auditContext } from '../http/access.js';
import type { ManagedResource, ManagedResources, ResourceChange } from './managed-resources.js';
import { type ResourceKind, resourceKinds } from './resource-schemas.js';

const tags = ['gateway'];
const kind = Type.Unsafe<ResourceKind>({ type: 'string', enum: Object.keys(resourceKinds) });
const Kind = Type.Object({ kind });
const One = Type.Object({ kind, '*': Type.String({ minLength: 1, maxLength: 128, pattern: '^[a-zA-Z0-9-_./]+$' }) });
const Value = Type.Record(Type.String(), Type.Unknown());
const Resource = Type.Object(
  { kind: Type.String(), id: Type.String(), version: Type.Integer(), etag: Type.String(), value: Value },
  { $id: 'GatewayResource' },
);
const Version = Type.Object({
  version: Type.Integer(),
  ts: Type.String(),
  actor: Type.String(),
  action: Type.String(),
  value: Type.Union([Value, Type.Null()]),
});
const Rollback = Type.Object({ version: Type.Integer({ minimum: 1 }) }, { additionalProperties: false });
const headers = Type.Object({
  'if-match': Type.Optional(Type.String({ description: 'The ETag you saw. Required to change what exists.' })),
});

const etagOf = (resource: ManagedResource): string => `"${resource.revision}"`;
const shown = ({ kind: name, id, version, value, ...rest }: ManagedResource) => ({
  kind: name,
  id,
  version,
  etag: `"${rest.revision}"`,
  value,
});

/** `exportText` gives the whole as a file. */
export function gatewayResourceRoutes(
  app: FastifyInstance,
  resources: ManagedResources,
  exportText: () => string,
): void {
  const read = { access: { action: 'gateway.read' } };
  const write = { access: { action: 'gateway.write', isWrite: true } };
  app.get<{ Params: Static<typeof Kind> }>(
    '/api/v1/gateway/resources/:kind',
    {
      config: read,
      schema: {
        tags,
        summary: 'The managed resources of a kind',
        params: Kind,
        response: { 200: Type.Object({ items: Type.Array(Resource) }) },
      },
    },
    async (request) => ({ items: resources.list(request.params.kind).map(shown) }),
  );
  app.get<{ Params: Static<typeof One> }>(
    '/api/v1/gateway/resources/:kind/*',
    {
      config: read,
      schema: {
        tags,
        summary: 'A managed resource; with /versions after its id, its versions',
        params: One,
        response: { 200: Type.Union([Resource, Type.Object({ items: Type.Array(Version) })]) },
      },
    },
    async (request, reply) => {
      const { kind: name, '*': rest } = request.params;
      if (rest.endsWith('/versions'))
        return { items: [...(await resources.versions(name, rest.slice(0, -'/versions'.length)))] };
      const found = await resources.read(name, rest);
      return reply.header('etag', etagOf(found)).send(shown(found));
    },
  );
  const change = async (request: FastifyRequest<{ Params: Static<typeof One> }>, id: string, what: ResourceChange) =>
    await resources.write(request.params.kind, id, what, {
      ...auditContext(request),
      ifMatch: request.headers['if-match'],
    });
  app.put<{ Params: Static<typeof One>; Body: Static<typeof Value> }>(
    '/api/v1/gateway/resources/:kind/*',
    {
      config: write,
      schema: {
        tags,
        summary: 'Create or replace a resource; it takes force at once',
        params: One,
        headers,
        body: Value,
        response: { 200: Resource, 201: Resource },
      },
    },
    async (request, reply) => {
      const written = await change(request, request.params['*'], { kind: 'put', value: request.body });
      if (!written) return await reply.status(204).send();
      const isNew = request.headers['if-match'] === undefined;
      return await reply
        .status(isNew ? 201 : 200)
        .header('etag', etagOf(written))
        .send(shown(written));
    },
  );
  app.delete<{ Params: Static<typeof One> }>(
    '/api/v1/gateway/resources/:kind/*',
    {
      config: write,
      schema: { tags, summary: 'Delete a resource', params: One, headers, response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      await change(request, request.params['*'], { kind: 'delete' });
      return await reply.status(204).send();
    },
  );
  app.post<{ Params: Static<typeof One>; Body: Static<typeof Rollback> }>(
    '/api/v1/gateway/rollback/:kind/*',
    {
      config: write,
      schema: {
        tags,
        summary: 'Go back to a version: a new version with the old content',
        params: One,
        headers,
        body: Rollback,
        response: { 200: Resource },
      },
    },
    async (request, reply) => {
      const written = await change(request, request.params['*'], { kind: 'rollback', version: request.body.version });
      if (!written) return await reply.status(204).send();
      return await reply.header('etag', etagOf(written)).send(shown(written));
    },
  );
  app.get(
    '/api/v1/gateway/export',
    { config: read, schema: { tags, summary: 'The file and the managed resources as one apisix.yaml' } },
    async (_request, reply) => await reply.type('application/yaml').send(exportText()),
  );
}
