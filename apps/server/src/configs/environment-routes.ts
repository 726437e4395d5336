/** `/api/v1/environment`: everything an SDK needs to answer for itself, whole and as a stream; and OFREP's stream of notices. */
import { EnvironmentSnapshot, isNoneMatch, quoteEtag } from '@bailiwick/contract';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ConfigurationFeed, reached } from './configuration-feed.js';
import { type EnvironmentStreams, type StreamForm, snapshotText } from './environment-streams.js';
import { type Environments, tagOf } from './environments.js';
import { scopeOfCaller } from './scope.js';

export interface EnvironmentRouteParts {
  readonly feed: ConfigurationFeed;
  readonly environments: Environments;
  readonly streams: EnvironmentStreams;
}

export const ScopeQuery = Type.Object({
  app_id: Type.Optional(Type.String({ description: 'For callers whose key names no app.' })),
  environment: Type.Optional(Type.String()),
});

const EnvironmentQuery = Type.Object({
  ...ScopeQuery.properties,
  min_revision: Type.Optional(
    Type.Integer({ minimum: 0, description: 'Wait until at least this revision is served: read what you wrote.' }),
  ),
});

/** The environment a call is about: the caller's. */
export const environmentFacts = (request: FastifyRequest) => {
  const { appId, environment } = scopeOfCaller(request);
  return { resource: { kind: 'environment', app_id: appId, environment } };
};

export function environmentRoutes(app: FastifyInstance, { feed, environments, streams }: EnvironmentRouteParts): void {
  const tags = ['configs'];
  app.get<{ Querystring: Static<typeof EnvironmentQuery> }>(
    '/api/v1/environment',
    {
      config: { access: { action: 'environment.read', facts: environmentFacts } },
      schema: {
        tags,
        summary: 'Entries, flags and rollouts of an environment, for evaluation in the SDK',
        querystring: EnvironmentQuery,
        response: { 200: EnvironmentSnapshot },
      },
    },
    async (request, reply) => {
      await reached(feed, request.query.min_revision);
      const view = environments.view(scopeOfCaller(request));
      const tag = tagOf(feed.epoch, view);
      reply.header('etag', quoteEtag(tag)).header('cache-control', 'private, no-cache');
      if (feed.isStale) reply.header('warning', '110 - "Response is Stale"');
      if (isNoneMatch(request.headers['if-none-match'], tag)) return reply.status(304).send();
      return reply.type('application/json; charset=utf-8').serializer(String).send(snapshotText(feed.epoch, view));
    },
  );
  const stream = (form: StreamForm) => async (request: FastifyRequest, reply: FastifyReply) => {
    const lastId = request.headers['last-event-id'];
    const scope = scopeOfCaller(request);
    reply.hijack();
    for (const [name, value] of Object.entries(reply.getHeaders()))
      if (value !== undefined) reply.raw.setHeader(name, value);
    streams.open(scope, reply.raw, form, typeof lastId === 'string' ? lastId : undefined);
  };
  const answer = { 200: Type.String({ description: 'text/event-stream' }) };
  app.get(
    '/api/v1/environment/stream',
    {
      config: { access: { action: 'environment.read', facts: environmentFacts } },
      schema: {
        tags,
        summary: 'The same as a stream: `put`, then `patch` …, `heartbeat` every 15 s',
        querystring: ScopeQuery,
        response: answer,
      },
    },
    stream('document'),
  );
  app.get(
    '/ofrep/v1/stream',
    {
      config: { access: { action: 'flag.evaluate', facts: environmentFacts } },
      schema: {
        tags: ['ofrep'],
        summary: 'Notices that flags changed (OFREP): ask again',
        querystring: ScopeQuery,
        response: answer,
      },
    },
    stream('notice'),
  );
}
