/** `/api/v1/decisions`: the decision log, and why a decision came out as it did. */
import { DecisionEntry, Explanation, listOf, listQuery } from '@bailiwick/contract';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import type { DecisionFilter } from '../ports/decision-store.port.js';
import type { DecisionLog } from './decision-log.js';
import type { ExplanationService } from './explanation.js';

const Query = Type.Object({
  ...listQuery,
  project: Type.Optional(Type.String()),
  actor: Type.Optional(Type.String()),
  path: Type.Optional(Type.String()),
  allowed: Type.Optional(Type.Boolean()),
  request_id: Type.Optional(Type.String()),
  from: Type.Optional(Type.String({ format: 'date-time' })),
  to: Type.Optional(Type.String({ format: 'date-time' })),
});
type Query = Static<typeof Query>;
const Params = Type.Object({ id: Type.String() });
const tags = ['decisions'];

/** `settled` waits (briefly) until the versions that were acknowledged before are in the archive. */
export function decisionRoutes(
  app: FastifyInstance,
  log: DecisionLog,
  explanations: ExplanationService,
  settled: () => Promise<void>,
): void {
  app.get<{ Querystring: Query }>(
    '/api/v1/decisions',
    {
      config: { access: { action: 'decision.search', isSensitiveRead: true } },
      schema: {
        tags,
        summary: 'Logged decisions, newest first',
        querystring: Query,
        response: { 200: listOf(DecisionEntry, 'Decisions') },
      },
    },
    async (request) =>
      await log.search(filterOf(request.query), { limit: request.query.limit ?? 50, cursor: request.query.cursor }),
  );
  app.get<{ Params: Static<typeof Params> }>(
    '/api/v1/decisions/:id/explanation',
    {
      config: { access: { action: 'decision.explain', isSensitiveRead: true } },
      schema: {
        tags,
        summary: 'Decides again, with the stored input at the stored revision, and says why',
        params: Params,
        response: { 200: Explanation },
      },
    },
    async (request) => {
      await settled();
      return await explanations.explain(request.params.id);
    },
  );
}

function filterOf(query: Query): DecisionFilter {
  const { project, actor, path, allowed, request_id: requestId, from, to } = query;
  return Object.fromEntries(
    Object.entries({ project, actor, path, allowed, requestId, from, to }).filter(([, value]) => value !== undefined),
  );
}
