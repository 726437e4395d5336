/** `/api/v1/rollouts` with their commands, and `/api/v1/freezes`. */
import {
  Freeze,
  FreezeBody,
  isNoneMatch,
  listOf,
  listQuery,
  NewFreeze,
  NewRollout,
  ResourceVersionSummary,
  Rollout,
  RolloutCommandBody,
} from '@bailiwick/contract';
import type { RolloutCommand } from '@bailiwick/evaluation';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { answerOnce, onceOf, type WriteAnswer } from '../configs/idempotent-writes.js';
import { assertMatches } from '../configs/preconditions.js';
import {
  contextOf,
  findGone,
  gone,
  goneFacts,
  ifMatchOf,
  OnceHeaders,
  ResourceId,
  resourceRoutes,
  shownItem,
  shownVersion,
} from '../configs/resource-routes.js';
import { etagOf } from '../configs/versioned-resources.js';
import type { Freezes } from './freezes.js';
import type { Guards } from './guards.js';
import { guardSubject, type RolloutItem, type RolloutService } from './rollout-service.js';
import type { TrafficCounts } from './traffic-counts.js';

const tags = ['rollouts'];
const commands = ['start', 'pause', 'resume', 'promote', 'abort', 'rollback'] as const;
type Id = Static<typeof ResourceId>;

export interface RolloutRouteParts {
  readonly rollouts: RolloutService;
  readonly freezes: Freezes;
  readonly guards: Guards;
  readonly traffic: TrafficCounts;
}

export function rolloutRoutes(app: FastifyInstance, { rollouts, freezes, guards, traffic }: RolloutRouteParts): void {
  readRoutes(app, rollouts, guards, traffic);
  writeRoutes(app, rollouts);
  resourceRoutes(app, {
    ...{ name: 'freezes', noun: 'freeze', resources: freezes.resources },
    ...{ newSchema: NewFreeze, contentSchema: FreezeBody, answerSchema: Freeze },
    toContent: (body: FreezeBody) => freezes.content(body),
  });
}

const shown = (rollouts: RolloutService, item: RolloutItem) => shownItem(rollouts.resources, item);

function factsFor(rollouts: RolloutService) {
  return (request: FastifyRequest) => {
    const { key, appId, environment } = rollouts.resources.get((request.params as Id).id);
    return { resource: { kind: 'rollout', key, app_id: appId, environment } };
  };
}

/** Of a policy in shadow, over the last hour. */
async function differencesOf(
  item: RolloutItem,
  traffic: TrafficCounts,
): Promise<{ differences?: { compared: number; differing: number } }> {
  if (item.content.said.shadow !== true) return {};
  const { total, bad } = await traffic.sum('difference_rate', item.id, 3_600).catch(() => ({ total: 0, bad: 0 }));
  return { differences: { compared: total, differing: bad } };
}

function readRoutes(app: FastifyInstance, rollouts: RolloutService, guards: Guards, traffic: TrafficCounts): void {
  const read = { access: { action: 'rollout.read', facts: factsFor(rollouts) } };
  app.get<{ Querystring: { limit: number; cursor?: string } }>(
    '/api/v1/rollouts',
    {
      config: { access: { action: 'rollout.list' } },
      schema: {
        tags,
        summary: 'Rollouts, newest change first',
        querystring: Type.Object(listQuery),
        response: { 200: listOf(Rollout, 'Rollouts') },
      },
    },
    async (request) => {
      const page = rollouts.resources.list({}, request.query);
      return { ...page, items: page.items.map((item) => shown(rollouts, item)) };
    },
  );
  app.get<{ Params: Id }>(
    '/api/v1/rollouts/:id',
    {
      config: read,
      schema: {
        tags,
        summary: 'A rollout: where it is, and what its guards say',
        params: ResourceId,
        response: { 200: Rollout },
      },
    },
    async (request, reply) => {
      const item = rollouts.resources.get(request.params.id);
      reply.header('etag', etagOf(item)).header('cache-control', 'no-cache');
      if (isNoneMatch(request.headers['if-none-match'], String(item.revision))) return reply.status(304).send();
      const readings = await guards.read(guardSubject(item));
      const guards_say = readings.map((reading, guard) => ({ guard, ...reading }));
      const differences = await differencesOf(item, traffic);
      return { ...shown(rollouts, item), ...(readings.length === 0 ? {} : { guards_say }), ...differences };
    },
  );
  app.get<{ Params: Id; Querystring: { limit: number; cursor?: string } }>(
    '/api/v1/rollouts/:id/versions',
    {
      config: { access: { action: 'rollout.read' } },
      schema: {
        tags,
        summary: 'What happened to a rollout, newest first',
        params: ResourceId,
        querystring: Type.Object(listQuery),
        response: { 200: listOf(ResourceVersionSummary, 'RolloutVersions') },
      },
    },
    async (request) => {
      const page = await rollouts.resources.versions(request.params.id, request.query);
      return { ...page, items: page.items.map((version) => shownVersion(rollouts.resources, version)) };
    },
  );
}

function writeRoutes(app: FastifyInstance, rollouts: RolloutService): void {
  const factsOf = factsFor(rollouts);
  const write = {
    access: {
      ...{ action: 'rollout.write', isWrite: true },
      prepare: (request: FastifyRequest) => findGone(rollouts.resources, request),
      facts: (request: FastifyRequest) => goneFacts(request) ?? factsOf(request),
    },
    isOnce: true,
  };
  const answer = (item: RolloutItem): WriteAnswer => ({
    status: 200,
    headers: { etag: etagOf(item) },
    body: shown(rollouts, item),
  });
  app.post<{ Body: NewRollout }>(
    '/api/v1/rollouts',
    {
      config: {
        access: {
          action: 'rollout.write',
          isWrite: true,
          isDecidedByBody: true,
          facts: ({ body }) => ({
            resource: { kind: 'rollout', ...rollouts.factsOfTarget((body as NewRollout).target) },
          }),
        },
        isOnce: true,
      },
      schema: {
        ...{ tags, summary: 'Make a rollout, as a draft', headers: OnceHeaders },
        ...{ body: NewRollout, response: { 201: Rollout } },
      },
    },
    async (request, reply) =>
      await answerOnce(request, reply, async () => {
        const made = (item: RolloutItem): WriteAnswer => {
          const { headers, body } = answer(item);
          return { status: 201, headers: { ...headers, location: `/api/v1/rollouts/${item.id}` }, body };
        };
        return made(await rollouts.create(request.body, contextOf(request, made)));
      }),
  );
  for (const name of commands)
    app.post<{ Params: Id; Body: Static<typeof RolloutCommandBody> | null }>(
      `/api/v1/rollouts/:id/${name}`,
      {
        config: write,
        schema: {
          tags,
          summary: `Rollout: ${name}`,
          params: ResourceId,
          headers: Type.Object({
            ...OnceHeaders.properties,
            'if-match': Type.Optional(Type.String({ description: 'Only as you saw it.' })),
          }),
          body: Type.Union([RolloutCommandBody, Type.Null()]),
          response: { 200: Rollout },
        },
      },
      async (request, reply) =>
        await answerOnce(request, reply, async () => {
          const { id } = request.params;
          const ifMatch = ifMatchOf(request);
          const isUnchanged = ifMatch === undefined ? undefined : (item: RolloutItem) => assertMatches(item, ifMatch);
          const command = { kind: name, ...request.body } as RolloutCommand;
          const once = onceOf(request, ({ items }) => answer(items.find((item) => item.id === id) as RolloutItem));
          return answer(await rollouts.command(id, command, { ...contextOf(request), ...once }, isUnchanged));
        }),
    );
  app.delete<{ Params: Id }>(
    '/api/v1/rollouts/:id',
    {
      config: write,
      schema: {
        tags,
        summary: 'Delete a rollout that has ended or was never started',
        params: ResourceId,
        headers: OnceHeaders,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) =>
      await answerOnce(request, reply, async () => {
        await rollouts.remove(request.params.id, ifMatchOf(request), contextOf(request, gone));
        return gone();
      }),
  );
}
