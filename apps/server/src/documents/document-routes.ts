/** `/rag/{project}/documents`: take in, list, read, label, read again, delete, and progress as server-sent events. */

import { BailiwickError, DocumentFilter, DocumentLabels, RagDocument } from '@bailiwick/contract';
import multipart from '@fastify/multipart';
import { type Static, Type } from '@sinclair/typebox';
import Ajv from 'ajv';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { parseStrictJson } from '../http/strict-json.js';
import { documentRequest } from './document-requests.js';
import { viewOf } from './document-view.js';
import type { Documents } from './documents.js';
import { readUpload } from './upload.js';

export const projectPattern = '^[a-z0-9][a-z0-9-]{0,62}$';
export const InProject = Type.Object({ project: Type.String({ pattern: projectPattern }) });
const OneDocument = Type.Object({
  project: Type.String({ pattern: projectPattern }),
  id: Type.String({ format: 'uuid' }),
});
const ListQuery = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
  cursor: Type.Optional(Type.String({ maxLength: 1_000 })),
  filter: Type.Optional(Type.String({ maxLength: 8_000, description: 'A DocumentFilter as JSON.' })),
});
const tags = ['rag'];
const read = { access: { action: 'rag.documents.read', isOfProject: true } };
const write = { access: { action: 'rag.documents.write', isOfProject: true, isWrite: true } };

export async function documentRoutes(app: FastifyInstance, documents: Documents, maxBytes: number): Promise<void> {
  await app.register(async (scope) => {
    await scope.register(multipart, { limits: { fileSize: maxBytes, files: 1 } });
    uploadRoute(scope, documents, maxBytes);
  });
  readRoutes(app, documents);
  writeRoutes(app, documents);
  progressRoute(app, documents);
}

function uploadRoute(app: FastifyInstance, { service }: Documents, maxBytes: number): void {
  app.post<{ Params: Static<typeof InProject> }>(
    '/rag/:project/documents',
    {
      config: write,
      schema: {
        ...{ tags, params: InProject, consumes: ['multipart/form-data'] },
        summary: 'Take in a file; reading and embedding follow',
        description:
          'Fields: `file`, and beside it `title`, `tags`, `groups` (repeated or a JSON list), `metadata` (JSON), `source`. The same source again replaces; the same content again changes nothing.',
        response: { 200: RagDocument, 201: RagDocument },
      },
    },
    async (request, reply) => {
      const content = await readUpload(request, maxBytes);
      const { outcome, document } = await service.takeIn(documentRequest(request), content);
      const at = `/rag/${document.project}/documents/${document.id}`;
      return reply
        .status(outcome === 'created' ? 201 : 200)
        .headers({ location: at, 'x-outcome': outcome })
        .send(viewOf(document));
    },
  );
}

function readRoutes(app: FastifyInstance, { service }: Documents): void {
  app.get<{ Params: Static<typeof InProject>; Querystring: Static<typeof ListQuery> }>(
    '/rag/:project/documents',
    {
      config: read,
      schema: {
        ...{ tags, params: InProject, querystring: ListQuery },
        summary: 'Documents, newest first, of those the caller may see',
        response: { 200: Type.Object({ items: Type.Array(RagDocument), next: Type.Optional(Type.String()) }) },
      },
    },
    async (request) => {
      const { limit = 50, cursor, filter } = request.query;
      const page = await service.list(documentRequest(request), {
        limit,
        ...(cursor === undefined ? {} : { cursor }),
        ...(filter === undefined ? {} : { filter: filterOf(filter) }),
      });
      return { items: page.items.map(viewOf), ...(page.next === undefined ? {} : { next: page.next }) };
    },
  );
  app.get<{ Params: Static<typeof OneDocument> }>(
    '/rag/:project/documents/:id',
    {
      config: read,
      schema: { tags, params: OneDocument, summary: 'One document', response: { 200: RagDocument } },
    },
    async (request) => viewOf(await service.get(documentRequest(request), request.params.id)),
  );
}

function writeRoutes(app: FastifyInstance, { service }: Documents): void {
  app.patch<{ Params: Static<typeof OneDocument>; Body: DocumentLabels }>(
    '/rag/:project/documents/:id',
    {
      config: write,
      schema: {
        ...{ tags, params: OneDocument, body: DocumentLabels },
        summary: 'Another title, other tags, groups or metadata',
        response: { 200: RagDocument },
      },
    },
    async (request) => viewOf(await service.label(documentRequest(request), request.params.id, request.body)),
  );
  app.post<{ Params: Static<typeof OneDocument> }>(
    '/rag/:project/documents/:id/reindex',
    {
      config: write,
      schema: { tags, params: OneDocument, summary: 'Read the original again', response: { 202: RagDocument } },
    },
    async (request, reply) =>
      reply.status(202).send(viewOf(await service.reindex(documentRequest(request), request.params.id))),
  );
  app.delete<{ Params: Static<typeof OneDocument> }>(
    '/rag/:project/documents/:id',
    {
      config: { access: { action: 'rag.documents.delete', isOfProject: true, isWrite: true } },
      schema: {
        ...{ tags, params: OneDocument },
        summary: 'Delete: row, chunks, vectors and original; audited',
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await service.remove(documentRequest(request), request.params.id);
      return reply.status(204).send();
    },
  );
}

function progressRoute(app: FastifyInstance, { service, progress }: Documents): void {
  app.get<{ Params: Static<typeof OneDocument> }>(
    '/rag/:project/documents/:id/events',
    {
      config: read,
      schema: {
        ...{ tags, params: OneDocument, produces: ['text/event-stream'] },
        summary: 'Progress as server-sent events; ends when the document is ready or refused',
      },
    },
    async (request, reply) => {
      const asked = documentRequest(request);
      const { id } = request.params;
      // Refused or unknown before anything is sent.
      await service.get(asked, id);
      startEvents(reply);
      const left = new AbortController();
      request.raw.once('close', () => left.abort());
      for await (const event of progress.follow(() => service.get(asked, id), left.signal))
        sendEvent(reply, event.step, { ...event, document: event.document && viewOf(event.document) });
      reply.raw.end();
      return reply;
    },
  );
}

/** From here on the reply is written by hand. */
export function startEvents(reply: FastifyReply): void {
  reply.hijack();
  reply.raw.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>),
    ...{ 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
  });
}

export function sendEvent(reply: FastifyReply, event: string, data: unknown): void {
  reply.raw.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

const maxFilterDepth = 4;
const isFilter = new Ajv.default({ strict: false }).compile(DocumentFilter);

function filterOf(text: string): DocumentFilter {
  let filter: unknown;
  try {
    filter = parseStrictJson(Buffer.from(text), { maxDepth: maxFilterDepth, onBigNumber: Number });
  } catch {
    filter = undefined;
  }
  if (isFilter(filter)) return filter as DocumentFilter;
  throw new BailiwickError('invalid', {
    reason: 'document.filter_invalid',
    message: 'The parameter `filter` is not a DocumentFilter as JSON.',
  });
}
