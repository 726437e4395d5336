/** `/rag/{project}/references`: documents by reference, and how a run stands. */
import { DocumentReference, ReferenceRun } from '@bailiwick/contract';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { documentRequest } from './document-requests.js';
import { InProject, projectPattern } from './document-routes.js';
import type { Documents } from './documents.js';

const OneRun = Type.Object({ project: Type.String({ pattern: projectPattern }), id: Type.String({ format: 'uuid' }) });
const tags = ['rag'];
const access = { action: 'rag.references.write', isOfProject: true, isWrite: true };

export function referenceRoutes(app: FastifyInstance, { references }: Documents): void {
  app.post<{ Params: Static<typeof InProject>; Body: DocumentReference }>(
    '/rag/:project/references',
    {
      config: { access },
      schema: {
        ...{ tags, params: InProject, body: DocumentReference },
        summary: 'Take in pages, a Git repository or a folder of the server; again: only what changed',
        response: { 202: ReferenceRun },
      },
    },
    async (request, reply) => {
      const run = references.start(documentRequest(request), request.body);
      return reply.status(202).header('location', `/rag/${request.params.project}/references/${run.id}`).send(run);
    },
  );
  app.get<{ Params: Static<typeof OneRun> }>(
    '/rag/:project/references/:id',
    {
      config: { access: { ...access, isWrite: false } },
      schema: { tags, params: OneRun, summary: 'How a run stands', response: { 200: ReferenceRun } },
    },
    async (request) => references.get(documentRequest(request), request.params.id),
  );
}
