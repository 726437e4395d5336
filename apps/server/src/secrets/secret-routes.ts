/**
 * `/api/v1/secrets`: puts secrets into this installation's store, for `$secret://local/…` of the gateway's file. Names can be listed, values never
 * read back. The audit record is durable before the secret changes: no change without its trace.
 */
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { AuditService } from '../audit/audit-service.js';
import { auditContext } from '../http/access.js';
import type { SecretStore } from '../ports/secret-store.port.js';

const tags = ['secrets'];
const One = Type.Object({ '*': Type.String({ minLength: 1, maxLength: 512 }) });
const Fields = Type.Record(Type.String({ minLength: 1 }), Type.String(), { minProperties: 1, maxProperties: 64 });
const List = Type.Object({
  items: Type.Array(Type.Object({ path: Type.String(), fields: Type.Array(Type.String()) })),
});

export interface SecretRouteParts {
  readonly secrets: SecretStore;
  readonly audit: AuditService;
  /** After a change: whoever holds values asks again. */
  readonly onChange: () => void;
}

export function secretRoutes(app: FastifyInstance, { secrets, audit, onChange }: SecretRouteParts): void {
  const write = { access: { action: 'secret.write', isWrite: true } };
  const record = async (request: FastifyRequest, action: string, path: string): Promise<void> =>
    await audit.record({
      ...auditContext(request),
      action,
      resource: `/api/v1/secrets/${path}`,
      etag_before: null,
      etag_after: null,
      result: 'success',
      chain: 'platform',
    });
  app.get(
    '/api/v1/secrets',
    {
      config: { access: { action: 'secret.list' } },
      schema: { tags, summary: 'Paths and field names of the secrets, never their values', response: { 200: List } },
    },
    async () => {
      const paths = await secrets.list('');
      const found = await Promise.all(paths.map(async (path) => ({ path, secret: await secrets.get(path) })));
      return { items: found.map(({ path, secret }) => ({ path, fields: Object.keys(secret?.fields ?? {}).sort() })) };
    },
  );
  app.put<{ Params: Static<typeof One>; Body: Static<typeof Fields> }>(
    '/api/v1/secrets/*',
    {
      config: write,
      schema: {
        tags,
        summary: 'Set all fields of a secret',
        params: One,
        body: Fields,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const path = request.params['*'];
      // Refuses a bad path before anything is recorded.
      await secrets.get(path);
      await record(request, 'secret.put', path);
      await secrets.put(path, request.body);
      onChange();
      return await reply.status(204).send();
    },
  );
  app.delete<{ Params: Static<typeof One> }>(
    '/api/v1/secrets/*',
    { config: write, schema: { tags, summary: 'Delete a secret', params: One, response: { 204: Type.Null() } } },
    async (request, reply) => {
      const path = request.params['*'];
      await secrets.get(path);
      await record(request, 'secret.delete', path);
      await secrets.delete(path);
      onChange();
      return await reply.status(204).send();
    },
  );
}
