/** `/ofrep/v1/evaluate/flags[/{key}]`: OFREP 0.3.0 for OpenFeature's providers. The app and environment are those of the API key. */
import { isNoneMatch, OfrepAnswer, OfrepBulkAnswer, OfrepRequest, quoteEtag } from '@bailiwick/contract';
import { Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { audienceOf } from '../configs/fetch-service.js';
import type { ReadRateLimits } from '../configs/rate-limits.js';
import { scopeOfCaller } from '../configs/scope.js';
import type { OfrepService } from './ofrep-service.js';

const ScopeQuery = Type.Object({
  app_id: Type.Optional(Type.String({ description: 'For callers whose key names no app.' })),
  environment: Type.Optional(Type.String()),
  flagConfigEtag: Type.Optional(Type.String({ description: 'From a change event (OFREP); not needed here.' })),
  flagConfigLastModified: Type.Optional(Type.String()),
});

export function ofrepRoutes(app: FastifyInstance, ofrep: OfrepService, limits: ReadRateLimits): void {
  const facts = (request: FastifyRequest) => {
    const { appId, environment } = scopeOfCaller(request);
    return { resource: { kind: 'environment', app_id: appId, environment } };
  };
  const config = { access: { action: 'flag.evaluate', facts } };
  const tags = ['ofrep'];

  app.post<{ Params: { key: string } }>(
    '/ofrep/v1/evaluate/flags/:key',
    {
      config,
      schema: {
        tags,
        summary: 'Evaluate one flag (OFREP)',
        params: Type.Object({ key: Type.String({ maxLength: 250 }) }),
        querystring: ScopeQuery,
        body: OfrepRequest,
        response: { 200: OfrepAnswer },
      },
    },
    async (request, reply) => {
      await limits.take(request.caller.actor);
      const audience = audienceOf(request.caller.claims);
      const { status, body } = ofrep.single(scopeOfCaller(request), request.params.key, request.body, audience);
      return reply.status(status).send(body);
    },
  );

  app.post(
    '/ofrep/v1/evaluate/flags',
    {
      config,
      schema: {
        tags,
        summary: 'Evaluate every flag for one context (OFREP)',
        querystring: ScopeQuery,
        body: OfrepRequest,
        response: { 200: OfrepBulkAnswer },
      },
    },
    async (request, reply) => {
      await limits.take(request.caller.actor);
      return answerBulk(ofrep, request, reply);
    },
  );
}

function answerBulk(ofrep: OfrepService, request: FastifyRequest, reply: FastifyReply): unknown {
  const result = ofrep.bulk(scopeOfCaller(request), request.body);
  if ('status' in result) return reply.status(result.status).send(result.body);
  reply.header('etag', quoteEtag(result.etag)).header('cache-control', 'private, no-cache');
  if (isNoneMatch(request.headers['if-none-match'], result.etag)) return reply.status(304).send();
  return reply.type('application/json; charset=utf-8').serializer(String).send(result.body());
}
