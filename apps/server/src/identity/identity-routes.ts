/** `/api/v1/api-keys` and `/api/v1/whoami`. */
import { ApiKey, ApiKeyRequest, CreatedApiKey, NewUser, User } from '@bailiwick/contract';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { auditContext } from '../http/access.js';
import type { ApiKeys } from './api-keys.js';
import type { Users } from './users.js';

const tags = ['identity'];
const Params = Type.Object({ id: Type.String({ pattern: '^[0-9a-f]{16}$' }) });

export function identityRoutes(app: FastifyInstance, apiKeys: ApiKeys, users: Users): void {
  const write = { access: { action: 'api_key.write', isWrite: true } };
  app.get(
    '/api/v1/api-keys',
    {
      config: { access: { action: 'api_key.list' } },
      schema: {
        tags,
        summary: 'API keys, newest first',
        response: { 200: Type.Object({ items: Type.Array(ApiKey) }) },
      },
    },
    async () => ({ items: apiKeys.list() }),
  );
  app.post<{ Body: ApiKeyRequest }>(
    '/api/v1/api-keys',
    {
      config: write,
      schema: {
        tags,
        summary: 'Make an API key; its secret is shown once',
        body: ApiKeyRequest,
        response: { 201: CreatedApiKey },
      },
    },
    async (request, reply) => {
      const created = await apiKeys.create(request.body, auditContext(request));
      return reply.status(201).header('cache-control', 'no-store').send(created);
    },
  );
  app.delete<{ Params: Static<typeof Params> }>(
    '/api/v1/api-keys/:id',
    {
      config: write,
      schema: {
        tags,
        summary: 'Revoke an API key, at once and everywhere',
        params: Params,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await apiKeys.revoke(request.params.id, auditContext(request));
      return reply.status(204).send();
    },
  );
  app.get(
    '/api/v1/whoami',
    { config: { access: { action: 'identity.whoami' } }, schema: { tags, summary: 'Who the sent token says you are' } },
    async (request) => ({ actor: request.caller.actor, claims: request.caller.claims }),
  );

  const userWrite = { access: { action: 'user.write', isWrite: true } };
  app.get(
    '/api/v1/users',
    {
      config: { access: { action: 'user.list' } },
      schema: {
        tags,
        summary: 'The people of the built-in issuer',
        response: { 200: Type.Object({ items: Type.Array(User) }) },
      },
    },
    async () => ({ items: await users.list() }),
  );
  app.post<{ Body: NewUser }>(
    '/api/v1/users',
    {
      config: userWrite,
      schema: { tags, summary: 'Add a person who can sign in', body: NewUser, response: { 201: User } },
    },
    async (request, reply) => reply.status(201).send(await users.create(request.body, auditContext(request))),
  );
  app.delete<{ Params: { name: string } }>(
    '/api/v1/users/:name',
    {
      config: userWrite,
      schema: {
        tags,
        summary: 'Remove a person',
        params: Type.Object({ name: Type.String() }),
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await users.remove(request.params.name, auditContext(request));
      return reply.status(204).send();
    },
  );
}
