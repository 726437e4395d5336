/** `POST /api/v1/configs/fetch`: what is effective for an app in an environment. */
import { ConfigFetch, ConfigFetched, isNoneMatch, quoteEtag } from '@bailiwick/contract';
import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { audienceOf, type FetchService } from './fetch-service.js';
import type { ReadRateLimits } from './rate-limits.js';

export function fetchRoutes(app: FastifyInstance, fetches: FetchService, limits: ReadRateLimits): void {
  app.post<{ Body: ConfigFetch }>(
    '/api/v1/configs/fetch',
    {
      config: {
        access: {
          action: 'config.fetch',
          isDecidedByBody: true,
          facts: ({ body }) => {
            const { app_id = null, environment = null } = body as ConfigFetch;
            return { resource: { kind: 'environment', app_id, environment } };
          },
        },
      },
      schema: {
        tags: ['configs'],
        summary: 'The effective configuration of an app in an environment',
        headers: Type.Object({ 'if-none-match': Type.Optional(Type.String()) }),
        body: ConfigFetch,
        response: { 200: ConfigFetched },
      },
    },
    async (request, reply) => {
      await limits.take(request.caller.actor);
      const fetched = await fetches.fetch(request.body, audienceOf(request.caller.claims));
      reply.header('etag', quoteEtag(fetched.etag)).header('cache-control', 'private, no-cache');
      if (isNoneMatch(request.headers['if-none-match'], fetched.etag)) return reply.status(304).send();
      return reply.type('application/json; charset=utf-8').serializer(String).send(fetched.body());
    },
  );
}
