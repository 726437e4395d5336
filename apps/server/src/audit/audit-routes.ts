/** `/api/v1/audit`: the trail with filters, and its export as JSON lines for `bailiwick audit verify`. */
import { Readable } from 'node:stream';
import { AuditEntry, listOf, listQuery } from '@bailiwick/contract';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import type { AuditFilter } from '../ports/audit-log.port.js';
import type { AuditService } from './audit-service.js';

const Query = Type.Object({
  ...listQuery,
  chain: Type.Optional(Type.String({ description: 'A project’s name, `platform` or `root`.' })),
  actor: Type.Optional(Type.String()),
  action: Type.Optional(Type.String()),
  resource: Type.Optional(Type.String()),
  result: Type.Optional(Type.String()),
  from: Type.Optional(Type.String({ format: 'date-time' })),
  to: Type.Optional(Type.String({ format: 'date-time' })),
});
type Query = Static<typeof Query>;
const tags = ['audit'];

/** `settled` waits (briefly) until what was acknowledged before has reached the trail. */
export function auditRoutes(
  app: FastifyInstance,
  audit: AuditService,
  settled: () => Promise<void>,
  publicKeyPem: string,
): void {
  app.get<{ Querystring: Query }>(
    '/api/v1/audit',
    {
      config: { access: { action: 'audit.search' } },
      schema: {
        tags,
        summary: 'The audit trail, newest first',
        querystring: Query,
        response: { 200: listOf(AuditEntry, 'AuditTrail') },
      },
    },
    async (request) => {
      await settled();
      const { limit, cursor, ...filter } = request.query;
      return await audit.search(filter as AuditFilter, { limit: limit ?? 50, cursor });
    },
  );
  app.get(
    '/api/v1/audit/export',
    {
      config: { access: { action: 'audit.export', isSensitiveRead: true } },
      schema: {
        tags,
        summary: 'Every kept record as JSON lines, chain by chain, oldest first',
        produces: ['application/x-ndjson'],
      },
    },
    async (_request, reply) => {
      await settled();
      const lines = async function* (): AsyncGenerator<string> {
        for await (const record of audit.export()) yield `${JSON.stringify(record)}\n`;
      };
      return reply
        .type('application/x-ndjson')
        .serializer((body: unknown) => body as string)
        .send(Readable.from(lines()));
    },
  );
  app.get(
    '/api/v1/audit/public-key',
    {
      config: { access: { action: 'public' } },
      schema: {
        tags,
        summary: 'The key that verifies the signatures of the root chain (PEM)',
        produces: ['application/x-pem-file'],
      },
    },
    async (_request, reply) => reply.type('application/x-pem-file').serializer(String).send(publicKeyPem),
  );
}
