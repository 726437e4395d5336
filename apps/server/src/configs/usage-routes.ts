/** `POST /api/v1/usage` from SDKs, and what came together at `…/{id}/usage` of flags and configs. */
import { UsageOfKey, UsageReport } from '@bailiwick/contract';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { environmentFacts, ScopeQuery } from './environment-routes.js';
import { ResourceId } from './resource-routes.js';
import { scopeOfCaller } from './scope.js';
import type { UsageService } from './usage-service.js';

export function usageRoutes(app: FastifyInstance, usage: UsageService): void {
  app.post<{ Body: UsageReport; Querystring: Static<typeof ScopeQuery> }>(
    '/api/v1/usage',
    {
      // Who may evaluate may say how often it did.
      config: { access: { action: 'flag.evaluate', facts: environmentFacts } },
      schema: {
        tags: ['flags'],
        summary: 'Counts of use, from an SDK',
        querystring: ScopeQuery,
        body: UsageReport,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await usage.add(request.body, scopeOfCaller(request), request.caller.actor);
      return reply.status(204).send();
    },
  );
  for (const [kind, name] of [
    ['flag', 'flags'],
    ['config', 'configs'],
  ] as const)
    app.get<{ Params: Static<typeof ResourceId> }>(
      `/api/v1/${name}/:id/usage`,
      {
        config: {
          access: { action: `${kind}.read`, facts: ({ params }) => usage.factsOf(kind, (params as { id: string }).id) },
        },
        schema: {
          tags: [name],
          summary: 'How often SDKs asked for it, a day',
          params: ResourceId,
          response: { 200: UsageOfKey },
        },
      },
      async (request) => await usage.of(kind, request.params.id),
    );
}
