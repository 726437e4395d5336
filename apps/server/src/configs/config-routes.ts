/** `/api/v1/configs`: the routes of every resource, and the values of sensitive entries. */
import { BailiwickError, Config, ConfigContent, NewConfig } from '@bailiwick/contract';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import type { ConfigDraft, ConfigService } from './config-service.js';
import { ResourceId, resourceRoutes } from './resource-routes.js';

export function configRoutes(app: FastifyInstance, configs: ConfigService): void {
  const { resources } = configs;
  resourceRoutes(app, {
    ...{ name: 'configs', noun: 'entry', resources },
    ...{ newSchema: NewConfig, contentSchema: ConfigContent, answerSchema: Config },
    toContent: (draft: ConfigDraft) => configs.content(draft),
  });
  app.get<{ Params: Static<typeof ResourceId> }>(
    '/api/v1/configs/:id/value',
    {
      config: {
        access: {
          action: 'config.reveal',
          isSensitiveRead: true,
          facts: ({ params }) => {
            const { key, appId, environment } = resources.get((params as { id: string }).id);
            return { resource: { kind: 'config', key, app_id: appId, environment } };
          },
        },
      },
      schema: {
        tags: ['configs'],
        summary: 'The value of an entry, also of a sensitive one; audited',
        params: ResourceId,
        response: { 200: Type.Object({ value: Type.Unknown() }) },
      },
    },
    async (request, reply) => {
      const value = configs.valueOf(resources.get(request.params.id));
      if (value === undefined)
        throw new BailiwickError('unavailable', {
          reason: 'config.sealed',
          message: 'The secret store is away, and the value cannot be opened without it. Try again later.',
          retryAfterSeconds: 5,
        });
      return reply.header('cache-control', 'no-store').send({ value });
    },
  );
}
