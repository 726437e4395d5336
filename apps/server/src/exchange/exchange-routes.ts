/** `/api/v1/configs/import`, `/api/v1/configs/export`, `/api/v1/snapshots`, `/api/v1/reports/changes`. */
import {
  ExchangeFormat,
  ImportReport,
  type ImportRequest,
  ImportRequest as ImportRequestSchema,
  listOf,
  NewSnapshot,
  ReportEntry,
  ReportQuery,
  Snapshot,
  SnapshotBody,
} from '@bailiwick/contract';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { answerOnce, onceOf, type WriteAnswer } from '../configs/idempotent-writes.js';
import { contextOf, OnceHeaders, ResourceId, resourceRoutes } from '../configs/resource-routes.js';
import { scopeOf } from '../configs/scope.js';
import type { ExchangeService, Keep } from './exchange-service.js';
import { type ReportService, toCsv } from './report-service.js';

const done = (body: ImportReport): WriteAnswer => ({ status: 200, body });
const keepFor =
  (request: FastifyRequest): Keep =>
  (report) =>
    onceOf(request, (written) => done(report(written)));

const tags = ['configs'];
const ExportQuery = Type.Object({
  format: Type.Optional(ExchangeFormat),
  app_id: Type.Optional(Type.String()),
  environment: Type.Optional(Type.String()),
});
const DryRun = Type.Object({ dry_run: Type.Optional(Type.Boolean({ default: false })) });

export function exchangeRoutes(app: FastifyInstance, exchange: ExchangeService): void {
  app.post<{ Body: ImportRequest }>(
    '/api/v1/configs/import',
    {
      config: {
        access: {
          action: 'config.import',
          isWrite: true,
          isDecidedByBody: true,
          facts: ({ body }) => {
            const { app_id = null, environment = null } = (body ?? {}) as ImportRequest;
            return { resource: { kind: 'environment', app_id, environment } };
          },
        },
        isOnce: true,
      },
      schema: {
        tags,
        summary: 'Import a file: all of it or nothing',
        headers: OnceHeaders,
        body: ImportRequestSchema,
        response: { 200: ImportReport },
      },
    },
    async (request, reply) =>
      await answerOnce(request, reply, async () => {
        return done(await exchange.import(request.body, contextOf(request), keepFor(request)));
      }),
  );
  app.get<{ Querystring: Static<typeof ExportQuery> }>(
    '/api/v1/configs/export',
    {
      config: {
        access: {
          action: 'config.export',
          facts: ({ query }) => {
            const { app_id = null, environment = null } = query as Static<typeof ExportQuery>;
            return { resource: { kind: 'environment', app_id, environment } };
          },
        },
      },
      schema: {
        tags,
        summary: 'Export a scope; secrets are left out',
        querystring: ExportQuery,
        response: { 200: Type.String() },
      },
    },
    async (request, reply) => {
      const { format = 'json', app_id, environment } = request.query;
      const { text, type } = exchange.export(format, scopeOf(app_id, environment));
      return reply.type(type).serializer(String).send(text);
    },
  );
  snapshotRoutes(app, exchange);
}

function snapshotRoutes(app: FastifyInstance, exchange: ExchangeService): void {
  resourceRoutes(app, {
    ...{ name: 'snapshots', noun: 'snapshot', resources: exchange.snapshots },
    ...{ newSchema: NewSnapshot, contentSchema: SnapshotBody, answerSchema: Snapshot },
    toContent: ({ description }: Static<typeof SnapshotBody>, id) => {
      const taken = exchange.snapshotContent(description);
      // Describing a snapshot anew does not take it anew.
      return id === '' ? taken : { ...taken, revision: exchange.snapshots.get(id).content.revision };
    },
  });
  const facts = ({ params }: FastifyRequest) => {
    const { key, appId, environment } = exchange.snapshots.get((params as { id: string }).id);
    return { resource: { kind: 'snapshot', key, app_id: appId, environment } };
  };
  app.post<{ Params: Static<typeof ResourceId>; Querystring: Static<typeof DryRun> }>(
    '/api/v1/snapshots/:id/restore',
    {
      config: { access: { action: 'config.import', isWrite: true, facts }, isOnce: true },
      schema: {
        tags: ['snapshots'],
        summary: 'Bring everything in the snapshot’s scope back as it was, in one write',
        params: ResourceId,
        headers: OnceHeaders,
        querystring: DryRun,
        response: { 200: ImportReport },
      },
    },
    async (request, reply) =>
      await answerOnce(request, reply, async () => {
        const options = { isDryRun: request.query.dry_run === true, keep: keepFor(request) };
        return done(await exchange.restore(request.params.id, contextOf(request), options));
      }),
  );
}

export function reportRoutes(app: FastifyInstance, reports: ReportService): void {
  app.get<{ Querystring: ReportQuery }>(
    '/api/v1/reports/changes',
    {
      config: { access: { action: 'report.read' } },
      schema: {
        tags: ['reports'],
        summary: 'Who changed what when, by resource, actor and period; JSON or CSV',
        querystring: ReportQuery,
        response: { 200: listOf(ReportEntry, 'ChangeReport') },
      },
    },
    async (request, reply) => {
      const page = await reports.changes(request.query);
      if (request.query.format !== 'csv') return page;
      if (page.next !== undefined) reply.header('link', `<?cursor=${page.next}>; rel="next"`);
      reply.header('content-disposition', 'attachment; filename="changes.csv"');
      return reply.type('text/csv; charset=utf-8').serializer(String).send(toCsv(page.items));
    },
  );
}
